use super::Findings;
use crate::{
    context::{Deferred, FunctionContext},
    finding::Finding,
    flow::{Exit, LockCall, NodeId, NodeKind, lock_call},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, Statement, StatementKind, UnaryOperator},
    },
    types::{Callee, Definition, Type, VariableId},
};

/// A defer in the function that starts a goroutine, where the goroutine's end was meant.
pub(super) static RULE: Rule = Rule {
    code: "defer-outside-goroutine",
    summary: "a defer runs when the starting function ends, while the goroutine that needs it goes on",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-outside-goroutine.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let goroutines = context.goroutines();
    if goroutines.is_empty() {
        return;
    }
    for deferred in context.defers() {
        let found = done_outside(context, deferred, &goroutines)
            .or_else(|| unlock_outside(context, deferred, &goroutines))
            .or_else(|| closed_while_used(context, deferred, &goroutines));
        findings.extend(found);
    }
}

type Goroutines<'p, 't> = [(&'p Statement<'t>, &'p Call<'t>)];

/// A wait group as it is written, and the variable that it begins with: another may have its name.
type Group = (String, Option<VariableId>);

/// The wait group on which a call calls this method.
fn wait_group<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
    method: &str,
) -> Option<Group> {
    let (operand, name) = call.function.as_selector()?;
    let is_group = context.type_of(operand).is_or_points_to("sync", "WaitGroup");
    let root = context.inference.resolution.root(operand);
    (name == method && is_group).then(|| Some((operand.as_path()?, root))).flatten()
}

/// `defer wg.Done()` where the goroutines are started that were to say it.
fn done_outside<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    goroutines: &Goroutines<'p, 't>,
) -> Option<Finding> {
    let group = wait_group(context, deferred.call, "Done")?;
    let path = &group.0;
    let calls = context.calls();
    let adds =
        calls.iter().any(|(_, call)| wait_group(context, call, "Add").as_ref() == Some(&group));
    if !adds {
        return None;
    }
    let said = goroutines
        .iter()
        .any(|(statement, _)| context.text(statement.span).contains(&format!("{path}.Done")));
    let graph = context.graph();
    let from = graph.at(deferred.statement.span)?;
    let waits = calls.iter().find(|(expression, call)| {
        wait_group(context, call, "Wait").as_ref() == Some(&group)
            && graph.at(expression.span).is_some_and(|to| graph.reaches(from, to, &|_| false))
    });
    let local = deferred.call.function.as_selector().is_some_and(|(operand, _)| {
        context.variable(operand).is_some_and(|id| {
            let variable = context.inference.resolution.variable(id);
            variable.function == context.mark()
                && matches!(variable.definition, Definition::Zero | Definition::Value { .. })
        })
    });
    let name = context.name();
    let (message, sure) = match waits {
        Some((wait, _)) => (
            format!(
                "{path}.Wait of line {} waits for this Done, which runs only when {name} ends: a deadlock",
                context.line(wait.span)
            ),
            Confidence::High,
        ),
        None if !said && local => (
            format!("{path}.Done runs when {name} ends, not when the goroutine does"),
            Confidence::Medium,
        ),
        None => return None,
    };
    Some(
        Finding::new(&RULE, deferred.statement.span, message)
            .confidence(sure)
            .help("defer it as the first statement of the goroutine")
            .related(goroutines[0].0.span, "the goroutine starts here"),
    )
}

/// A deferred unlock of a lock that only the goroutine locks.
fn unlock_outside<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    goroutines: &Goroutines<'p, 't>,
) -> Option<Finding> {
    let Some(LockCall::Unlock { path, .. }) = lock_call(context, deferred.call) else {
        return None;
    };
    let locks = |call| matches!(lock_call(context, call), Some(LockCall::Lock { path: locked, .. }) if locked == path);
    if context.calls().iter().any(|(_, call)| locks(call)) {
        return None;
    }
    let (statement, _) = goroutines.iter().find(|(_, call)| {
        call.function.as_literal().is_some_and(|literal| {
            let (mut locked, mut unlocked) = (false, false);
            literal.body.walk_expressions(&mut |expression| {
                if let ExpressionKind::Call(call) = &expression.kind {
                    locked |= locks(call);
                    unlocked |= matches!(lock_call(context, call), Some(LockCall::Unlock { path: it, .. }) if it == path);
                }
            });
            locked && !unlocked
        })
    })?;
    let message =
        format!("{path} is locked by the goroutine and unlocked here when {} ends", context.name());
    Some(
        Finding::new(&RULE, deferred.statement.span, message)
            .confidence(Confidence::High)
            .help("defer the unlock in the goroutine, right after the lock")
            .related(statement.span, "locked in this goroutine"),
    )
}

