use super::{Findings, unreleased};
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::Kind,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{BranchKind, ExpressionKind, StatementKind},
    },
};

/// A ticker that nobody stops ticks on.
pub(super) static RULE: Rule = Rule {
    code: "ticker-not-stopped",
    summary: "a ticker is not stopped on some way out; before Go 1.23 it then ticks for ever",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/ticker-not-stopped.md"),
};

/// From this language version on a ticker that nobody has is collected.
const COLLECTS: (u32, u32) = (1, 23);

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let module = &context.package.module;
    let is_known = !module.path.is_empty();
    let confidence = match (is_known, module.go >= COLLECTS) {
        (true, true) => Confidence::Low,
        (true, false) => Confidence::High,
        (false, _) => Confidence::Medium,
    };
    let help = "its timer stays in the runtime for good before Go 1.23, and wakes it each time; defer Stop() \
                behind the line that makes it";
    unreleased::each(context, Kind::Ticker, |lost| {
        let finding = unreleased::finding(&RULE, context, &lost).confidence(confidence).help(help);
        findings.push(unreleased::bounded(context, finding));
    });
    if context.is_main() || context.is_test() || !returns(context) {
        return;
    }
    context.body().walk_expressions(&mut |expression| match &expression.kind {
        ExpressionKind::Call(call)
            if context.callee(call).is("time", "Tick") && !is_endless(context, expression.span) =>
        {
            let message = "the ticker of time.Tick cannot be stopped, and this function returns";
            findings.push(
                Finding::new(&RULE, expression.span, message)
                    .confidence(Confidence::Low)
                    .help("take time.NewTicker, and defer its Stop()"),
            );
        }
        // `time.NewTicker(d).C`
        ExpressionKind::Selector { operand, name } if name.name == "C" => {
            let Some(call) = operand.bare().as_call() else { return };
            if context.callee(call).is("time", "NewTicker") {
                let message = "nobody holds this ticker, so it is never stopped";
                findings.push(
                    Finding::new(&RULE, expression.span, message).confidence(confidence).help(help),
                );
            }
        }
        _ => {}
    });
}

/// Whether some path leads out of the function.
fn returns(context: &FunctionContext<'_, '_, '_>) -> bool {
    let graph = context.graph();
    graph.nodes.iter().enumerate().any(|(index, node)| {
        let leaves = matches!(
            node.kind,
            crate::flow::NodeKind::Exit(crate::flow::Exit::Return | crate::flow::Exit::End)
        );
        leaves
            && graph.all().any(|(_, from)| from.next.iter().any(|edge| edge.to.0 as usize == index))
    })
}

/// Whether it is ranged over, and nothing in the loop leaves it.
fn is_endless(context: &FunctionContext<'_, '_, '_>, tick: Span) -> bool {
    let mut endless = false;
    context.body().walk(&mut |statement| {
        let StatementKind::Range(range) = &statement.kind else { return };
        if range.operand.span != tick {
            return;
        }
        endless = true;
        range.body.walk(&mut |inner| {
            endless &= !matches!(
                inner.kind,
                StatementKind::Return(_)
                    | StatementKind::Branch { kind: BranchKind::Break | BranchKind::Goto, .. }
            );
        });
    });
    endless
}
