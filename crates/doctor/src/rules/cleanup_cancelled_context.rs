use super::Findings;
use crate::{
    context::{Deferred, FunctionContext, is_release},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{
            BinaryOperator, Call, Expression, ExpressionKind, Statement, StatementKind,
            UnaryOperator,
        },
    },
    types::{Callee, Definition, VariableId},
};

/// Cleanup that asks for time with a context which has none left.
pub(super) static RULE: Rule = Rule {
    code: "cleanup-cancelled-context",
    summary: "cleanup is given a context that is cancelled, or may be, when it runs",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/cleanup-cancelled-context.md"),
};

const HELP: &str =
    "use context.WithoutCancel(ctx), or context.Background(), with a timeout of its own";

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let defers = context.defers();
    for (index, deferred) in defers.iter().enumerate() {
        let found = cancelled_first(context, *deferred, &defers[index + 1..])
            .or_else(|| ended_meanwhile(context, *deferred))
            .or_else(|| callers_context(context, *deferred));
        findings.extend(found);
    }
    if !context.is_test() {
        after_done(context, findings);
    }
}

/// The context variables that a deferred call is given, with the call.
fn given<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Vec<(VariableId, &'p Call<'t>, Span)> {
    let calls = deferred.calls();
    let given = calls.iter().filter_map(|it| {
        let id = context_argument(context, it.call)?;
        works(&context.callee(it.call)).then_some((id, it.call, it.span))
    });
    given.collect()
}

/// The variable that a call has as its context.
fn context_argument<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
) -> Option<VariableId> {
    let first = call.arguments.first()?;
    let id = context.variable(first)?;
    let variable = context.inference.resolution.variable(id);
    let is_context = variable.ty.is_named("context", "Context")
        || variable.ty.is_unknown() && matches!(variable.name, "ctx");
    is_context.then_some(id)
}

/// Whether a call does something that a cancelled context stops: not a log, not a question about the context,
/// not one that makes a context of it.
fn works(callee: &Callee<'_, '_>) -> bool {
    let logs = callee.entry.is_some_and(|entry| entry.word("logs").is_some());
    let name = callee.name.to_ascii_lowercase();
    let says = [
        "log", "print", "debug", "info", "warn", "error", "trace", "record", "observe", "span",
        "audit",
    ]
    .iter()
    .any(|word| name.starts_with(word) || name.ends_with(word));
    !logs && !says && callee.package != "context" && !name.is_empty()
}

/// A deferred call that runs after the `cancel` of its own context, which was deferred after it.
fn cancelled_first<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    later: &[Deferred<'p, 't>],
) -> Option<Finding> {
    let graph = context.graph();
    let from = graph.at(deferred.statement.span)?;
    for (id, call, span) in given(context, deferred) {
        let variable = context.inference.resolution.variable(id);
        let cancel = later.iter().find(|it| {
            let made = cancels(context, **it).and_then(|cancel| context.cancelled_by(cancel));
            made.is_some_and(|(made, statement)| {
                made == id && statement.span.end <= deferred.statement.span.start
            })
        });
        let Some(cancel) = cancel else { continue };
        let reached =
            graph.at(cancel.statement.span).is_some_and(|to| graph.reaches(from, to, &|_| false));
        if !reached {
            continue;
        }
        let (name, what) = (variable.name, context.text(call.function.span));
        let message = format!(
            "{name} is cancelled before {what} runs: the defer of line {} runs first",
            context.line(cancel.statement.span)
        );
        return Some(
            Finding::new(&RULE, span, message)
                .confidence(Confidence::High)
                .help("defer the cancel right after the context is made, so that it runs last")
                .related(cancel.statement.span, "the last defer runs first"),
        );
    }
    None
}

/// The cancel function that a defer calls.
fn cancels<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<VariableId> {
    deferred.calls().iter().find_map(|it| context.variable(&it.call.function))
}

