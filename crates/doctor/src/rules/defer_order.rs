use super::Findings;
use crate::{
    context::{Deferred, FunctionContext},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, Expression, ExpressionKind, Statement, StatementKind, UnaryOperator},
    },
    types::{Definition, VariableId},
};

/// Deferred calls that run in the wrong order: the last runs first.
pub(super) static RULE: Rule = Rule {
    code: "defer-order",
    summary: "deferred calls run last first, and in this order the cleanup fails or waits for ever",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-order.md"),
};

/// Each defer is looked at with each later one. A function with more is said nothing of.
const MAX_DEFERS: usize = 64;

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let defers = context.defers();
    if defers.len() > MAX_DEFERS {
        return;
    }
    for (index, deferred) in defers.iter().enumerate() {
        for later in &defers[index + 1..] {
            let found = wrapper_after_wrapped(context, *deferred, *later)
                .or_else(|| waits_before_stop(context, *deferred, *later));
            if let Some(finding) = found.filter(|_| follows(context, *deferred, *later)) {
                findings.push(finding);
            }
        }
        findings.extend(waits_in_body(context, *deferred));
    }
}

fn follows(
    context: &FunctionContext<'_, '_, '_>,
    first: Deferred<'_, '_>,
    then: Deferred<'_, '_>,
) -> bool {
    let graph = context.graph();
    match (graph.at(first.statement.span), graph.at(then.statement.span)) {
        (Some(from), Some(to)) => graph.reaches(from, to, &|_| false),
        _ => false,
    }
}

/// The variable on which a defer calls one of these methods.
fn on<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    methods: &[&str],
) -> Option<VariableId> {
    deferred.calls().iter().find_map(|it| {
        let (operand, name) = it.call.function.as_selector()?;
        methods.contains(&name).then(|| context.variable(operand)).flatten()
    })
}

/// `defer zip.Close()` before `defer file.Close()`: the file is closed when the archive's end is to be
/// written.
fn wrapper_after_wrapped<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    first: Deferred<'p, 't>,
    then: Deferred<'p, 't>,
) -> Option<Finding> {
    let wrapper = on(context, first, &["Close", "Flush", "Sync"])?;
    let wrapped = on(context, then, &["Close"])?;
    let resolution = &context.inference.resolution;
    let Definition::Value { expression, .. } = resolution.variable(wrapper).definition else {
        return None;
    };
    let call = expression.as_call()?;
    let given = call.arguments.iter().any(|it| resolution.root(it) == Some(wrapped));
    let callee = context.callee(call);
    let writes = ["Writer", "Encoder", "Compressor"].iter().any(|word| callee.name.contains(word));
    if !given || !writes || wrapper == wrapped {
        return None;
    }
    let (outer, inner) = (resolution.variable(wrapper).name, resolution.variable(wrapped).name);
    let message = format!(
        "{inner} is closed before {outer}, which still has to write into it: the last defer runs first"
    );
    Some(
        Finding::new(&RULE, then.statement.span, message)
            .confidence(Confidence::High)
            .help(format!(
                "defer the close of {inner} right after it was opened, before that of {outer}"
            ))
            .related(first.statement.span, "this one runs after it"),
    )
}

/// `defer cancel()` before `defer wg.Wait()`: the wait runs first, for goroutines that only a cancel ends.
fn waits_before_stop<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    stop: Deferred<'p, 't>,
    wait: Deferred<'p, 't>,
) -> Option<Finding> {
    wait_call(context, wait)?;
    let (how, sure) = ended_by(context, stop)?;
    let message = format!(
        "this wait runs before the {how} of line {}, and the goroutines end only by that",
        context.line(stop.statement.span)
    );
    Some(
        Finding::new(&RULE, wait.statement.span, message)
            .confidence(sure)
            .help("defer the wait first: what is deferred last runs first")
            .related(stop.statement.span, "runs after the wait"),
    )
}

