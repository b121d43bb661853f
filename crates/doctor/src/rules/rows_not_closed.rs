use super::{Findings, unreleased};
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{self, Acquired, Kind, Obligation},
    rule::{Confidence, Rule, Severity},
};

/// Rows that are not closed keep their connection out of the pool.
pub(super) static RULE: Rule = Rule {
    code: "rows-not-closed",
    summary: "the rows of a query are not closed on some way out, so their connection is lost to the pool",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/rows-not-closed.md"),
};

const HELP: &str = "the connection stays out of the pool: after as many of them as the pool has, every query \
                    waits; defer Close() behind the check of the error";

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let mut reported = Vec::new();
    unreleased::each(context, Kind::Rows, |lost| {
        reported.push(lost.acquired.node);
        let finding = unreleased::finding(&RULE, context, &lost).help(HELP);
        findings.push(unreleased::bounded(context, finding));
    });
    for rows in context.acquired().iter().filter(|it| it.what.kind == Kind::Rows) {
        // One finding at a place.
        if !reported.contains(&rows.node) && !closed_by_the_last_row_only(context, rows, findings) {
            error_not_asked(context, rows, findings);
        }
    }
}

/// Read to the end they close themselves: until somebody returns earlier, or a `Scan` panics.
fn closed_by_the_last_row_only<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    rows: &Acquired<'p, 't>,
    findings: &mut Findings,
) -> bool {
    let Some(watched) = rows.watched() else { return false };
    let condition = rows.condition;
    let obligation = Obligation { opened: rows.node, watched, condition, drained_by: None };
    let Some(leak) = flow::leak(context, obligation) else { return false };
    let name = context.inference.resolution.variable(watched.variable).name;
    let message = format!("the rows in {name} are closed only by reading the last one");
    findings.push(
        Finding::new(&RULE, rows.statement.span, message)
            .related(leak.span, "it leaves here")
            .confidence(Confidence::Low)
            .help("defer Close(), so that a panic or a later return does not keep the connection"),
    );
    true
}

/// A loop over `Next` ends by an error as it does by the last row.
fn error_not_asked<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    rows: &Acquired<'p, 't>,
    findings: &mut Findings,
) {
    let Some(id) = rows.variable else { return };
    let variable = context.inference.resolution.variable(id);
    let used_as = |method: &str| {
        variable.uses.iter().any(|used| {
            context.file.text[used.span.end as usize..].trim_start().starts_with(method)
        })
    };
    let given_away = variable
        .uses
        .iter()
        .any(|used| !context.file.text[used.span.end as usize..].trim_start().starts_with('.'));
    if used_as(".Next(") && !used_as(".Err(") && !given_away && !context.is_test() {
        let message = format!(
            "{}.Err() is never asked, so a list that was cut short passes for whole",
            variable.name
        );
        findings.push(
            Finding::new(&RULE, rows.statement.span, message)
                .confidence(Confidence::Low)
                .help("ask for the error behind the loop over Next"),
        );
    }
}