/// A deferred call whose context the function waits to end before it returns.
fn ended_meanwhile<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    let (id, call, span) =
        given(context, deferred).into_iter().find(|(_, call, _)| stops(&context.callee(call)))?;
    let place = deferred.statement.span;
    let wait = context
        .body()
        .statements
        .iter()
        .find(|it| it.span.start > place.end && waits_for_done(context, it) == Some(id))?;
    let name = context.inference.resolution.variable(id).name;
    let what = context.text(call.function.span);
    let message = format!(
        "{name} has ended when {what} runs: the function waits for that in line {}",
        context.line(wait.span)
    );
    Some(Finding::new(&RULE, span, message).help(HELP).related(wait.span, "waits for the end"))
}

/// Cleanup that runs when the function ends, under the context of its caller: of a request that was given up,
/// say. Only of what is left behind then: a lock, a row, an object.
fn callers_context<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    if context.is_test() || context.is_main() {
        return None;
    }
    if let Some(finding) = requests_context(context, deferred) {
        return Some(finding);
    }
    for (id, call, span) in given(context, deferred) {
        let variable = context.inference.resolution.variable(id);
        let request = match variable.definition {
            Definition::Value { expression, .. } => {
                context.text(expression.span).ends_with(".Context()")
                    && expression.as_call().is_some()
            }
            Definition::Parameter => true,
            _ => false,
        };
        let callee = context.callee(call);
        let undoes = leaves_behind(&callee) || takes_back_rows(context, &callee, call);
        if !request || !undoes || is_asked_of(context, id, span) {
            continue;
        }
        let blocks = callee.entry.is_some_and(|entry| entry.blocks().is_some());
        let served = context.is_handler()
            || context.is_rpc()
            || matches!(variable.definition, Definition::Value { .. });
        let (name, what) = (variable.name, context.text(call.function.span));
        let message = format!(
            "when {name} is cancelled, {what} of this defer does nothing: it runs under the context that ended"
        );
        // A rollback of a connection that is closed with its context is done by the server.
        let left =
            callee.receiver.is_some() && stays(callee.name) && !keeps_going(context, &callee);
        let sure = if callee.name.contains("Rollback")
            || !(blocks || served || left)
            || only_on_success(context, deferred)
        {
            Confidence::Low
        } else {
            Confidence::Medium
        };
        return Some(Finding::new(&RULE, span, message).confidence(sure).help(HELP));
    }
    None
}

/// The same with `r.Context()` as it is.
fn requests_context<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    deferred.calls().iter().find_map(|it| {
        let first = it.call.arguments.first()?;
        let (operand, name) = first.as_call()?.function.as_selector()?;
        let is_request = context.type_of(operand).is_or_points_to("net/http", "Request");
        let callee = context.callee(it.call);
        let left = works(&callee) && leaves_behind(&callee) && !callee.name.contains("Rollback");
        (is_request && name == "Context" && left).then(|| {
            let (request, what) = (context.text(first.span), context.text(it.call.function.span));
            let message = format!("when {request} is cancelled, {what} of this defer does nothing: it runs under the context that ended");
            Finding::new(&RULE, it.span, message).help(HELP)
        })
    })
}

/// Whether what a call undoes stays when it is not done.
fn leaves_behind(callee: &Callee<'_, '_>) -> bool {
    const WORDS: [&str; 14] = [
        "unlock",
        "release",
        "rollback",
        "delete",
        "del",
        "remove",
        "abort",
        "terminate",
        "cleanup",
        "revoke",
        "deregister",
        "destroy",
        "hdel",
        "unregister",
    ];
    let name = callee.name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.starts_with(word))
}

/// Names of what a store or a service keeps until it is told.
fn stays(name: &str) -> bool {
    ["Unlock", "Release", "Abort", "Delete", "Remove", "Revoke", "Deregister"]
        .iter()
        .any(|word| name.starts_with(word))
}