/// `defer close(jobs)` and a plain `wg.Wait()`, for goroutines that range over `jobs`.
fn waits_in_body<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    stop: Deferred<'p, 't>,
) -> Option<Finding> {
    if !stop.calls().iter().any(|it| it.call.function.as_name() == Some("close")) {
        return None;
    }
    let (how, sure) = ended_by(context, stop)?;
    let graph = context.graph();
    let from = graph.at(stop.statement.span)?;
    let mut waits = None;
    context.body().walk(&mut |statement| {
        if let StatementKind::Expression(expression) = &statement.kind
            && is_wait(context, expression)
        {
            waits.get_or_insert(statement.span);
        }
    });
    let waits = waits?;
    if !graph.at(waits).is_some_and(|to| graph.reaches(from, to, &|_| false)) {
        return None;
    }
    let message = format!(
        "this waits for goroutines that end only by the {how} of line {}, which is deferred and runs after it",
        context.line(stop.statement.span)
    );
    Some(
        Finding::new(&RULE, waits, message)
            .confidence(sure)
            .help("close the channel before the wait")
            .related(stop.statement.span, "runs when the function ends"),
    )
}

fn wait_call<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<()> {
    deferred
        .calls()
        .iter()
        .any(|it| {
            let callee = context.callee(it.call);
            callee.is_method("sync", "WaitGroup", "Wait")
                || callee.is_method("golang.org/x/sync/errgroup", "Group", "Wait")
        })
        .then_some(())
}

fn is_wait<'p, 't>(context: &FunctionContext<'_, 'p, 't>, expression: &'p Expression<'t>) -> bool {
    expression
        .as_call()
        .is_some_and(|call| context.callee(call).is_method("sync", "WaitGroup", "Wait"))
}

/// Whether a defer is what ends goroutines of this function: it cancels the context whose end they wait for,
/// or closes the channel that they range over.
fn ended_by<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    stop: Deferred<'p, 't>,
) -> Option<(&'static str, Confidence)> {
    let resolution = &context.inference.resolution;
    let calls = stop.calls();
    let closed = calls.iter().find_map(|it| {
        (it.call.function.as_name() == Some("close"))
            .then(|| resolution.root(it.call.arguments.first()?))
            .flatten()
    });
    if let Some(channel) = closed {
        let other = closes_elsewhere(context, channel, stop.statement.span);
        let ranged = any_goroutine(context, channel, &ranges_over);
        return (ranged && !other).then_some(("close", Confidence::High));
    }
    let cancel = calls.iter().find_map(|it| context.variable(&it.call.function))?;
    let (id, made) = context.cancelled_by(cancel)?;
    let called = resolution.variable(cancel).uses.len() > 1;
    let timed =
        context.text(made.span).contains("Timeout") || context.text(made.span).contains("Deadline");
    let only = any_goroutine(context, id, &ends_only_with);
    (only && !called && !timed).then_some(("cancel", Confidence::Medium))
}

/// What is asked of a goroutine: of its body, about a variable as that names it.
type Ask = dyn for<'c, 'p, 't> Fn(&FunctionContext<'c, 'p, 't>, &Block<'t>, VariableId) -> bool;

/// Whether this holds of a goroutine that this function starts: a literal, or a function of the package that is
/// given the variable.
fn any_goroutine(context: &FunctionContext<'_, '_, '_>, id: VariableId, ask: &Ask) -> bool {
    if bodies(context).iter().any(|body| ask(context, body, id)) {
        return true;
    }
    context.goroutines().into_iter().any(|(_, call)| {
        let given = call.arguments.iter().position(|it| context.variable(it) == Some(id));
        let (Some(index), Some(declared)) = (given, context.callee(call).declared) else {
            return false;
        };
        let there = context.of(declared);
        let names = declared.function.signature.parameters.iter().flat_map(|it| &it.names);
        let parameter =
            names.into_iter().nth(index).and_then(|it| there.inference.resolution.at(it.span));
        parameter.is_some_and(|it| ask(&there, there.body(), it))
    })
}

