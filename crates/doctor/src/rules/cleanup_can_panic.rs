use super::Findings;
use crate::{
    context::{Deferred, FunctionContext},
    finding::Finding,
    flow::{Exit, NodeId, NodeKind, nil_fact},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, Statement, StatementKind},
    },
    types::{Definition, Type, UseKind, VariableId},
};

/// A deferred function that may panic itself.
pub(super) static RULE: Rule = Rule {
    code: "cleanup-can-panic",
    summary: "a deferred call can panic itself: on a nil, a second close, an assertion",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/cleanup-can-panic.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    recovered_assertion(context, findings);
    let defers = context.defers();
    for (index, deferred) in defers.iter().enumerate() {
        findings.extend(nil_when_leaving(context, *deferred));
        findings.extend(closed_twice(context, *deferred));
        findings.extend(closed_nil(context, *deferred));
        findings.extend(called_element(context, *deferred));
        findings.extend(send_after_close(context, *deferred, &defers[index + 1..]));
    }
}

/// `r.(error)` of what was recovered: a panic with anything else panics again, inside the cleanup.
fn recovered_assertion(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if !calls_recover_here(context) {
        return;
    }
    let (mut asserted, mut tested) = (Vec::new(), false);
    context.body().walk(&mut |statement| {
        let with_ok = |it: &Statement<'_>| {
            matches!(&it.kind, StatementKind::Assign(assign) if assign.left.len() == 2 && assign.right.len() == 1)
        };
        match &statement.kind {
            StatementKind::Switch(it) if it.is_type_switch => tested = true,
            _ if with_ok(statement) => {
                statement.for_each_expression(&mut |it| {
                    tested |= matches!(it.bare().kind, ExpressionKind::TypeAssertion { .. });
                });
            }
            _ => statement.for_each_expression(&mut |it| {
                it.walk(&mut |it| {
                    if let ExpressionKind::TypeAssertion { operand, ty: Some(ty) } = &it.kind
                        && is_recovered(context, operand)
                    {
                        asserted.push((it.span, ty.span));
                    }
                });
            }),
        }
    });
    // What was tested and thrown again is thrown on purpose, and so is what is not the package's own.
    if tested || fails_a_test(context) {
        return;
    }
    if let Some((span, ty)) = asserted.first() {
        let ty = context.text(*ty);
        let own = context.package.ty(ty.trim_start_matches('*')).is_some();
        let sure = if own || context.is_test() { Confidence::Low } else { Confidence::Medium };
        let message = format!("a panic with anything but {ty} panics again here, in the cleanup");
        findings.push(Finding::new(&RULE, *span, message).confidence(sure).help(
            "ask with `, ok`, and make an error of anything else with fmt.Errorf(\"%v\", …)",
        ));
    }
}

/// Whether it is a check of a test, which is to fail.
fn fails_a_test(context: &FunctionContext<'_, '_, '_>) -> bool {
    context.calls().into_iter().any(|(_, call)| context.callee(call).package == "testing")
}

fn calls_recover_here(context: &FunctionContext<'_, '_, '_>) -> bool {
    crate::context::calls_recover(context.body())
}

fn is_recovered<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    operand: &'p Expression<'t>,
) -> bool {
    let recovers = |it: &Expression<'_>| {
        it.as_call().is_some_and(|call| call.function.as_name() == Some("recover"))
    };
    if recovers(operand) {
        return true;
    }
    let Some(id) = context.variable(operand) else { return false };
    match context.inference.resolution.variable(id).definition {
        Definition::Value { expression, .. } => recovers(expression),
        _ => false,
    }
}

