use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{Span, ast::ExpressionKind},
};

/// `Wait` may be over before the goroutine has added itself.
pub(super) static RULE: Rule = Rule {
    code: "wait-group-add-inside",
    summary: "wg.Add in the goroutine itself: Wait may return before it has started",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/wait-group-add-inside.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if !context.is_goroutine() {
        return;
    }
    for (expression, call) in context.calls() {
        let Some((operand, "Add")) = call.function.as_selector() else { continue };
        if !context.callee(call).is_method("sync", "WaitGroup", "Add") {
            continue;
        }
        let Some(path) = operand.as_path() else { continue };
        // One of its own is added to where it likes.
        let own =
            context.inference.resolution.root(operand).is_some_and(|id| {
                context.inference.resolution.variable(id).function == context.mark()
            });
        // A goroutine that is counted already may add those that it starts.
        if own || is_added_before(context, &path) || starts_after(context, expression.span) {
            continue;
        }
        let message = format!(
            "{path}.Add runs when the goroutine does: {path}.Wait may have returned by then"
        );
        findings.push(
            Finding::new(&RULE, expression.span, message).help("add before the go statement"),
        );
    }
}

/// Whether the declared function adds to it outside of this goroutine too.
fn is_added_before(context: &FunctionContext<'_, '_, '_>, path: &str) -> bool {
    let Some(body) = &context.declared.function.body else { return false };
    let here = context.body().span;
    let mut found = false;
    body.walk_all_expressions(&mut |expression| {
        if let ExpressionKind::Call(call) = &expression.kind
            && let Some((operand, "Add" | "Go")) = call.function.as_selector()
            && !here.contains(expression.span)
        {
            found |= operand.as_path().as_deref() == Some(path);
        }
    });
    found
}

/// Whether a goroutine is started in here after this.
fn starts_after(context: &FunctionContext<'_, '_, '_>, add: Span) -> bool {
    context.goroutines().iter().any(|(statement, _)| statement.span.start > add.end)
}