/// Whether a function of the package makes a context of its own.
fn keeps_going(context: &FunctionContext<'_, '_, '_>, callee: &Callee<'_, '_>) -> bool {
    callee
        .declared
        .and_then(|declared| {
            let body = declared.function.body.as_ref()?;
            let text = body.span.of(declared.file.text);
            Some(
                text.contains("WithoutCancel")
                    || text.contains("context.Background()")
                    || !text.contains("ctx"),
            )
        })
        .unwrap_or(false)
        || context.is_test()
}

/// Whether the literal does it when nothing went wrong: then the context has most likely not ended.
fn only_on_success(context: &FunctionContext<'_, '_, '_>, deferred: Deferred<'_, '_>) -> bool {
    let Some(literal) = deferred.literal() else { return false };
    match literal.body.statements.first().map(|it| &it.kind) {
        Some(StatementKind::If(it)) => context.text(it.condition.span).contains("== nil"),
        _ => false,
    }
}

/// Whether a statement of SQL that is written there takes back what another one did.
fn takes_back_rows(
    context: &FunctionContext<'_, '_, '_>,
    callee: &Callee<'_, '_>,
    call: &Call<'_>,
) -> bool {
    let text = context.text(call.parentheses).to_ascii_lowercase();
    callee.name.starts_with("Exec")
        && ["delete from", "unlock", "released", "set locked", "locked_by = null", "locked_by=null"]
            .iter()
            .any(|words| text.contains(words))
}

/// Whether the literal asks about the context itself before.
fn is_asked_of(context: &FunctionContext<'_, '_, '_>, id: VariableId, span: Span) -> bool {
    let uses = &context.inference.resolution.variable(id).uses;
    uses.iter().any(|it| {
        let after = context.file.text.get(it.span.end as usize..).unwrap_or_default();
        it.span.end <= span.start && span.start - it.span.end < 200 && after.starts_with(".Err()")
    })
}

/// Cleanup after `<-ctx.Done()` that is given the same context.
fn after_done<'p, 't>(context: &FunctionContext<'_, 'p, 't>, findings: &mut Findings) {
    context.body().walk(&mut |statement| {
        if let StatementKind::Select(it) = &statement.kind {
            for case in &it.cases {
                let done = case.communication.as_ref().and_then(|it| waits_for_done(context, it));
                if let Some(id) = done {
                    used_after(context, id, &case.statements, findings);
                }
            }
        }
        if let StatementKind::If(it) = &statement.kind
            && let Some(id) = has_ended(context, &it.condition)
        {
            used_after(context, id, &it.then.statements, findings);
        }
        if let StatementKind::If(it) = &statement.kind
            && let Some(id) = it.init.as_ref().and_then(|it| group_waited_for(context, it))
        {
            used_after(context, id, &it.then.statements, findings);
        }
        let cancelled = match &statement.kind {
            StatementKind::Expression(expression) => {
                let cancel = expression.as_call().and_then(|call| context.variable(&call.function));
                cancel.and_then(|it| context.cancelled_by(it)).map(|(id, _)| id)
            }
            _ => None,
        };
        if let Some(id) = waits_for_done(context, statement)
            .or(cancelled)
            .or_else(|| group_waited_for(context, statement))
            && let Some((list, index)) = context.list_around(statement.span)
        {
            used_after(context, id, &list[index + 1..], findings);
        }
    });
}

/// The context of an errgroup that a statement waits for: `Wait` cancels it.
fn group_waited_for<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
) -> Option<VariableId> {
    let call = match &statement.kind {
        StatementKind::Expression(expression) => expression.as_call()?,
        StatementKind::Assign(assign) => assign.right.first()?.as_call()?,
        StatementKind::If(it) => match &it.init.as_ref()?.kind {
            StatementKind::Assign(assign) => assign.right.first()?.as_call()?,
            _ => return None,
        },
        _ => return None,
    };
    let (group, "Wait") = call.function.as_selector()? else { return None };
    let (made, value) = context.assignments(context.variable(group)?).pop()?;
    let callee = context.callee(value?.as_call()?);
    if !callee.is("golang.org/x/sync/errgroup", "WithContext") {
        return None;
    }
    let StatementKind::Assign(assign) = &made.kind else { return None };
    let ended = assign.left.get(1)?;
    ended.as_name().and_then(|_| context.inference.resolution.at(ended.bare().span))
}