/// A variable that is nil until later, which the deferred function uses without asking: on a way out before
/// it gets its value, the cleanup panics.
fn nil_when_leaving<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    let literal = deferred.literal()?;
    let place = deferred.statement.span;
    let graph = context.graph();
    let from = graph.at(place)?;
    let mut tried = Vec::new();
    for used in unguarded(context, &literal.body) {
        let (id, span) = used;
        if tried.contains(&id) {
            continue;
        }
        tried.push(id);
        let variable = context.inference.resolution.variable(id);
        if variable.function != context.mark() || !starts_nil(context, id) {
            continue;
        }
        let writes: Vec<NodeId> = variable
            .uses
            .iter()
            .filter(|it| it.kind != UseKind::Read && it.function == context.mark())
            .filter_map(|it| graph.at(it.span))
            .collect();
        // Set before the defer on some way: most likely on all.
        if writes.iter().any(|write| graph.reaches(*write, from, &|_| false)) || writes.is_empty() {
            continue;
        }
        let exit = exit_without(context, from, &writes)
            .or_else(|| exit_with_error(context, id, from, &writes));
        let Some(exit) = exit else { continue };
        let name = variable.name;
        let line = context.line(exit);
        let message = format!(
            "{name} is still nil when {} leaves in line {line}: the cleanup panics",
            context.name()
        );
        return Some(
            Finding::new(&RULE, span, message)
                .help(format!("ask whether {name} is nil, or defer after it has its value"))
                .related(exit, format!("{name} is nil on this way out")),
        );
    }
    None
}

/// The variables that a deferred body uses so that a nil panics, before anything decides: a method or a field
/// of it, a call of it, an element of a map that is set.
fn unguarded<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    body: &'p Block<'t>,
) -> Vec<(VariableId, Span)> {
    let mut found = Vec::new();
    for statement in &body.statements {
        let mut look = |expression: &'p Expression<'t>| {
            expression.walk(&mut |inner| match &inner.kind {
                ExpressionKind::Call(call) => {
                    let operand = match call.function.as_selector() {
                        Some((operand, _)) => operand,
                        None => &call.function,
                    };
                    if let Some(id) = context.variable(operand)
                        && (panics_on_nil(context, id) || needs_receiver(context, call))
                    {
                        found.push((id, inner.span));
                    }
                }
                ExpressionKind::Selector { operand, .. } => {
                    // A field: `resp.Body`.
                    if let Some(id) = context.variable(operand)
                        && matches!(context.type_of(operand), Type::Pointer(_))
                        && !matches!(context.type_of(inner), Type::Function(_) | Type::Unknown)
                        && is_struct_pointer(context, id)
                    {
                        found.push((id, inner.span));
                    }
                }
                _ => {}
            });
        };
        match &statement.kind {
            StatementKind::Expression(expression) => look(expression),
            StatementKind::Assign(assign) => assign.right.iter().for_each(look),
            StatementKind::If(it) => {
                if let Some(StatementKind::Assign(assign)) = it.init.as_ref().map(|it| &it.kind) {
                    assign.right.iter().for_each(look);
                }
                // From here on something may have been asked.
                break;
            }
            _ => break,
        }
    }
    found
}

/// Whether it is a pointer of which a field is read: that panics, whatever its methods do.
fn is_struct_pointer(context: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    let ty = &context.inference.resolution.variable(id).ty;
    let Type::Pointer(inner) = ty else { return false };
    match &**inner {
        Type::Named { package: "", name } => context.package.fields_of(name).is_some(),
        _ => panics_on_nil(context, id),
    }
}

/// Whether a use of a nil of this kind panics. The Close of an `*os.File` gives an error, and methods of the
/// package may ask.
fn panics_on_nil(context: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    let ty = &context.inference.resolution.variable(id).ty;
    match ty {
        Type::Function(_) => true,
        Type::Pointer(inner) => match &**inner {
            Type::Named { package: "os", name: "File" } => false,
            Type::Named { package: "time", name: "Timer" | "Ticker" } => true,
            Type::Named { package: "", name } => context.package.fields_of(name).is_none(),
            Type::Named { package, .. } => crate::types::table::knows(package),
            _ => false,
        },
        Type::Named { package: "", name } => context.package.interface_of(name).is_some(),
        Type::Named { package: "context", name: "CancelFunc" | "CancelCauseFunc" } => true,
        Type::Named { package: "net", name: "Conn" | "Listener" | "PacketConn" } => true,
        Type::Named { package: "io", name } => name.ends_with("Closer"),
        _ => false,
    }
}

