use super::{Findings, mend};
use crate::{
    context::{Deferred, FunctionContext, is_release},
    finding::{Finding, Safety},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Call, Expression, ExpressionKind, StatementKind},
    },
    types::{Callee, Definition, Type, UseKind, VariableId},
};

/// What a deferred call is given is read at the `defer`, before it has the value that matters.
pub(super) static RULE: Rule = Rule {
    code: "defer-argument-early",
    summary: "an argument of a deferred call is read at the defer, before it has its last value",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/defer-argument-early.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let StatementKind::Defer(expression) = &deferred.statement.kind else { continue };
        let found = elapsed(context, expression)
            .or_else(|| changed(context, deferred, expression))
            .or_else(|| not_yet_set(context, deferred))
            .or_else(|| copied(context, deferred));
        let Some(Early { span, message, confidence, safety }) = found else { continue };
        let mut finding = Finding::new(&RULE, span, message)
            .confidence(confidence)
            .help("defer a function literal that makes the call: it reads when it runs");
        if let Some(edits) = mend::wrap(context, deferred) {
            finding = finding.fix(mend::fix("wrap the call in a function", safety, edits));
        }
        findings.push(finding);
    }
}

/// Something that is read too early.
struct Early {
    span: Span,
    message: String,
    confidence: Confidence,
    safety: Safety,
}

/// A time that is measured at the `defer`: `time.Since(start)`, `time.Now().Sub(start)`, `elapsed(start)` of
/// the package; and the error of something that has not run yet: `ctx.Err()`, `rows.Err()`.
fn elapsed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    expression: &'p Expression<'t>,
) -> Option<Early> {
    let mut found = None;
    // The deferred call itself is not an argument.
    expression.bare().for_each_child(&mut |child| {
        child.walk(&mut |inner| {
            let Some(call) = inner.as_call().filter(|_| found.is_none()) else { return };
            let text = context.text(inner.span);
            if is_elapsed(context, call) || calls_elapsed(context, call) {
                let message = format!("{text} is measured at the defer, and is next to nothing: it is not the time that {} takes", context.name());
                found = Some(Early { span: inner.span, message, confidence: Confidence::High, safety: Safety::Safe });
            } else if is_error_of(context, call) {
                let message = format!("{text} is asked at the defer, not when {} ends", context.name());
                found = Some(Early { span: inner.span, message, confidence: Confidence::Medium, safety: Safety::Unsafe });
            }
        });
    });
    found
}

fn is_elapsed<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let callee = context.callee(call);
    if callee.is("time", "Since") {
        return true;
    }
    let Some((operand, "Sub")) = call.function.as_selector() else { return false };
    operand.as_call().is_some_and(|now| context.callee(now).is("time", "Now"))
}

/// Whether a function of the package gives back the time since its argument.
fn calls_elapsed<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let Some(declared) = context.callee(call).declared else { return false };
    let Some(body) = declared.function.body.as_ref().filter(|body| body.statements.len() <= 2)
    else {
        return false;
    };
    if declared.function.signature.results.is_empty() {
        return false;
    }
    let there = context.of(declared);
    let mut found = false;
    body.walk_expressions(&mut |expression| {
        found |= expression.as_call().is_some_and(|call| is_elapsed(&there, call));
    });
    found
}

fn is_error_of<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let Some((operand, "Err")) = call.function.as_selector() else { return false };
    call.arguments.is_empty() && context.variable(operand).is_some()
}

/// A variable that gets another value after the `defer`.
fn changed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    expression: &'p Expression<'t>,
) -> Option<Early> {
    let callee = context.callee(deferred.call);
    // What is released was chosen at the defer; an error that it is told was not.
    let reports = reports(&callee) && (!is_release(&callee) || is_wait_group(&callee));
    let mut found = None;
    expression.bare().for_each_child(&mut |child| {
        // The name of a package, a function or a receiver that the method is called on by pointer.
        let is_function = child.span == deferred.call.function.span;
        let mut look = |inner: &'p Expression<'t>| {
            if found.is_none() {
                found = late_write(context, deferred, inner, reports);
            }
        };
        if is_function {
            chained_arguments(child, &mut look);
        } else {
            by_value(child, &mut look);
        }
    });
    found
}

/// Whether what is written behind the `defer` can be there in a later turn of a loop.
fn later_writes_reach(
    context: &FunctionContext<'_, '_, '_>,
    deferred: Deferred<'_, '_>,
    id: VariableId,
) -> bool {
    let graph = context.graph();
    let Some(to) = graph.at(deferred.statement.span) else { return false };
    let writes = context.inference.resolution.variable(id).uses.iter();
    writes
        .filter(|it| it.kind != UseKind::Read)
        .any(|it| graph.at(it.span).is_some_and(|from| graph.reaches(from, to, &|_| false)))
}

