use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, StatementKind, UnaryOperator},
    },
    types::{Definition, Type},
};

/// A panic in a goroutine that nobody recovers from ends the process.
pub(super) static RULE: Rule = Rule {
    code: "goroutine-without-recover",
    summary: "a panic in a goroutine of a request takes the whole process down",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/goroutine-without-recover.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() {
        return;
    }
    check_groups(context, findings);
    let serves = context.serves_request();
    for (statement, call) in context.goroutines() {
        let (confidence, of) = if serves {
            (Confidence::Medium, "serves one request")
        } else if is_per_message(context, statement.span) {
            (Confidence::Medium, "starts one for each message or connection")
        } else {
            (Confidence::Low, "may not be the only one that needs the process")
        };
        let callee = context.callee(call);
        let (recovered, can_panic) = match (callee.literal, callee.declared) {
            (Some(literal), _) => {
                (recovers(context, &literal.body), can_panic(context, &literal.body))
            }
            (None, Some(declared)) => {
                let there = context.of(declared);
                (there.recovers().is_some(), can_panic(&there, there.body()))
            }
            // A value that anything may be in: not seen, and not to be trusted with a request.
            (None, None) if serves && is_a_value(context, call) => {
                let message = format!(
                    "a panic in this goroutine, whose body is not seen here, ends the process if nothing in it \
                     recovers; it is started by {}, which {of}",
                    context.name()
                );
                findings.push(
                    Finding::new(&RULE, statement.span, message)
                        .help("call it in a function that first defers one that recovers"),
                );
                continue;
            }
            // Of another package: what it does is not known.
            (None, None) => continue,
        };
        if recovered || !can_panic {
            continue;
        }
        let message = format!(
            "a panic in this goroutine is not recovered from, and ends the process with all its requests; it is \
             started by {}, which {of}",
            context.name()
        );
        findings.push(Finding::new(&RULE, statement.span, message).confidence(confidence).help(
            "begin it with a deferred function that calls recover() and reports what it got",
        ));
    }
}

/// Functions without a name that a group or a pool runs in goroutines of their own.
fn check_groups(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() || !context.serves_request() {
        return;
    }
    for (expression, call) in context.calls() {
        let callee = context.callee(call);
        let starts = match callee.name {
            "Go" | "TryGo" => {
                callee.is_method("golang.org/x/sync/errgroup", "Group", callee.name)
                    || callee.is_method("sync", "WaitGroup", callee.name)
            }
            "Submit" => callee.package.starts_with("github.com/panjf2000/ants"),
            _ => false,
        };
        let Some(literal) = call.arguments.first().and_then(|it| it.as_literal()) else { continue };
        if !starts || recovers(context, &literal.body) || !can_panic(context, &literal.body) {
            continue;
        }
        let message = format!(
            "a panic in this goroutine of {} is not recovered from, and ends the process with all its requests; it \
             is started by {}, which serves one request",
            callee.written(),
            context.name()
        );
        findings.push(
            Finding::new(&RULE, expression.span, message)
                .help("begin it with a deferred function that calls recover() and sets its error"),
        );
    }
}

/// Whether a call calls a parameter, a function in a field or in a map, or a method of an interface.
fn is_a_value<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    if is_cancel(context, call) {
        return false;
    }
    let function = match &call.function.bare().kind {
        ExpressionKind::Index { operand, .. } => operand.bare(),
        _ => call.function.bare(),
    };
    match &function.kind {
        ExpressionKind::Identifier(_) => context.variable(function).is_some_and(|variable| {
            match context.inference.resolution.variable(variable).definition {
                Definition::Parameter => true,
                Definition::Value { expression, .. } => {
                    matches!(expression.bare().kind, ExpressionKind::Index { .. })
                }
                _ => false,
            }
        }),
        ExpressionKind::Selector { operand, name } => match context.type_of(operand).pointee() {
            Type::Literal => true,
            // A field, or a method of an interface; the methods of a struct are seen.
            Type::Named { package: "", name: owner } => {
                context.package.interface_of(owner).is_some()
                    || matches!(context.type_of(function), Type::Function(_) | Type::Map(_))
                        && context.package.method(owner, name.name).is_none()
            }
            _ => false,
        },
        _ => false,
    }
}