/// Whether a method of the package looks into its pointer receiver at once, and does not ask whether it is nil.
fn needs_receiver<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let Some(declared) = context.callee(call).declared else { return false };
    let Some(receiver) = declared.function.receiver.as_ref() else { return false };
    let (Some(name), Some(body)) = (receiver.names.first(), declared.function.body.as_ref()) else {
        return false;
    };
    let Some(first) = body.statements.first() else { return false };
    let mut looks = false;
    let asks = matches!(first.kind, StatementKind::If(_));
    first.walk_expressions(&mut |it| {
        looks |= it.as_selector().is_some_and(|(operand, _)| operand.as_name() == Some(name.name));
    });
    matches!(receiver.ty.kind, ExpressionKind::Star(_)) && looks && !asks
}

fn starts_nil(context: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    match context.inference.resolution.variable(id).definition {
        Definition::Zero | Definition::Result => true,
        Definition::Value { expression, .. } => expression.is_nil(),
        _ => false,
    }
}

/// A return, or a panic that is written, on a way that passes none of these steps.
fn exit_without(
    context: &FunctionContext<'_, '_, '_>,
    from: NodeId,
    writes: &[NodeId],
) -> Option<Span> {
    let graph = context.graph();
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for edge in &graph.node(id).next {
            let node = graph.node(edge.to);
            if let NodeKind::Exit(Exit::Return | Exit::End | Exit::Panic) = node.kind {
                return Some(node.span);
            }
            let index = edge.to.0 as usize;
            if !seen[index] && !writes.contains(&edge.to) {
                seen[index] = true;
                open.push(edge.to);
            }
        }
    }
    None
}

/// A way out where the call that was to give the variable its value has failed.
fn exit_with_error(
    context: &FunctionContext<'_, '_, '_>,
    id: VariableId,
    from: NodeId,
    writes: &[NodeId],
) -> Option<Span> {
    let graph = context.graph();
    context.assignments(id).into_iter().find_map(|(statement, value)| {
        value?.as_call()?;
        let StatementKind::Assign(assign) = &statement.kind else { return None };
        let last = assign.left.last()?;
        let error = context.inference.resolution.at(last.bare().span)?;
        let opened = graph.at(statement.span)?;
        let is_error = context.inference.resolution.variable(error).ty.is_error();
        if error == id || !is_error || !graph.reaches(from, opened, &|_| false) {
            return None;
        }
        // The check that follows on it.
        let checks = graph.node(opened).next.first()?;
        let failed = graph.node(checks.to).next.iter().find(|edge| {
            edge.when.and_then(|fact| nil_fact(context, fact)) == Some((error, false))
        })?;
        match graph.node(failed.to).kind {
            NodeKind::Exit(_) => Some(graph.node(failed.to).span),
            _ => exit_without(context, failed.to, writes),
        }
    })
}

/// The channel that a call of `close` closes.
fn closed(call: &crate::syntax::ast::Call<'_>) -> Option<String> {
    match (call.function.as_name(), &call.arguments[..]) {
        (Some("close"), [channel]) => channel.as_path(),
        _ => None,
    }
}

