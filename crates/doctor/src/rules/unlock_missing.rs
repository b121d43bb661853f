use super::{Findings, locking};
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{Edge, Exit, Node, NodeKind, Step, search},
    rule::{Confidence, Rule, Severity},
};

/// A lock that is still held on some way out: the next who wants it waits for ever.
pub(super) static RULE: Rule = Rule {
    code: "unlock-missing",
    summary: "a lock is still held on some way out, and the next who wants it waits for ever",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/unlock-missing.md"),
};

const HELP: &str = "every later request that needs the lock waits for ever: first its callers see 504, then \
                    the service stands still; defer the unlock behind the lock";

/// A lock that was only tried for, and is kept on some way out though another one gives it back.
fn tried<'p, 't>(context: &FunctionContext<'_, 'p, 't>, findings: &mut Findings) {
    for lock in locking::tries(context) {
        let is_released =
            context.graph().all().any(|(_, node)| locking::unlocks(context, node, &lock));
        if !is_released || locking::is_unlocked_before(context, &lock) {
            continue;
        }
        let judge = |id, node: &Node<'p, 't>| match node.kind {
            _ if id == lock.node => Step::Wall,
            NodeKind::Exit(Exit::Return | Exit::End) => Step::Goal,
            _ if locking::unlocks(context, node, &lock) => Step::Wall,
            _ => Step::On,
        };
        let got = |edge: &Edge<'p, 't>| {
            edge.when.is_none_or(|fact| fact.holds || fact.condition.span != lock.span)
        };
        let Some(left) = search(context, lock.node, &judge, &got) else { continue };
        let span = context.graph().node(left).span;
        let message = format!(
            "{} is still held when the function leaves at line {}",
            lock.path,
            context.line(span)
        );
        let mut finding = Finding::new(&RULE, lock.span, message);
        if locking::is_named_for_it(context) {
            finding = finding.confidence(Confidence::Low);
        }
        findings.push(finding.related(span, "it is still held here").help(HELP));
    }
}

pub(super) fn check<'p, 't>(context: &FunctionContext<'_, 'p, 't>, findings: &mut Findings) {
    tried(context, findings);
    for lock in locking::locks(context) {
        if locking::is_held_by_caller(context, &lock) || locking::is_unlocked_before(context, &lock)
        {
            continue;
        }
        let judge = |id, node: &Node<'p, 't>| match node.kind {
            _ if id == lock.node => Step::Goal,
            NodeKind::Exit(Exit::Return | Exit::End) => Step::Goal,
            _ if locking::unlocks(context, node, &lock) => Step::Wall,
            _ => Step::On,
        };
        let Some(left) = search(context, lock.node, &judge, &|_| true) else { continue };
        let is_released =
            context.graph().all().any(|(_, node)| locking::unlocks(context, node, &lock));
        let confidence = match is_released || left == lock.node {
            // `lockAwaiting…`: it may be meant to.
            true if locking::is_named_for_it(context) => Confidence::Low,
            true => RULE.confidence,
            false => match locking::never_unlocked(context, &lock) {
                Some(confidence) => confidence,
                None => continue,
            },
        };
        let span = context.graph().node(left).span;
        let line = context.line(span);
        let (path, name) = (&lock.path, lock.locks_by());
        let message = if left == lock.node {
            format!(
                "{path} is still held when the loop comes back to this {name}, which then waits for ever"
            )
        } else if is_released {
            format!("{path} is still held when the function leaves at line {line}")
        } else {
            format!("{path} is locked here and never unlocked")
        };
        findings.push(
            Finding::new(&RULE, lock.span, message)
                .confidence(confidence)
                .related(span, "it is still held here")
                .help(HELP),
        );
    }
}
