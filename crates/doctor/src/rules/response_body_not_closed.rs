use super::{
    Findings,
    unreleased::{self, Lost},
};
use crate::{
    context::FunctionContext,
    flow::Kind,
    rule::{Confidence, Rule, Severity},
    types::Definition,
};

/// A response whose body is not closed keeps its connection.
pub(super) static RULE: Rule = Rule {
    code: "response-body-not-closed",
    summary: "the body of a response is not closed on some way out, so its connection is lost to the pool",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/response-body-not-closed.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    unreleased::each(context, Kind::Response, |lost| {
        if asks_for_head(context, &lost) {
            return;
        }
        let finding = unreleased::finding(&RULE, context, &lost).help(
            "the connection is neither reused nor given up: each such request costs one more, and one \
             goroutine or two; defer Body.Close() behind the check of the error",
        );
        findings.push(unreleased::bounded(context, finding));
    });
}

/// The answer to HEAD has no body to close.
fn asks_for_head<'p, 't>(context: &FunctionContext<'_, 'p, 't>, lost: &Lost<'_, 'p, 't>) -> bool {
    if lost.acquired.callee.name == "Head" {
        return true;
    }
    lost.acquired.call.arguments.iter().any(|argument| {
        let Some(request) = context.variable(argument) else { return false };
        let variable = context.inference.resolution.variable(request);
        let Definition::Value { expression, .. } = variable.definition else { return false };
        expression.bare().as_call().is_some_and(|call| {
            call.arguments
                .iter()
                .any(|it| matches!(context.text(it.span), "\"HEAD\"" | "http.MethodHead"))
        })
    })
}
