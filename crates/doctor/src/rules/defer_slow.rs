use super::Findings;
use crate::{
    context::{Blocking, Deferred, DeferredCall, FunctionContext, is_release},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Call, Expression, ExpressionKind, LiteralKind, StatementKind, UnaryOperator},
    },
    types::Definition,
};

/// A deferred call that may wait for long.
pub(super) static RULE: Rule = Rule {
    code: "defer-slow",
    summary: "a deferred call sleeps, or waits for a network without a bound",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-slow.md"),
};

/// A pause that is no longer than this is not worth a word, in milliseconds.
const SHORT_PAUSE: u64 = 10;

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let calls = deferred.calls();
        if let Some(span) = pause(context, deferred) {
            let message =
                format!("{} ends only after the time that its defer waits for", context.name());
            let finding =
                Finding::new(&RULE, span, message).help("wait before the return, or not at all");
            findings.push(if context.is_test() {
                finding.confidence(Confidence::Low)
            } else {
                finding
            });
            continue;
        }
        if calls.iter().any(|it| bounds(context, it.call)) {
            continue;
        }
        if let Some(finding) = waits_for_goroutine(context, deferred) {
            findings.push(finding);
            continue;
        }
        let slow = calls.iter().find_map(|it| Some((it, slow(context, it)?)));
        let Some((it, (blocking, sure))) = slow else { continue };
        let name = context.name();
        let serves = context.is_handler() || context.is_rpc();
        let whom = if serves { ", and the client waits with it" } else { "" };
        let text = context.text(it.call.function.span);
        let text = if text.contains('\n') || blocking.name.contains("which calls") {
            &blocking.name
        } else {
            text
        };
        let message = match blocking.what {
            "sleep" => format!("{name} ends only after {text} in its defer{whom}"),
            "process" => format!(
                "{name} ends only when the process that {text} runs in its defer has ended{whom}"
            ),
            what => format!(
                "{name} ends only after {text} in its defer, which waits for the {what} without a bound{whom}"
            ),
        };
        let sure = if context.is_test() || context.is_main() && !serves {
            Confidence::Low
        } else if serves && sure == Confidence::Medium {
            Confidence::High
        } else {
            sure
        };
        let help = match blocking.what {
            "sleep" => "wait before the return, or not at all",
            _ => "give it a context with a timeout of its own, or do it before the return",
        };
        let mut finding = Finding::new(&RULE, it.span, message).confidence(sure).help(help);
        if it.span != deferred.statement.span {
            finding = finding.related(deferred.statement.span, "deferred here");
        }
        findings.push(finding);
    }
}

/// A receive from `time.After` that is all there is to wait for, in no select.
fn pause<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Span> {
    let body = &deferred.literal()?.body;
    let (mut found, mut cases) = (None, Vec::new());
    body.walk(&mut |statement| {
        if let StatementKind::Select(it) = &statement.kind {
            cases.extend(
                it.cases.iter().filter_map(|it| it.communication.as_ref()).map(|it| it.span),
            );
        }
        let StatementKind::Expression(expression) = &statement.kind else { return };
        let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
            &expression.bare().kind
        else {
            return;
        };
        let after = operand.as_call().is_some_and(|call| context.callee(call).is("time", "After"));
        if after && !cases.contains(&statement.span) {
            found = Some(statement.span);
        }
    });
    found
}

/// A receive or the `Wait` of a group that a handler defers: its client waits for all that the goroutines do,
/// unless they are told to end.
fn waits_for_goroutine<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    if !(context.is_handler() || context.is_rpc()) || context.is_test() {
        return None;
    }
    let mut tells = false;
    context.body().walk_all_expressions(&mut |expression| {
        if let Some(call) = expression.as_call() {
            let callee = context.callee(call);
            tells |= callee.is_builtin("close")
                || callee.package == "context"
                || callee.name.to_ascii_lowercase().contains("cancel")
                || matches!(callee.name, "Stop" | "Shutdown" | "Close");
        }
    });
    let flushes = deferred.calls().into_iter().find(|it| is_endless_flush(context, it.call));
    let (span, what) = match flushes {
        Some(it) => (it.span, context.text(it.call.function.span).to_owned()),
        None if tells || context.goroutines().is_empty() => return None,
        None => receive_of(context, deferred)?,
    };
    let message = format!(
        "{} ends only after {what} in its defer, which has no bound, and the client waits with it",
        context.name()
    );
    Some(
        Finding::new(&RULE, span, message)
            .confidence(Confidence::Medium)
            .help("bound it with a context with a timeout, or do not wait for it"),
    )
}

/// `ForceFlush(context.Background())` of what sends traces and metrics.
fn is_endless_flush<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let flushes = matches!(call.function.as_selector(), Some((_, "ForceFlush" | "Shutdown")));
    flushes
        && call.arguments.first().is_some_and(|first| {
            matches!(context.text(first.span), "context.Background()" | "context.TODO()")
        })
}

