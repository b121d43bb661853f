use super::{Findings, locking};
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{Node, NodeKind, Step, search},
    rule::{Confidence, Rule, Severity},
    syntax::ast::{Call, Expression, ExpressionKind, StatementKind},
    types::Type,
};

/// A panic between lock and unlock leaves the lock held, where somebody recovers from it.
pub(super) static RULE: Rule = Rule {
    code: "unlock-not-deferred",
    summary: "a panic between lock and unlock leaves the lock held, as the unlock is not deferred",
    severity: Severity::Warning,
    confidence: Confidence::Low,
    page: include_str!("../../../../docs/doctor/unlock-not-deferred.md"),
};

const HELP: &str = "net/http recovers from the panic and goes on, with the lock held for ever: every later \
                    request that needs it waits; defer the unlock, in a function of its own if need be";

pub(super) fn check<'p, 't>(context: &FunctionContext<'_, 'p, 't>, findings: &mut Findings) {
    if context.is_test() {
        return;
    }
    let locks = locking::locks(context);
    if locks.is_empty() {
        return;
    }
    // Whoever serves a request is recovered from by the server or by itself, and goes on.
    let survives = context.recovers().is_some() || context.is_handler() || context.is_rpc();
    for lock in locks {
        if !locking::is_held_by_caller(context, &lock)
            && !locking::is_unlocked_before(context, &lock)
            && let Some((node, what)) = under(context, &lock)
        {
            let confidence = if survives { Confidence::Medium } else { Confidence::Low };
            let path = &lock.path;
            let message =
                format!("a panic in {what} leaves {path} locked, as its unlock is not deferred");
            findings.push(
                Finding::new(&RULE, lock.span, message)
                    .related(node.span, "it runs under the lock")
                    .confidence(confidence)
                    .help(HELP),
            );
        }
    }
}

/// What runs under a lock and may panic, before an unlock that is not deferred.
fn under<'g, 'p, 't>(
    context: &'g FunctionContext<'_, 'p, 't>,
    lock: &locking::Lock,
) -> Option<(&'g Node<'p, 't>, String)> {
    let judge = |_, node: &Node<'p, 't>| {
        if locking::unlocks(context, node, lock) {
            Step::Wall
        } else if user_code(context, node).is_some() {
            Step::Goal
        } else {
            Step::On
        }
    };
    let found = search(context, lock.node, &judge, &|_| true)?;
    let unlocked_later = |_, node: &Node<'p, 't>| {
        let is_deferred = matches!(node.kind, NodeKind::Statement(statement)
            if matches!(statement.kind, StatementKind::Defer(_)));
        match locking::unlocks(context, node, lock) {
            true if !is_deferred => Step::Goal,
            _ => Step::On,
        }
    };
    search(context, found, &unlocked_later, &|_| true)?;
    let node = context.graph().node(found);
    Some((node, user_code(context, node)?))
}

/// What in a step runs code that is not known here and may panic: a function in a variable or a field, a type
/// assertion without `ok`, a panic.
fn user_code<'p, 't>(context: &FunctionContext<'_, 'p, 't>, node: &Node<'p, 't>) -> Option<String> {
    let NodeKind::Statement(statement) = node.kind else { return None };
    if matches!(statement.kind, StatementKind::Defer(_) | StatementKind::Go(_)) {
        return None;
    }
    let asserts_with_ok = matches!(&statement.kind, StatementKind::Assign(assign)
        if assign.left.len() == 2 && assign.right.len() == 1);
    let mut found = None;
    statement.for_each_expression(&mut |expression| {
        expression.walk(&mut |part| {
            if found.is_some() {
                return;
            }
            found = match &part.kind {
                ExpressionKind::Call(call) => called(context, call),
                ExpressionKind::TypeAssertion { ty: Some(_), .. } if !asserts_with_ok => {
                    Some(context.text(part.span).to_owned())
                }
                _ => None,
            };
        });
    });
    found
}

fn called<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> Option<String> {
    let is_value = |function: &Expression<'t>| {
        let is_function = matches!(context.type_of(function), Type::Function(_));
        let is_variable = context.variable(function).is_some();
        let is_field = function.as_selector().is_some() && {
            let callee = context.callee(call);
            callee.package.is_empty()
                && callee.receiver.is_some_and(|owner| {
                    let fields = context.package.fields_of(owner).into_iter().flatten();
                    fields.into_iter().any(|field| {
                        matches!(field.ty.kind, ExpressionKind::FunctionType(_))
                            && field.names.iter().any(|name| name.name == callee.name)
                    })
                })
        };
        is_function && (is_variable || is_field)
    };
    is_value(call.function.bare()).then(|| format!("{}()", context.text(call.function.span)))
}
