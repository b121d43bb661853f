use super::Findings;
use crate::{
    context::{FunctionContext, LiteralRole, calls_recover},
    finding::Finding,
    package::Declared,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{ExpressionKind, StatementKind},
    },
};

/// `recover()` stops a panic only in a deferred function.
pub(super) static RULE: Rule = Rule {
    code: "recover-not-deferred",
    summary: "recover() that no deferred function calls never stops a panic",
    severity: Severity::Error,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/recover-not-deferred.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        if context.callee(deferred.call).is_builtin("recover") {
            let message = "defer recover() does not stop a panic: recover has to be called by a deferred \
                           function, not to be one";
            findings.push(
                Finding::new(&RULE, deferred.statement.span, message)
                    .help("defer func() { if cause := recover(); cause != nil { … } }()"),
            );
        }
    }
    let Some(span) = recover_call(context) else { return };
    let never = match &context.literal {
        None => is_called_and_never_deferred(context) || is_beside_other_work(context, span),
        Some(place) => match place.role {
            LiteralRole::Go => true,
            // In a deferred function it is one level too deep: another rule's.
            LiteralRole::Called => !place
                .outer
                .as_deref()
                .is_some_and(|outer| matches!(outer.role, LiteralRole::Deferred)),
            LiteralRole::Deferred => false,
            // What serves HTTP is called by the server; of others it is not known.
            LiteralRole::Argument(_) | LiteralRole::Kept => context.is_handler(),
        },
    };
    if never {
        let message = format!(
            "recover() is called by {}, which is not deferred: it returns nil, and a panic goes on",
            context.name()
        );
        findings.push(Finding::new(&RULE, span, message).help("defer the function that calls it"));
    }
}

/// Whether an exported function does its work, and then calls `recover()`: not a function that is there to
/// be deferred, by its name or by what it begins with.
fn is_beside_other_work(context: &FunctionContext<'_, '_, '_>, recover: Span) -> bool {
    let name = context.declared.function.name.name;
    let lower = name.to_ascii_lowercase();
    let to_be_deferred =
        ["recover", "panic", "crash", "handle", "catch", "defer", "finish", "done", "end", "close"];
    if !name.starts_with(char::is_uppercase)
        || to_be_deferred.iter().any(|word| lower.contains(word))
        || is_deferred_somewhere(context, name)
    {
        return false;
    }
    let before = context.body().statements.iter().take_while(|it| it.span.end <= recover.start);
    let mut works = false;
    for statement in before.filter(|it| !matches!(it.kind, StatementKind::Defer(_))) {
        statement.for_each_expression(&mut |expression| {
            works |= expression.as_call().is_some_and(|call| {
                let callee = context.callee(call);
                callee.package != "builtin" && !callee.package.contains("log")
            });
        });
    }
    works
}

/// Whether the package defers a function or a method of that name.
fn is_deferred_somewhere(context: &FunctionContext<'_, '_, '_>, name: &str) -> bool {
    let mut found = false;
    for declared in context.package.bodies() {
        let Some(body) = &declared.function.body else { continue };
        body.walk(&mut |statement| {
            let StatementKind::Defer(expression) = &statement.kind else { return };
            let Some(call) = expression.as_call() else { return };
            let last = match call.function.as_selector() {
                Some((_, method)) => Some(method),
                None => call.function.as_name(),
            };
            found |= last == Some(name);
        });
    }
    found
}

/// The first `recover()` of the function itself that is not deferred.
fn recover_call(context: &FunctionContext<'_, '_, '_>) -> Option<Span> {
    if !calls_recover(context.body()) {
        return None;
    }
    let mut found = None;
    context.body().walk(&mut |statement| {
        if matches!(statement.kind, StatementKind::Defer(_)) {
            return;
        }
        statement.for_each_expression(&mut |expression| {
            expression.walk(&mut |expression| {
                if let ExpressionKind::Call(call) = &expression.kind
                    && context.callee(call).is_builtin("recover")
                {
                    found.get_or_insert(expression.span);
                }
            });
        });
    });
    found
}

/// Whether the package calls a function, and nowhere defers or hands it on.
fn is_called_and_never_deferred(context: &FunctionContext<'_, '_, '_>) -> bool {
    let name = context.declared.function.name.name;
    let (mut called, mut otherwise) = (false, false);
    for Declared { function, .. } in context.package.bodies() {
        let Some(body) = &function.body else { continue };
        body.walk(&mut |statement| {
            if let StatementKind::Defer(expression) = &statement.kind
                && let Some(call) = expression.as_call()
            {
                let last = match call.function.as_selector() {
                    Some((_, name)) => Some(name),
                    None => call.function.as_name(),
                };
                otherwise |= last == Some(name);
            }
        });
        body.walk_all_expressions(&mut |expression| match &expression.kind {
            ExpressionKind::Call(call) => {
                called |= call.function.as_name() == Some(name);
                // As an argument, or from within a function that is deferred: not known.
                otherwise |= call.arguments.iter().any(|argument| argument.as_name() == Some(name));
                otherwise |= call.function.as_selector().is_some_and(|(_, method)| method == name);
            }
            ExpressionKind::Function(literal) => {
                literal.body.walk_expressions(&mut |inner| {
                    otherwise |=
                        inner.as_call().is_some_and(|call| call.function.as_name() == Some(name));
                });
            }
            _ => {}
        });
    }
    called && !otherwise && context.declared.function.receiver.is_none()
}