fn receive_of<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<(Span, String)> {
    let group = deferred.calls().into_iter().find(|it| {
        !it.conditional && context.callee(it.call).is_method("sync", "WaitGroup", "Wait")
    });
    if let Some(it) = group {
        return Some((it.span, context.text(it.call.function.span).to_owned()));
    }
    deferred.literal()?.body.statements.iter().find_map(|statement| {
        let StatementKind::Expression(expression) = &statement.kind else { return None };
        match &expression.bare().kind {
            ExpressionKind::Unary { operator: UnaryOperator::Receive, operand }
                if operand.as_path().is_some() =>
            {
                Some((statement.span, context.text(statement.span).to_owned()))
            }
            _ => None,
        }
    })
}

/// What a call of a `defer` waits for, if it is long and is not the giving back itself.
fn slow<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    it: &DeferredCall<'p, 't>,
) -> Option<(Blocking, Confidence)> {
    let callee = context.callee(it.call);
    let gives_back = is_release(&callee)
        || callee.entry.is_some_and(|entry| entry.word("logs").or(entry.word("writes")).is_some());
    if gives_back || callee.literal.is_some() {
        return None;
    }
    let blocking = context.blocking_call(it.span, it.call)?;
    // The answer itself.
    if blocking.name.contains("ResponseWriter") {
        return None;
    }
    if callee.declared.is_some_and(|declared| bounds_within(context, declared)) {
        return None;
    }
    let sure = match blocking.what {
        "sleep" if is_short(context, it.call) => Confidence::Low,
        "sleep" | "network" => Confidence::Medium,
        // Most often it waits for what was just told to end.
        "process" if callee.name == "Wait" => Confidence::Low,
        "process" if context.is_handler() || context.is_rpc() => Confidence::Medium,
        "process" => Confidence::Low,
        _ => return None,
    };
    // Its caller's context bounds it.
    let bounded = it.call.arguments.first().is_some_and(|first| is_bounded(context, first));
    let client = client_has_timeout(context, it.call);
    let sure = if bounded { Confidence::Low } else { sure };
    (!client).then_some((blocking, sure))
}

/// Whether a call makes a context with a timeout, or sets a deadline.
fn bounds<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let callee = context.callee(call);
    matches!(
        callee.name,
        "WithTimeout"
            | "WithDeadline"
            | "WithTimeoutCause"
            | "WithDeadlineCause"
            | "SetDeadline"
            | "SetWriteDeadline"
            | "SetReadDeadline"
            | "After"
            | "DialTimeout"
            | "NewTimer"
    )
}

fn bounds_within<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    declared: crate::package::Declared<'p, 't>,
) -> bool {
    let there = context.of(declared);
    there.calls().into_iter().any(|(_, call)| bounds(&there, call))
}

/// Whether a context argument has an end: it is somebody's, or was made with a timeout here. `Background` and
/// `TODO()` have none.
fn is_bounded<'p, 't>(context: &FunctionContext<'_, 'p, 't>, argument: &Expression<'t>) -> bool {
    if !context.type_of(argument).is_named("context", "Context") {
        return false;
    }
    let Some(id) = context.variable(argument) else { return false };
    let endless = |expression: &Expression<'_>| {
        let text = context.text(expression.span);
        text == "context.Background()" || text == "context.TODO()" || text.contains("WithoutCancel")
    };
    match context.inference.resolution.variable(id).definition {
        Definition::Value { expression, .. } => !endless(expression),
        _ => true,
    }
}

/// Whether a method is called on a client that was made here with a timeout.
fn client_has_timeout<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let Some((operand, _)) = call.function.as_selector() else { return false };
    let Some(id) = context.inference.resolution.root(operand) else {
        let known = operand.as_name().and_then(|name| context.package.variable(name));
        return known.is_some_and(|(file, spec, _)| spec.span.of(file.text).contains("Timeout"));
    };
    match context.inference.resolution.variable(id).definition {
        Definition::Value { expression, .. } => context.text(expression.span).contains("Timeout"),
        _ => false,
    }
}

/// Whether a pause is written to be short: `5 * time.Millisecond`.
fn is_short<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    let Some(argument) = call.arguments.first() else { return false };
    let text = context.text(argument.span);
    if text.contains("Microsecond") || text.contains("Nanosecond") {
        return true;
    }
    if !text.contains("Millisecond") {
        return false;
    }
    let mut count = 1;
    argument.walk(&mut |inner| {
        if matches!(inner.kind, ExpressionKind::Literal(LiteralKind::Integer)) {
            count = context.text(inner.span).parse().unwrap_or(u64::MAX);
        }
    });
    count <= SHORT_PAUSE
}
