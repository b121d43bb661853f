use super::Findings;
use crate::{
    context::FunctionContext,
    finding::{Edit, Finding, Fix, Safety},
    flow::{Exit, NodeKind},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Call, Expression, ExpressionKind, FunctionLiteral, StatementKind, UnaryOperator},
    },
    types::{Definition, VariableId},
};

/// A goroutine that sends to who has gone waits for ever.
pub(super) static RULE: Rule = Rule {
    code: "unbuffered-send-leak",
    summary: "a goroutine sends on a channel without a buffer, and its receiver may have gone",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/unbuffered-send-leak.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let graph = context.graph();
    if graph.is_cut {
        return;
    }
    for (statement, call) in context.goroutines() {
        let Some(literal) = call.function.as_literal() else { continue };
        let Some(node) = graph.at(statement.span) else { continue };
        for (channel, send) in sends(context, literal) {
            let Some(made) = unbuffered(context, channel) else { continue };
            let senders = senders(context, channel);
            if is_elsewhere(context, channel, &senders) {
                continue;
            }
            // Several that send, and a loop that receives: whether it does so often enough is not known.
            let counted = graph.node(node).loops > 0
                && graph
                    .all()
                    .any(|(_, step)| step.loops > 0 && receives(context, step.kind, channel));
            // More that send than are received, none of them in a loop.
            let too_many = senders.len() > 1 && is_short_of_receives(context, channel, &senders);
            let leaves = too_many
                || counted && leaves_its_loop(context, channel)
                || graph.all().any(|(id, exit)| {
                    !counted
                        && matches!(exit.kind, NodeKind::Exit(Exit::Return | Exit::End))
                        && graph.reaches(node, id, &|step| receives(context, step.kind, channel))
                });
            if !leaves {
                continue;
            }
            let name = context.inference.resolution.variable(channel).name;
            let message = format!(
                "this send waits for ever where {} returns without a receive from {name}: the goroutine \
                 and what it holds stay",
                context.name()
            );
            findings.push(
                Finding::new(&RULE, send, message)
                    .related(made.1, "it is made without a buffer")
                    .help("give the channel a buffer of one, so that the send never waits")
                    .fix(Fix {
                        title: format!("make {name} with a buffer of one"),
                        safety: Safety::Unsafe,
                        edits: vec![Edit { span: made.0, text: ", 1".to_owned() }],
                    }),
            );
        }
    }
}

/// The goroutines that only send on a channel.
fn senders(context: &FunctionContext<'_, '_, '_>, channel: VariableId) -> Vec<Span> {
    let goroutines = context.goroutines();
    let sending = goroutines.iter().filter(|(_, call)| {
        let Some(literal) = call.function.as_literal() else { return false };
        let mut receiving = false;
        literal.body.walk(&mut |statement| {
            receiving |= receives(context, NodeKind::Statement(statement), channel)
                || matches!(&statement.kind, StatementKind::Range(range)
                    if context.variable(&range.operand) == Some(channel));
        });
        !receiving && sends(context, literal).iter().any(|(sent, _)| *sent == channel)
    });
    sending.map(|(statement, _)| statement.span).collect()
}

/// Whether several goroutines send, and the function receives fewer times; not where a loop does either.
fn is_short_of_receives(
    context: &FunctionContext<'_, '_, '_>,
    channel: VariableId,
    senders: &[Span],
) -> bool {
    let graph = context.graph();
    let in_loop = |span: &Span| graph.at(*span).is_none_or(|id| graph.node(id).loops > 0);
    if senders.iter().any(in_loop) {
        return false;
    }
    let uses = &context.inference.resolution.variable(channel).uses;
    let received: Vec<Span> = uses
        .iter()
        .map(|used| used.span)
        .filter(|used| !senders.iter().any(|goroutine| goroutine.contains(*used)))
        .collect();
    received.len() < senders.len() && !received.iter().any(in_loop)
}

