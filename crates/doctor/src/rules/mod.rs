//! The rules: one a file. `docs/doctor/adding-a-rule.md` says how to write one.

mod cancel_lost;
mod cleanup_can_panic;
mod cleanup_cancelled_context;
mod client_without_timeout;
mod close_error_dropped;
mod defer_argument_early;
mod defer_before_error_check;
mod defer_discards_function;
mod defer_in_loop;
mod defer_lock;
mod defer_only_logs;
mod defer_order;
mod defer_outside_goroutine;
mod defer_slow;
mod defer_wrong_err;
mod double_close;
mod exit_after_defer;
mod goroutine_without_recover;
mod lock_held_across_log;
mod lock_held_across_wait;
mod lock_key_deleted;
mod lock_purpose;
mod locking;
mod many_defers;
mod mend;
mod recover_answers_nothing;
mod recover_not_deferred;
mod recover_too_deep;
mod resource_not_closed;
mod response_body_not_closed;
mod rows_not_closed;
mod server_without_timeouts;
mod span_not_ended;
mod ticker_not_stopped;
mod transaction_not_ended;
mod unbuffered_send_leak;
mod unlock_missing;
mod unlock_not_deferred;
mod unreleased;
mod wait_group_add_inside;
mod wait_group_done_not_deferred;

use crate::{
    context::{FunctionContext, PackageContext},
    finding::Finding,
    package::{Package, SourceFile},
    rule::Rule,
};

/// What rules find in one file.
pub type Findings = Vec<Finding>;

/// How a rule looks.
#[derive(Clone, Copy)]
pub enum Check {
    /// At each function, and each function without a name, by itself.
    Function(for<'c, 'p, 't> fn(&FunctionContext<'c, 'p, 't>, &mut Findings)),
    /// At each file as a whole.
    File(for<'p, 't> fn(&'p Package<'p, 't>, &'p SourceFile<'t>, &mut Findings)),
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Function(_) => "Function",
            Self::File(_) => "File",
        })
    }
}

/// Every rule with how it looks, in the order of their codes.
pub const ALL: &[(&Rule, Check)] = &[
    (&cancel_lost::RULE, Check::Function(cancel_lost::check)),
    (&cleanup_can_panic::RULE, Check::Function(cleanup_can_panic::check)),
    (&cleanup_cancelled_context::RULE, Check::Function(cleanup_cancelled_context::check)),
    (&client_without_timeout::RULE, Check::Function(client_without_timeout::check)),
    (&close_error_dropped::RULE, Check::Function(close_error_dropped::check)),
    (&defer_argument_early::RULE, Check::Function(defer_argument_early::check)),
    (&defer_before_error_check::RULE, Check::Function(defer_before_error_check::check)),
    (&defer_discards_function::RULE, Check::Function(defer_discards_function::check)),
    (&defer_in_loop::RULE, Check::Function(defer_in_loop::check)),
    (&defer_lock::RULE, Check::Function(defer_lock::check)),
    (&defer_only_logs::RULE, Check::Function(defer_only_logs::check)),
    (&defer_order::RULE, Check::Function(defer_order::check)),
    (&defer_outside_goroutine::RULE, Check::Function(defer_outside_goroutine::check)),
    (&defer_slow::RULE, Check::Function(defer_slow::check)),
    (&defer_wrong_err::RULE, Check::Function(defer_wrong_err::check)),
    (&double_close::RULE, Check::Function(double_close::check)),
    (&exit_after_defer::RULE, Check::Function(exit_after_defer::check)),
    (&goroutine_without_recover::RULE, Check::Function(goroutine_without_recover::check)),
    (&lock_held_across_log::RULE, Check::Function(lock_held_across_log::check)),
    (&lock_held_across_wait::RULE, Check::Function(lock_held_across_wait::check)),
    (&lock_key_deleted::RULE, Check::Function(lock_key_deleted::check)),
    (&many_defers::RULE, Check::Function(many_defers::check)),
    (&recover_answers_nothing::RULE, Check::Function(recover_answers_nothing::check)),
    (&recover_not_deferred::RULE, Check::Function(recover_not_deferred::check)),
    (&recover_too_deep::RULE, Check::Function(recover_too_deep::check)),
    (&resource_not_closed::RULE, Check::Function(resource_not_closed::check)),
    (&response_body_not_closed::RULE, Check::Function(response_body_not_closed::check)),
    (&rows_not_closed::RULE, Check::Function(rows_not_closed::check)),
    (&server_without_timeouts::RULE, Check::Function(server_without_timeouts::check)),
    (&span_not_ended::RULE, Check::Function(span_not_ended::check)),
    (&ticker_not_stopped::RULE, Check::Function(ticker_not_stopped::check)),
    (&transaction_not_ended::RULE, Check::Function(transaction_not_ended::check)),
    (&unbuffered_send_leak::RULE, Check::Function(unbuffered_send_leak::check)),
    (&unlock_missing::RULE, Check::Function(unlock_missing::check)),
    (&unlock_not_deferred::RULE, Check::Function(unlock_not_deferred::check)),
    (&wait_group_add_inside::RULE, Check::Function(wait_group_add_inside::check)),
    (&wait_group_done_not_deferred::RULE, Check::Function(wait_group_done_not_deferred::check)),
];

/// The rule with this code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().map(|(rule, _)| *rule).find(|rule| rule.code == code)
}

/// What these rules find in a package: for each of its files, in the order of the text.
#[must_use]
pub fn analyse<'p, 't>(
    package: &'p Package<'p, 't>,
    wanted: &dyn Fn(&Rule) -> bool,
) -> Vec<(&'p SourceFile<'t>, Findings)> {
    let context = PackageContext::new(package);
    let rules: Vec<&(&Rule, Check)> = ALL.iter().filter(|(rule, _)| wanted(rule)).collect();
    let look = |file: &'p SourceFile<'t>| {
        let mut findings = Findings::new();
        for function in file.bodies().flat_map(|declared| context.functions(declared)) {
            for (_, check) in &rules {
                if let Check::Function(check) = check {
                    check(&function, &mut findings);
                }
            }
        }
        for (_, check) in &rules {
            if let Check::File(check) = check {
                check(package, file, &mut findings);
            }
        }
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.rule.code));
        findings.dedup_by(|a, b| a.rule.code == b.rule.code && a.span == b.span);
        (file, findings)
    };
    package.files.iter().map(look).collect()
}