/// What a defer ends.
struct Ended {
    variable: VariableId,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `close(c)`: who sends then panics.
    Channel,
    /// A context with a timeout, by its cancel function.
    Context,
    /// A file, a connection, a response, rows, a transaction.
    Resource,
}

fn ended<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Ended> {
    let resolution = &context.inference.resolution;
    let own = |id: VariableId| resolution.variable(id).function == context.mark();
    for it in deferred.calls() {
        if it.call.function.as_name() == Some("close") {
            let variable = context.variable(it.call.arguments.first()?)?;
            return own(variable).then_some(Ended { variable, kind: Kind::Channel });
        }
        if let Some(cancel) = context.variable(&it.call.function) {
            let Some((variable, made)) = context.cancelled_by(cancel) else { continue };
            let text = context.text(made.span);
            if text.contains("WithTimeout(") || text.contains("WithDeadline(") {
                return Some(Ended { variable, kind: Kind::Context });
            }
            continue;
        }
        let callee = context.callee(it.call);
        let removed = callee.package == "os" && callee.name.starts_with("Remove");
        if !removed && !matches!(callee.name, "Close" | "Rollback" | "Release") {
            continue;
        }
        let operand = match removed {
            true => it.call.arguments.first()?,
            false => it.call.function.as_selector()?.0,
        };
        let variable = resolution.root(operand)?;
        let opened = match resolution.variable(variable).definition {
            Definition::Value { expression, .. } => expression.as_call().is_some(),
            _ => false,
        };
        if own(variable) && opened {
            return Some(Ended { variable, kind: Kind::Resource });
        }
    }
    None
}

/// Something that a goroutine still uses when the defer ends it, since nobody waits for the goroutine.
fn closed_while_used<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    goroutines: &Goroutines<'p, 't>,
) -> Option<Finding> {
    let ended = ended(context, deferred)?;
    if context.is_test() || context.is_main() {
        return None;
    }
    // A wait that is deferred later runs before.
    let waits = context.defers().iter().any(|it| {
        it.statement.span.start > deferred.statement.span.start && defer_waits(context, *it)
    });
    if waits {
        return None;
    }
    let graph = context.graph();
    for (statement, call) in goroutines {
        if !uses(context, &ended, statement, call) {
            continue;
        }
        let from = graph.at(statement.span)?;
        let waits = |id: NodeId| may_wait(context, graph.node(id).kind, &ended);
        let Some(exit) = leaves_at_once(context, from, &waits) else { continue };
        let name = context.inference.resolution.variable(ended.variable).name;
        let what = match ended.kind {
            Kind::Channel => "closes it, and the goroutine's send panics",
            Kind::Context => "cancels it, and the goroutine's work is given up",
            Kind::Resource => "closes it under the goroutine",
        };
        let message = format!(
            "the goroutine of line {} still has {name} when {} ends: this defer {what}",
            context.line(statement.span),
            context.name()
        );
        return Some(
            Finding::new(&RULE, deferred.statement.span, message)
                .help("release it in the goroutine, or wait for the goroutine before the return")
                .related(statement.span, "started here, and not waited for")
                .related(exit, "left here"),
        );
    }
    None
}

fn defer_waits<'p, 't>(context: &FunctionContext<'_, 'p, 't>, deferred: Deferred<'p, 't>) -> bool {
    let mut waits = deferred.calls().iter().any(|it| context.callee(it.call).name == "Wait");
    deferred.literal().iter().for_each(|literal| {
        literal.body.walk_expressions(&mut |it| {
            waits |=
                matches!(it.kind, ExpressionKind::Unary { operator: UnaryOperator::Receive, .. });
        });
    });
    waits
}

/// Whether a goroutine uses what is ended, other than to end it itself.
fn uses<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    ended: &Ended,
    statement: &'p Statement<'t>,
    call: &'p Call<'t>,
) -> bool {
    if !context.mentions(ended.variable, statement.span) {
        return false;
    }
    let Some(literal) = call.function.as_literal() else {
        return ended.kind != Kind::Channel;
    };
    match ended.kind {
        Kind::Channel => {
            let mut sends = false;
            literal.body.walk(&mut |it| {
                if let StatementKind::Send { channel, .. } = &it.kind {
                    sends |= context.variable(channel) == Some(ended.variable);
                }
            });
            sends
        }
        // One that only waits for the end is told by it.
        Kind::Context => !asks_done(&literal.body),
        Kind::Resource => !closes(context, &literal.body, ended.variable),
    }
}

