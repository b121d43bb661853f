use super::{Findings, unreleased};
use crate::{
    context::FunctionContext,
    flow::{Acquired, Kind},
    rule::{Confidence, Rule, Severity},
    syntax::ast::StatementKind,
};

/// A span that is not ended is never sent.
pub(super) static RULE: Rule = Rule {
    code: "span-not-ended",
    summary: "a span of a trace is not ended on some way out, so it is never sent",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/span-not-ended.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    unreleased::each(context, Kind::Span, |lost| {
        let finding = unreleased::finding(&RULE, context, &lost).help(
            "the trace shows a hole just where it failed, and the span's memory is kept; defer End() behind \
             the line that starts it",
        );
        let finding = unreleased::bounded(context, finding);
        // Who has the context can end it: `trace.SpanFromContext(ctx).End()`.
        findings.push(match travels(context, lost.acquired) {
            true => finding.confidence(Confidence::Low),
            false => finding,
        });
    });
}

/// Whether only the context is kept, `ctx, _ := tracer.Start(…)`, and is used.
fn travels(context: &FunctionContext<'_, '_, '_>, acquired: &Acquired<'_, '_>) -> bool {
    let StatementKind::Assign(assign) = &acquired.statement.kind else { return false };
    let kept = assign.left.first().and_then(|first| {
        first
            .as_name()
            .filter(|name| *name != "_")
            .and(context.inference.resolution.at(first.bare().span))
    });
    acquired.variable.is_none()
        && acquired.what.index == 1
        && kept.is_some_and(|id| !context.inference.resolution.variable(id).uses.is_empty())
}
