use std::collections::HashSet;

use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::NodeKind,
    rule::{Confidence, Rule, Severity},
    syntax::ast::{ExpressionKind, StatementKind},
};

/// A log line is a write to a file, a pipe, a socket: whoever wants the lock waits for it.
pub(super) static RULE: Rule = Rule {
    code: "lock-held-across-log",
    summary: "a log line or a file is written while a mutex is held",
    severity: Severity::Note,
    confidence: Confidence::Low,
    page: include_str!("../../../../docs/doctor/lock-held-across-log.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let graph = context.graph();
    if graph.is_cut || context.is_test() || context.is_main() {
        return;
    }
    // On the way of a request it is paid by every other request that wants the lock.
    let confidence = if context.serves_request() { Confidence::Medium } else { Confidence::Low };
    // One finding for each time that a lock is taken.
    let mut seen = HashSet::new();
    for (id, node) in graph.all() {
        let Some(lock) = context.locks().at(id).first() else { continue };
        let NodeKind::Statement(statement) = node.kind else { continue };
        if matches!(
            statement.kind,
            StatementKind::Go(_) | StatementKind::Defer(_) | StatementKind::Return(_)
        ) || seen.contains(&lock.span)
        {
            continue;
        }
        let mut found = None;
        statement.walk_expressions(&mut |expression| {
            let ExpressionKind::Call(call) = &expression.kind else { return };
            let callee = context.callee(call);
            let Some(entry) = callee.entry else { return };
            let ends = entry.word("exits").is_some();
            let writes = entry.word("logs").is_some() || entry.blocks() == Some("disk");
            if writes && !ends && found.is_none() {
                found = Some((expression.span, callee.written()));
            }
        });
        let Some((span, name)) = found else { continue };
        seen.insert(lock.span);
        let message = format!(
            "{name} writes while {} is held: whoever wants the lock waits for it",
            lock.path
        );
        findings.push(
            Finding::new(&RULE, span, message)
                .confidence(confidence)
                .related(lock.span, "it is locked here")
                .help("copy what is to be written, unlock, and write then"),
        );
    }
}