fn asks_done(body: &Block<'_>) -> bool {
    let mut found = false;
    body.walk_expressions(&mut |it| {
        found |= it
            .as_call()
            .and_then(|call| call.function.as_selector())
            .is_some_and(|(_, name)| name == "Done");
    });
    found
}

fn closes(context: &FunctionContext<'_, '_, '_>, body: &Block<'_>, id: VariableId) -> bool {
    let mut found = false;
    body.walk_all_expressions(&mut |it| {
        if let Some((operand, "Close" | "Rollback" | "Release")) =
            it.as_call().and_then(|call| call.function.as_selector())
        {
            found |= context.mentions(id, operand.span);
        }
    });
    found
}

/// A way out from here on which no step may wait.
fn leaves_at_once(
    context: &FunctionContext<'_, '_, '_>,
    from: NodeId,
    waits: &dyn Fn(NodeId) -> bool,
) -> Option<Span> {
    let graph = context.graph();
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = vec![from];
    let mut found = None;
    while let Some(id) = open.pop() {
        for edge in &graph.node(id).next {
            let node = graph.node(edge.to);
            if let NodeKind::Exit(exit) = node.kind {
                if matches!(exit, Exit::Return | Exit::End) {
                    found.get_or_insert(node.span);
                }
                continue;
            }
            let index = edge.to.0 as usize;
            if !seen[index] && !waits(edge.to) {
                seen[index] = true;
                open.push(edge.to);
            }
        }
    }
    found
}

/// Whether a step may wait, for the goroutine or for anything: a receive, a call that is not known to be
/// quick. A select with a way around the channel does not wait for its sender.
fn may_wait<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    kind: NodeKind<'p, 't>,
    ended: &Ended,
) -> bool {
    let expression_waits = |expression: &'p Expression<'t>| {
        let mut waits = false;
        expression.walk(&mut |it| match &it.kind {
            ExpressionKind::Unary { operator: UnaryOperator::Receive, .. } => waits = true,
            ExpressionKind::Call(call) => waits |= !is_quick(context, &context.callee(call), call),
            _ => {}
        });
        waits
    };
    match kind {
        NodeKind::Communication(statement) => match ended.kind {
            // Only the case that receives from the channel knows that the sender has sent.
            Kind::Channel => context.mentions(ended.variable, statement.span),
            _ => true,
        },
        NodeKind::Select(_) => ended.kind != Kind::Channel,
        NodeKind::Statement(statement) | NodeKind::Tag(statement) => {
            let mut waits = matches!(statement.kind, StatementKind::Send { .. });
            if !matches!(statement.kind, StatementKind::Go(_) | StatementKind::Defer(_)) {
                statement.for_each_expression(&mut |it| waits |= expression_waits(it));
            }
            waits
        }
        NodeKind::Condition(expression) => expression_waits(expression),
        NodeKind::Case(expressions) => expressions.iter().any(expression_waits),
        NodeKind::Range(range) => {
            matches!(context.type_of(&range.operand), Type::Channel(_) | Type::Unknown)
                || expression_waits(&range.operand)
        }
        NodeKind::Entry | NodeKind::Join | NodeKind::Exit(_) => false,
    }
}

/// Whether a call is known to come back at once.
fn is_quick<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    callee: &Callee<'p, 't>,
    call: &'p Call<'t>,
) -> bool {
    if callee.package == "builtin" || matches!(context.type_of(&call.function), Type::Basic(_)) {
        return true;
    }
    if callee.literal.is_some() {
        return false;
    }
    if let Some(entry) = callee.entry {
        return entry.blocks().is_none();
    }
    if let Some(declared) = callee.declared {
        let quick = context.blocking_call(call.parentheses, call).is_none();
        let small = declared.function.body.as_ref().is_some_and(|it| it.statements.len() <= 8);
        return quick && small;
    }
    if matches!(
        callee.package,
        "fmt" | "errors" | "strings" | "strconv" | "time" | "log" | "context"
    ) {
        return callee.name != "Sleep";
    }
    let name = callee.name.to_ascii_lowercase();
    [
        "write", "json", "string", "error", "encode", "header", "status", "log", "info", "warn",
        "debug", "print", "new",
    ]
    .iter()
    .any(|word| name.contains(word))
}
