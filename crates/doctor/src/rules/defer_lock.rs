use super::{Findings, mend};
use crate::{
    context::FunctionContext,
    finding::{Finding, Safety},
    flow::{LockCall, lock_call},
    rule::{Confidence, Rule, Severity},
    syntax::ast::{Call, StatementKind},
    types::Type,
};

/// A deferred `Lock` where an `Unlock` was meant.
pub(super) static RULE: Rule = Rule {
    code: "defer-lock",
    summary: "a lock is locked in a defer, where it was to be unlocked",
    severity: Severity::Error,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/defer-lock.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let calls = deferred.calls();
        let locks = calls.iter().filter_map(|it| Some((it, lock(context, it.call)?)));
        for (it, Lock { path, reads, known }) in locks {
            let unlocked_here = calls.iter().any(|other| unlocks(other.call, &path));
            // It was unlocked before, for a while: the caller holds it.
            if unlocked_here || is_unlocked_before(context, deferred.statement.span.start, &path) {
                continue;
            }
            let held = is_locked_before(context, deferred.statement.span.start, &path);
            let name = if reads { "RLock" } else { "Lock" };
            let right = if reads { "RUnlock" } else { "Unlock" };
            let message = if held {
                format!(
                    "{path} is locked a second time when {} ends, which never comes",
                    context.name()
                )
            } else {
                format!(
                    "{path}.{name} in a defer leaves it locked after {} has ended",
                    context.name()
                )
            };
            let mut finding = Finding::new(&RULE, it.span, message)
                .help(format!("{path}.{right}() is what a defer is for"));
            if it.late && !held {
                finding = finding.confidence(Confidence::Low);
            } else if !(held && known) {
                finding = finding.confidence(Confidence::Medium);
            }
            let named = match it.call.function.as_selector() {
                Some((operand, _)) => operand.span.end + 1,
                None => continue,
            };
            let span = crate::syntax::Span::new(named, it.call.function.span.end);
            if context.text(span) == name && !it.late {
                let safety = if held { Safety::Safe } else { Safety::Unsafe };
                let edits = vec![mend::replace(span, right)];
                finding = finding.fix(mend::fix(format!("defer {path}.{right}()"), safety, edits));
            }
            findings.push(finding);
        }
    }
}

/// A call of `Lock` or `RLock`.
struct Lock {
    path: String,
    reads: bool,
    /// Whether it is known to be a lock, and not only named like one.
    known: bool,
}

fn lock<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> Option<Lock> {
    match lock_call(context, call) {
        Some(LockCall::Lock { path, reads }) => return Some(Lock { path, reads, known: true }),
        Some(LockCall::Unlock { .. }) => return None,
        None => {}
    }
    let (operand, name) = call.function.as_selector()?;
    if !matches!(name, "Lock" | "RLock") || !call.arguments.is_empty() {
        return None;
    }
    let path = operand.as_path()?;
    let last = path.rsplit('.').next().unwrap_or(&path).to_ascii_lowercase();
    let named = last.ends_with("mu")
        || last.ends_with("mutex")
        || last.ends_with("mtx")
        || last.ends_with("lock");
    let unknown = matches!(context.type_of(operand), Type::Unknown | Type::Named { .. });
    (named && unknown).then_some(Lock { path, reads: name == "RLock", known: false })
}

fn unlocks(call: &Call<'_>, path: &str) -> bool {
    call.function.as_selector().is_some_and(|(operand, name)| {
        matches!(name, "Unlock" | "RUnlock") && operand.as_path().as_deref() == Some(path)
    })
}

fn is_unlocked_before(context: &FunctionContext<'_, '_, '_>, offset: u32, path: &str) -> bool {
    statement_calls_before(context, offset, &|call| unlocks(call, path))
}

fn is_locked_before(context: &FunctionContext<'_, '_, '_>, offset: u32, path: &str) -> bool {
    statement_calls_before(context, offset, &|call| {
        call.function.as_selector().is_some_and(|(operand, name)| {
            matches!(name, "Lock" | "RLock") && operand.as_path().as_deref() == Some(path)
        })
    })
}

fn statement_calls_before(
    context: &FunctionContext<'_, '_, '_>,
    offset: u32,
    wanted: &dyn Fn(&Call<'_>) -> bool,
) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        if let StatementKind::Expression(expression) = &statement.kind
            && statement.span.end <= offset
        {
            found |= expression.as_call().is_some_and(wanted);
        }
    });
    found
}