/// The context that a condition says has ended: `ctx.Err() != nil`.
fn has_ended(
    context: &FunctionContext<'_, '_, '_>,
    condition: &Expression<'_>,
) -> Option<VariableId> {
    let ExpressionKind::Binary { operator: BinaryOperator::NotEqual, left, right } =
        &condition.bare().kind
    else {
        return None;
    };
    let (operand, name) = left.as_call()?.function.as_selector()?;
    let is_context = name == "Err" && right.is_nil() && operand.as_name().is_some();
    let id = context.inference.resolution.at(operand.bare().span)?;
    let ty = &context.inference.resolution.variable(id).ty;
    (is_context && ty.is_named("context", "Context")).then_some(id)
}

/// The context whose end a statement waits for: `<-ctx.Done()`.
fn waits_for_done(
    context: &FunctionContext<'_, '_, '_>,
    statement: &Statement<'_>,
) -> Option<VariableId> {
    let StatementKind::Expression(expression) = &statement.kind else { return None };
    let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
        &expression.bare().kind
    else {
        return None;
    };
    let (context_of, name) = operand.as_call()?.function.as_selector()?;
    if name != "Done" {
        return None;
    }
    context_of.as_name()?;
    context.inference.resolution.at(context_of.bare().span)
}

/// The context that a statement makes of another, and that ends with it.
fn child_of<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    parent: VariableId,
) -> Option<VariableId> {
    let StatementKind::Assign(assign) = &statement.kind else { return None };
    let [value] = &assign.right[..] else { return None };
    let call = value.as_call()?;
    let callee = context.callee(call);
    let ends_with_it = callee.package == "context"
        && callee.name.starts_with("With")
        && callee.name != "WithoutCancel";
    let of_parent = context.variable(call.arguments.first()?) == Some(parent);
    let child = context.inference.resolution.at(assign.left.first()?.bare().span)?;
    (ends_with_it && of_parent && child != parent).then_some(child)
}

fn used_after<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    id: VariableId,
    statements: &'p [Statement<'t>],
    findings: &mut Findings,
) {
    for (index, statement) in statements.iter().enumerate() {
        let mut renewed = false;
        statement.walk(&mut |inner| renewed |= context.writes(inner, id));
        if renewed {
            return;
        }
        // A child has ended with it: `WithTimeout(ctx, …)`.
        if let Some(child) = child_of(context, statement, id) {
            used_after(context, child, &statements[index + 1..], findings);
        }
        let mut found: Option<(&'p Expression<'t>, &'p Call<'t>)> = None;
        statement.walk_expressions(&mut |expression| {
            if let Some(call) = expression.as_call().filter(|_| found.is_none())
                && context_argument(context, call) == Some(id)
                && stops(&context.callee(call))
            {
                found = Some((expression, call));
            }
        });
        let Some((expression, call)) = found else { continue };
        let name = context.inference.resolution.variable(id).name;
        let what = context.text(call.function.span);
        let message = format!("{name} has ended here, and {what} is given it: it gives up at once");
        findings.push(Finding::new(&RULE, expression.span, message).help(HELP));
        return;
    }
}

/// Whether a call ends or takes back something and needs time for it.
fn stops(callee: &Callee<'_, '_>) -> bool {
    let name = callee.name;
    works(callee)
        && (is_release(callee) && name != "Done"
            || [
                "delete",
                "deregister",
                "revoke",
                "flush",
                "drain",
                "unregister",
                "cleanup",
                "save",
            ]
            .iter()
            .any(|word| name.to_ascii_lowercase().starts_with(word)))
}