/// `defer close(c)`, and a `close(c)` in the function before it ends.
fn closed_twice<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    let it =
        deferred.calls().into_iter().find(|it| !it.conditional && closed(it.call).is_some())?;
    let path = closed(it.call)?;
    let graph = context.graph();
    let from = graph.at(deferred.statement.span)?;
    let mut other = None;
    context.body().walk(&mut |statement| {
        if let StatementKind::Expression(expression) = &statement.kind
            && let Some(call) = expression.as_call()
            && closed(call).as_deref() == Some(&path)
        {
            other.get_or_insert(statement.span);
        }
    });
    let other = other?;
    let to = graph.at(other)?;
    if !graph.reaches(from, to, &|_| false) || is_written(context, &path) {
        return None;
    }
    let message = format!(
        "{path} is closed in line {} already when this runs: the second close panics",
        context.line(other)
    );
    Some(
        Finding::new(&RULE, it.span, message)
            .confidence(Confidence::High)
            .help("close it in one place")
            .related(other, "closed here"),
    )
}

fn is_written(context: &FunctionContext<'_, '_, '_>, path: &str) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        if let StatementKind::Assign(assign) = &statement.kind {
            let defines = assign.operator == crate::syntax::ast::AssignOperator::Define;
            found |= !defines && assign.left.iter().any(|it| it.as_path().as_deref() == Some(path));
        }
    });
    found
}

/// `hooks[key]()` of a map, where the key may be none of it: what is called is nil.
fn called_element<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    let found = deferred.calls().into_iter().find_map(|it| {
        let ExpressionKind::Index { operand, .. } = &it.call.function.bare().kind else {
            return None;
        };
        let of_map = matches!(context.type_of(operand), Type::Map(_));
        (of_map && !it.conditional).then_some((operand, it))
    });
    let (map, it) = found?;
    let path = map.as_path()?;
    // Set here, or asked for here.
    let mut elsewhere = false;
    context.body().walk_expressions(&mut |expression| {
        if let ExpressionKind::Index { operand, .. } = &expression.kind
            && expression.span != it.call.function.span
        {
            elsewhere |= operand.as_path().as_deref() == Some(&path);
        }
    });
    let message = format!("{path} may have no such element, and calling it panics in the cleanup");
    (!elsewhere).then(|| {
        Finding::new(&RULE, it.span, message).help(format!("ask with `, ok` whether {path} has it"))
    })
}

/// `var c chan T` and `defer close(c)` before `c` is made.
fn closed_nil<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    if !context.callee(deferred.call).is_builtin("close") {
        return None;
    }
    let id = context.variable(deferred.call.arguments.first()?)?;
    let variable = context.inference.resolution.variable(id);
    let place = deferred.statement.span;
    let set = variable.uses.iter().any(|it| it.kind != UseKind::Read && it.span.end <= place.start);
    let nil = matches!(variable.definition, Definition::Zero) || starts_nil(context, id);
    if !nil || set || variable.function != context.mark() {
        return None;
    }
    let message =
        format!("{} is nil here, and the defer has that nil: its close panics", variable.name);
    Some(
        Finding::new(&RULE, place, message)
            .confidence(Confidence::High)
            .help("make the channel first, or close it in a function literal"),
    )
}

/// A deferred send on a channel that a later, and so earlier running, defer closes.
fn send_after_close<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    later: &[Deferred<'p, 't>],
) -> Option<Finding> {
    let literal = deferred.literal()?;
    let mut sent = None;
    literal.body.walk(&mut |statement| {
        if let StatementKind::Send { channel, .. } = &statement.kind {
            sent = channel.as_path().map(|path| (path, statement.span));
        }
    });
    let (path, span) = sent?;
    let closing = later.iter().find(|it| {
        it.calls().iter().any(|it| !it.conditional && closed(it.call).as_deref() == Some(&path))
    })?;
    let graph = context.graph();
    let (from, to) = (graph.at(deferred.statement.span)?, graph.at(closing.statement.span)?);
    if !graph.reaches(from, to, &|_| false) {
        return None;
    }
    let message = format!("{path} is closed before this send: the last defer runs first");
    Some(
        Finding::new(&RULE, span, message)
            .confidence(Confidence::High)
            .help("defer the close first, so that it runs last")
            .related(closing.statement.span, "closed by this defer"),
    )
}