/// A variable that has no value yet at the `defer`, and gets its first later: `defer os.RemoveAll(dir)` before
/// `dir` is made. Nothing is gained by the zero value.
fn not_yet_set<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Early> {
    let place = deferred.statement.span;
    // Of a channel that is closed while it is nil, `cleanup-can-panic` says more.
    if context.callee(deferred.call).is_builtin("close") {
        return None;
    }
    let receiver = deferred.call.function.as_selector().map(|(operand, _)| operand);
    let called = receiver.unwrap_or(&deferred.call.function);
    std::iter::once(called).chain(&deferred.call.arguments).find_map(|read| {
        let id = context.variable(read)?;
        let variable = context.inference.resolution.variable(id);
        let zero = match variable.definition {
            Definition::Zero => true,
            Definition::Value { expression, .. } => expression.is_nil(),
            _ => false,
        };
        let set = |it: &&crate::types::Use| it.kind != UseKind::Read && it.span.end <= place.start;
        let useless = match &variable.ty {
            Type::Pointer(_) | Type::Function(_) => true,
            Type::Basic(_) | Type::List(_) | Type::Map(_) => !std::ptr::eq(read, called),
            Type::Named { package: "context", .. } => true,
            Type::Named { package: "net", name } => matches!(*name, "Conn" | "Listener"),
            Type::Named { package: "io", name } => name.ends_with("Closer"),
            _ => false,
        };
        let first = variable.uses.iter().any(|it| set(&it));
        let again = later_writes_reach(context, deferred, id);
        if !zero || first || again || !useless || variable.function != context.mark() {
            return None;
        }
        let (written, _) = later_write(context, deferred, id)?;
        let (name, line) = (variable.name, context.line(written));
        let message = format!(
            "{name} has no value yet at the defer, it gets one in line {line}: the deferred call has the zero value"
        );
        let confidence = Confidence::High;
        Some(Early { span: read.span, message, confidence, safety: Safety::Unsafe })
    })
}

/// The arguments of the calls that a method chain is made of: `log.With("n", n).Info`.
fn chained_arguments<'p, 't>(
    function: &'p Expression<'t>,
    visit: &mut dyn FnMut(&'p Expression<'t>),
) {
    match &function.bare().kind {
        ExpressionKind::Selector { operand, .. } => chained_arguments(operand, visit),
        ExpressionKind::Call(call) => {
            chained_arguments(&call.function, visit);
            call.arguments.iter().for_each(|argument| by_value(argument, visit));
        }
        _ => {}
    }
}

/// What of an argument is read at once: all but what is behind an address or in a function.
fn by_value<'p, 't>(expression: &'p Expression<'t>, visit: &mut dyn FnMut(&'p Expression<'t>)) {
    visit(expression);
    match &expression.kind {
        ExpressionKind::Unary { operator: crate::syntax::ast::UnaryOperator::Address, .. }
        | ExpressionKind::Function(_) => {}
        // What is behind a pointer is read through it; which one it is seldom matters. An error does.
        ExpressionKind::Selector { operand, name }
            if operand.as_name().is_some() && name.name != "Error" => {}
        _ => expression.for_each_child(&mut |child| by_value(child, visit)),
    }
}

fn late_write<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    read: &'p Expression<'t>,
    reports: bool,
) -> Option<Early> {
    let place = deferred.statement.span;
    if read.as_selector().is_some() && reports {
        let path = read.as_path()?;
        context.inference.resolution.root(read)?;
        let written = field_write(context, place, &|it| it == path)?;
        let line = context.line(written);
        let message = format!(
            "{path} is read at the defer, and changed later, in line {line}: the deferred call has the old value"
        );
        return Some(Early {
            span: read.span,
            message,
            confidence: Confidence::Medium,
            safety: Safety::Unsafe,
        });
    }
    let id = context.variable(read)?;
    let variable = context.inference.resolution.variable(id);
    if variable.function != context.mark() || !place.contains(read.span) {
        return None;
    }
    // A context is handed down, not reported.
    if variable.ty.is_named("context", "Context") || matches!(variable.name, "ctx" | "t" | "b") {
        return None;
    }
    let is_error = variable.ty.is_error();
    if !is_error && !reports || context.is_asked(id, place) {
        return None;
    }
    let name = variable.name;
    let is_struct = matches!(&variable.ty, Type::Named { package: "", name } if context.package.fields_of(name).is_some());
    let field = || {
        let prefix = format!("{name}.");
        is_struct.then(|| field_write(context, place, &|path| path.starts_with(&prefix))).flatten()
    };
    let written = later_write(context, deferred, id);
    let (written, sure) = written.or_else(|| field().map(|written| (written, false)))?;
    let line = context.line(written);
    let message = format!(
        "{name} is read at the defer, and gets its value later, in line {line}: the deferred call never sees it"
    );
    let sure = if sure { Confidence::High } else { Confidence::Medium };
    Some(Early { span: read.span, message, confidence: sure, safety: Safety::Unsafe })
}

