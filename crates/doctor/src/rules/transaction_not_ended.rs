use super::{Findings, unreleased};
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{self, Effect, Kind, NodeKind},
    rule::{Confidence, Rule, Severity},
    syntax::ast::StatementKind,
};

/// A transaction that is neither committed nor rolled back keeps its connection and its locks.
pub(super) static RULE: Rule = Rule {
    code: "transaction-not-ended",
    summary: "a transaction is neither committed nor rolled back on some way out",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/transaction-not-ended.md"),
};

const HELP: &str = "its connection never comes back to the pool, and its row locks stay until the database \
                    gives up; defer Rollback() behind the check of the error: after a Commit it does nothing";

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let mut reported = Vec::new();
    unreleased::each(context, Kind::Transaction, |lost| {
        reported.push(lost.acquired.node);
        let finding = unreleased::finding(&RULE, context, &lost).help(HELP);
        findings.push(unreleased::bounded(context, finding));
    });
    for transaction in context.acquired() {
        if transaction.what.kind != Kind::Transaction || reported.contains(&transaction.node) {
            continue;
        }
        let Some(watched) = transaction.watched() else { continue };
        let mut ends_here = false;
        for (_, node) in context.graph().all() {
            let effect = flow::effect(context, node, watched);
            // In a defer, or in somebody else's hands: a panic may be seen to.
            if matches!(effect, Effect::Deferred | Effect::Escapes) {
                ends_here = false;
                break;
            }
            let is_plain = matches!(node.kind, NodeKind::Statement(statement)
                if !matches!(statement.kind, StatementKind::Defer(_)));
            ends_here |= effect == Effect::Released && is_plain;
        }
        if ends_here && !context.is_test() {
            let name = context.inference.resolution.variable(watched.variable).name;
            let message = format!("a panic before its end leaves the transaction in {name} open");
            findings.push(
                Finding::new(&RULE, transaction.statement.span, message)
                    .confidence(Confidence::Low)
                    .help(HELP),
            );
        }
    }
}
