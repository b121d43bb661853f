use super::Findings;
use crate::{
    context::{FunctionContext, LiteralRole, calls_recover},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::ast::ExpressionKind,
};

/// `recover()` works only when a deferred function itself calls it.
pub(super) static RULE: Rule = Rule {
    code: "recover-too-deep",
    summary: "recover() in a function that the deferred function calls never stops a panic",
    severity: Severity::Error,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/recover-too-deep.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    // A function without a name that a deferred one calls.
    let is_deeper = context.literal.as_deref().is_some_and(|place| {
        matches!(place.role, LiteralRole::Called)
            && place
                .outer
                .as_deref()
                .is_some_and(|outer| matches!(outer.role, LiteralRole::Deferred))
    });
    if is_deeper && calls_recover(context.body()) {
        for (expression, call) in context.calls() {
            if context.callee(call).is_builtin("recover") {
                let message = "recover() is one function too deep: only the deferred function itself can \
                               stop a panic, and this one is called by it";
                findings.push(
                    Finding::new(&RULE, expression.span, message)
                        .help("call recover() in the deferred function"),
                );
            }
        }
    }
    if !context.is_deferred() || calls_recover(context.body()) {
        return;
    }
    // A function of the package that a deferred one calls.
    context.body().walk_expressions(&mut |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return };
        let Some(declared) = context.callee(call).declared else { return };
        let Some(body) = &declared.function.body else { return };
        // One that defers a function which recovers guards itself.
        if calls_recover(body) && context.of(declared).recovers().is_none() {
            let name = declared.function.name.name;
            let message = format!(
                "{name} calls recover(), and is called by a deferred function instead of being deferred: it \
                 gets nil, and the panic goes on"
            );
            findings.push(
                Finding::new(&RULE, expression.span, message).help(format!("defer {name} itself")),
            );
        }
    });
}