/// The bodies of the goroutines that this function starts with a literal.
fn bodies<'p, 't>(context: &FunctionContext<'_, 'p, 't>) -> Vec<&'p Block<'t>> {
    let mut bodies: Vec<&'p Block<'t>> = context
        .goroutines()
        .into_iter()
        .filter_map(|(_, call)| Some(&call.function.as_literal()?.body))
        .collect();
    // `wg.Go(func() { … })`, `g.Go(…)`.
    for (_, call) in context.calls() {
        if matches!(call.function.as_selector(), Some((_, "Go")))
            && let Some(literal) = call.arguments.first().and_then(Expression::as_literal)
        {
            bodies.push(&literal.body);
        }
    }
    bodies
}

fn closes_elsewhere(context: &FunctionContext<'_, '_, '_>, channel: VariableId, own: Span) -> bool {
    let mut found = false;
    context.body().walk_all_expressions(&mut |expression| {
        if let ExpressionKind::Call(call) = &expression.kind
            && call.function.as_name() == Some("close")
            && !own.contains(expression.span)
        {
            let root = call
                .arguments
                .first()
                .and_then(|it| context.inference.resolution.at(it.bare().span));
            found |= root == Some(channel);
        }
    });
    found
}

fn ranges_over(
    context: &FunctionContext<'_, '_, '_>,
    body: &Block<'_>,
    channel: VariableId,
) -> bool {
    let mut found = false;
    body.walk(&mut |statement| {
        if let StatementKind::Range(it) = &statement.kind {
            let ranged = context.inference.resolution.at(it.operand.bare().span) == Some(channel)
                && it.operand.as_name().is_some();
            let mut leaves = false;
            it.body.walk(&mut |it| {
                leaves |= matches!(it.kind, StatementKind::Return(_) | StatementKind::Branch { .. })
            });
            found |= ranged && !leaves;
        }
    });
    found
}

/// Whether a goroutine turns for ever, and leaves only when the context has ended.
fn ends_only_with(context: &FunctionContext<'_, '_, '_>, body: &Block<'_>, id: VariableId) -> bool {
    let mut only = false;
    body.walk(&mut |statement| match &statement.kind {
        StatementKind::For(it) if it.condition.is_none() => {
            let (mut done, mut other) = (false, false);
            it.body.walk(&mut |inner| {
                if let StatementKind::Select(select) = &inner.kind {
                    for case in &select.cases {
                        let waits =
                            case.communication.as_ref().is_some_and(|it| is_done(context, it, id));
                        done |= waits && case.statements.iter().any(returns);
                        other |= !waits && case.statements.iter().any(returns);
                    }
                }
            });
            only |= done && !other;
        }
        // `<-ctx.Done()` as a statement of the goroutine itself.
        StatementKind::Expression(_) => {
            only |= is_done(context, statement, id)
                && body.statements.iter().any(|it| it.span == statement.span);
        }
        _ => {}
    });
    only
}

fn returns(statement: &Statement<'_>) -> bool {
    let mut found = false;
    statement.walk(&mut |it| {
        found |= matches!(
            it.kind,
            StatementKind::Return(_) | StatementKind::Branch { label: Some(_), .. }
        )
    });
    found
}

fn is_done(
    context: &FunctionContext<'_, '_, '_>,
    statement: &Statement<'_>,
    id: VariableId,
) -> bool {
    let StatementKind::Expression(expression) = &statement.kind else { return false };
    let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
        &expression.bare().kind
    else {
        return false;
    };
    let Some((operand, "Done")) = operand.as_call().and_then(|call| call.function.as_selector())
    else {
        return false;
    };
    operand.as_name().is_some() && context.inference.resolution.at(operand.bare().span) == Some(id)
}