/// What waits for the next connection or message.
const NEXT: [&str; 9] = [
    "Accept",
    "AcceptTCP",
    "AcceptUnix",
    "ReadMessage",
    "FetchMessage",
    "NextMsg",
    "ReceiveMessage",
    "Recv",
    "ReadFrom",
];

/// Whether it stands in a loop that takes one connection or message after the other.
fn is_per_message(context: &FunctionContext<'_, '_, '_>, goroutine: Span) -> bool {
    let (mut found, mut counts) = (false, false);
    context.body().walk(&mut |statement| {
        if !statement.span.contains(goroutine) {
            return;
        }
        found |= match &statement.kind {
            StatementKind::Range(range) => is_message(context, &range.operand),
            // A loop that counts, for one message, starts as many as it was told to.
            StatementKind::For(it) if it.post.is_some() => {
                counts = found;
                false
            }
            StatementKind::For(it) => {
                let mut takes = false;
                it.body.walk_expressions(&mut |expression| {
                    takes |= match &expression.kind {
                        ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } => {
                            is_message(context, operand)
                        }
                        ExpressionKind::Call(call) => call
                            .function
                            .as_selector()
                            .is_some_and(|(_, name)| NEXT.contains(&name)),
                        _ => false,
                    };
                });
                takes
            }
            _ => false,
        };
    });
    found && !counts
}

/// Whether a channel carries something: not a tick, not the word to stop.
fn is_message<'t>(context: &FunctionContext<'_, '_, 't>, channel: &Expression<'t>) -> bool {
    match context.type_of(channel) {
        Type::Channel(element) => !matches!(
            &*element,
            Type::Literal
                | Type::Basic("bool" | "error")
                | Type::Named { package: "time" | "os", .. }
        ),
        _ => false,
    }
}

/// Whether a deferred function in the body recovers.
fn recovers<'p, 't>(context: &FunctionContext<'_, 'p, 't>, body: &'p Block<'t>) -> bool {
    let mut found = false;
    body.walk(&mut |statement| {
        if let StatementKind::Defer(expression) = &statement.kind
            && let Some(call) = expression.as_call()
        {
            found |= context.is_recovering(call);
        }
    });
    found
}

/// Whether anything in it may panic: a call of what is not known to be harmless, an index, an assertion.
fn can_panic<'p, 't>(context: &FunctionContext<'_, 'p, 't>, body: &'p Block<'t>) -> bool {
    let mut found = false;
    body.walk_expressions(&mut |expression| {
        found |= match &expression.kind {
            ExpressionKind::TypeAssertion { ty, .. } => ty.is_some(),
            // A field of what may be nil.
            ExpressionKind::Selector { operand, .. } => {
                matches!(context.type_of(operand), Type::Pointer(_))
                    && !is_receiver(context, operand)
            }
            ExpressionKind::Index { operand, .. } => {
                matches!(context.type_of(operand), Type::List(_) | Type::Basic("string"))
            }
            _ => false,
        };
    });
    body.walk_expressions(&mut |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return };
        let callee = context.callee(call);
        let harmless = match callee.package {
            "builtin" => callee.name != "panic",
            "sync" | "context" | "time" | "log" | "log/slog" | "fmt" | "errors" | "sync/atomic"
            | "io" | "os" | "net/http" | "net" | "strings" | "bytes" | "encoding/json" => true,
            _ => callee.entry.is_some() || is_cancel(context, call),
        };
        found |= !harmless;
    });
    found
}

/// Whether it is the receiver, which the caller has used already.
fn is_receiver<'t>(context: &FunctionContext<'_, '_, 't>, operand: &Expression<'t>) -> bool {
    context.variable(operand).is_some_and(|variable| {
        let definition = context.inference.resolution.variable(variable).definition;
        matches!(definition, Definition::Receiver)
    })
}

fn is_cancel<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> bool {
    context.type_of(&call.function).name().is_some_and(|(package, _)| package == "context")
}