/// Where the variable gets another value after the `defer`, and whether every later `return` gives it one.
fn later_write<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    id: VariableId,
) -> Option<(Span, bool)> {
    let place = deferred.statement.span;
    let variable = context.inference.resolution.variable(id);
    if matches!(variable.definition, Definition::Range(_)) {
        return None;
    }
    let graph = context.graph();
    let from = graph.at(place)?;
    let mut found = None;
    if matches!(variable.definition, Definition::Result) {
        context.body().walk(&mut |statement| {
            if let StatementKind::Return(values) = &statement.kind
                && !values.is_empty()
                && statement.span.start > place.end
                && !values.iter().any(|value| context.variable(value) == Some(id))
                && !values.iter().all(|value| value.is_nil() || is_constant(value))
            {
                found.get_or_insert((statement.span, true));
            }
        });
    }
    let mut post = false;
    context.body().walk(&mut |statement| {
        if let StatementKind::For(it) = &statement.kind {
            post |= it.post.as_ref().is_some_and(|post| context.writes(post, id));
        }
    });
    if post {
        return None;
    }
    let writes = variable.uses.iter().filter(|it| it.kind == UseKind::Write);
    for written in writes.filter(|it| it.span.start > place.end) {
        let here = written.function == context.mark();
        let reached =
            here && graph.at(written.span).is_some_and(|to| graph.reaches(from, to, &|_| false));
        if (reached || !here) && found.is_none() {
            found = Some((written.span, false));
        }
    }
    found
}

fn is_constant(value: &Expression<'_>) -> bool {
    matches!(value.bare().kind, ExpressionKind::Literal(_) | ExpressionKind::Composite { .. })
        || matches!(value.as_name(), Some("true" | "false"))
}

/// Where a field is assigned to after a place, in this function.
fn field_write(
    context: &FunctionContext<'_, '_, '_>,
    after: Span,
    wanted: &dyn Fn(&str) -> bool,
) -> Option<Span> {
    let is_it = |expression: &Expression<'_>| {
        expression.as_selector().is_some() && expression.as_path().is_some_and(|path| wanted(&path))
    };
    let mut found = None;
    context.body().walk(&mut |statement| {
        if found.is_some() || statement.span.start < after.end {
            return;
        }
        let written = match &statement.kind {
            StatementKind::Assign(assign) => assign.left.iter().any(is_it),
            StatementKind::IncrementDecrement { operand, .. } => is_it(operand),
            _ => false,
        };
        if written {
            found = Some(statement.span);
        }
    });
    let graph = context.graph();
    let (from, to) = (graph.at(after)?, graph.at(found?)?);
    found.filter(|_| graph.reaches(from, to, &|_| false))
}

fn is_wait_group(callee: &Callee<'_, '_>) -> bool {
    callee.is_method("sync", "WaitGroup", "Add")
}

/// What tells somebody of values: logs, metrics, spans, responses.
fn reports(callee: &Callee<'_, '_>) -> bool {
    const WORDS: [&str; 28] = [
        "log",
        "print",
        "debug",
        "info",
        "warn",
        "error",
        "trace",
        "observe",
        "record",
        "report",
        "metric",
        "track",
        "timing",
        "count",
        "gauge",
        "histogram",
        "incr",
        "audit",
        "notify",
        "setstatus",
        "setattributes",
        "setattribute",
        "settag",
        "writeheader",
        "encode",
        "json",
        "emit",
        "publish",
    ];
    if callee.entry.is_some_and(|entry| entry.word("logs").is_some()) || is_wait_group(callee) {
        return true;
    }
    if callee.literal.is_some() {
        return false;
    }
    let name = callee.name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.starts_with(word) || name.ends_with(word))
        || matches!(callee.name, "Add" | "Set" | "Inc") && callee.receiver.is_some()
}

/// A receiver that is copied at the `defer`: a method with a value receiver, on a struct whose fields change
/// later.
fn copied<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Early> {
    let (operand, name) = deferred.call.function.as_selector()?;
    let declared = context.callee(deferred.call).declared?;
    let receiver = declared.function.receiver.as_ref()?;
    if matches!(receiver.ty.kind, ExpressionKind::Star(_)) || receiver.names.is_empty() {
        return None;
    }
    let ExpressionKind::Identifier(owner) = receiver.ty.bare().kind else { return None };
    context.package.fields_of(owner)?;
    let id = context.variable(operand)?;
    if !matches!(context.type_of(operand).pointee(), Type::Named { package: "", .. }) {
        return None;
    }
    let variable = context.inference.resolution.variable(id);
    let read = read_fields(declared.function.body.as_ref()?, receiver.names[0].name);
    let path = read.into_iter().find_map(|field| {
        let path = format!("{}.{field}", variable.name);
        field_write(context, deferred.statement.span, &|it| it == path).map(|span| (path, span))
    });
    let (path, written) = path?;
    let line = context.line(written);
    let message = format!(
        "{name} has a copy of {} from the defer on: it does not see {path} of line {line}",
        variable.name
    );
    Some(Early {
        span: operand.span,
        message,
        confidence: Confidence::Medium,
        safety: Safety::Unsafe,
    })
}

/// The fields of a receiver that a body reads.
fn read_fields<'t>(body: &crate::syntax::ast::Block<'t>, receiver: &str) -> Vec<&'t str> {
    let mut fields = Vec::new();
    body.walk_all_expressions(&mut |expression| {
        if let Some((operand, field)) = expression.as_selector()
            && operand.as_name() == Some(receiver)
        {
            fields.push(field);
        }
    });
    fields
}