/// Whether a loop that receives can be left by a return before its last turn.
fn leaves_its_loop(context: &FunctionContext<'_, '_, '_>, channel: VariableId) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        let body = match &statement.kind {
            StatementKind::For(it) if it.condition.is_some() => &it.body,
            StatementKind::Range(range) => &range.body,
            _ => return,
        };
        let (mut received, mut returns) = (false, false);
        body.walk(&mut |inner| {
            received |= receives(context, NodeKind::Statement(inner), channel);
            returns |= received && matches!(inner.kind, StatementKind::Return(_));
        });
        found |= returns;
    });
    found
}

/// The channels that a goroutine sends on where nothing else lets it go on.
fn sends<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    literal: &'p FunctionLiteral<'t>,
) -> Vec<(VariableId, Span)> {
    let mut selected = Vec::new();
    literal.body.walk(&mut |statement| {
        if let StatementKind::Select(select) = &statement.kind
            && select.cases.len() > 1
        {
            selected.extend(
                select.cases.iter().filter_map(|case| Some(case.communication.as_ref()?.span)),
            );
        }
    });
    let mut found = Vec::new();
    literal.body.walk(&mut |statement| {
        if let StatementKind::Send { channel, .. } = &statement.kind
            && !selected.contains(&statement.span)
            && let Some(variable) = context.variable(channel)
        {
            found.push((variable, statement.span));
        }
    });
    found.dedup_by_key(|(variable, _)| *variable);
    found
}

/// Where a buffer would stand, and the `make`, of a channel that this function makes without one.
fn unbuffered(context: &FunctionContext<'_, '_, '_>, channel: VariableId) -> Option<(Span, Span)> {
    let variable = context.inference.resolution.variable(channel);
    let Definition::Value { expression, .. } = variable.definition else { return None };
    let call = expression.as_call()?;
    let [ty] = &call.arguments[..] else { return None };
    let is_channel = matches!(ty.kind, ExpressionKind::Channel { .. });
    let here = variable.function == context.mark() && call.function.as_name() == Some("make");
    (is_channel && here).then(|| (Span::new(ty.span.end, ty.span.end), expression.span))
}

/// Whether anybody else has the channel: it is returned, stored, given to a call, used by another function.
fn is_elsewhere(
    context: &FunctionContext<'_, '_, '_>,
    channel: VariableId,
    senders: &[Span],
) -> bool {
    let variable = context.inference.resolution.variable(channel);
    variable.uses.iter().any(|used| {
        !senders.iter().any(|goroutine| goroutine.contains(used.span))
            && (used.function != context.mark() || !is_received_from(context, used.span))
    })
}

/// Whether this use of a channel is a receive, or a look at it that does not keep it.
fn is_received_from(context: &FunctionContext<'_, '_, '_>, used: Span) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        if let StatementKind::Range(range) = &statement.kind {
            found |= range.operand.span == used;
        }
        statement.for_each_expression(&mut |expression| {
            expression.walk(&mut |expression| {
                found |= is_receive(expression, used) || is_close(expression, used);
            });
        });
    });
    found
}

fn is_receive(expression: &Expression<'_>, used: Span) -> bool {
    match &expression.kind {
        ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } => {
            operand.bare().span == used
        }
        _ => false,
    }
}

fn is_close(expression: &Expression<'_>, used: Span) -> bool {
    let is = |call: &Call<'_>| {
        matches!(call.function.as_name(), Some("close" | "len" | "cap"))
            && call.arguments.iter().any(|argument| argument.span == used)
    };
    expression.as_call().is_some_and(is)
}

/// Whether a step receives from the channel.
fn receives(
    context: &FunctionContext<'_, '_, '_>,
    kind: NodeKind<'_, '_>,
    channel: VariableId,
) -> bool {
    let is_channel = |expression: &Expression<'_>| {
        context.inference.resolution.at(expression.bare().span) == Some(channel)
    };
    let mut found = false;
    let mut look = |expression: &Expression<'_>| {
        expression.walk(&mut |expression| {
            if let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
                &expression.kind
            {
                found |= is_channel(operand);
            }
        });
    };
    match kind {
        NodeKind::Statement(statement)
        | NodeKind::Communication(statement)
        | NodeKind::Tag(statement) => {
            statement.for_each_expression(&mut |expression| look(expression));
        }
        NodeKind::Condition(condition) => look(condition),
        NodeKind::Range(range) => found = is_channel(&range.operand),
        _ => {}
    }
    found
}
