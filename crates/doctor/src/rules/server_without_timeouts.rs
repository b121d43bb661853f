use super::Findings;
use crate::{
    context::FunctionContext,
    finding::{Edit, Finding, Fix, Safety},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Expression, ExpressionKind},
    },
    types::Callee,
};

/// A server without timeouts keeps every connection that a slow or a dead client opens.
pub(super) static RULE: Rule = Rule {
    code: "server-without-timeouts",
    summary: "an http.Server waits for ever for the headers of a request",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/server-without-timeouts.md"),
};

/// Either of them bounds the wait for headers.
const BOUNDS: [&str; 2] = ["ReadHeaderTimeout", "ReadTimeout"];

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() {
        return;
    }
    context.body().walk_expressions(&mut |expression| match &expression.kind {
        ExpressionKind::Composite { ty: Some(ty), elements } => {
            if !context.inference.read_type(ty).is_named("net/http", "Server") {
                return;
            }
            let named = |name: &str| elements.iter().any(|element| is_key(element, name));
            if BOUNDS.iter().any(|bound| named(bound)) || is_set_later(context, expression.span) {
                return;
            }
            let message = "this http.Server has no ReadHeaderTimeout: a client that sends no headers keeps its \
                           connection, and its goroutine, for ever";
            let finding = Finding::new(&RULE, ty.span, message)
                .help("set ReadHeaderTimeout, and IdleTimeout for connections between requests");
            findings.push(match fix(context, expression.span, elements) {
                Some(fix) => finding.fix(fix),
                None => finding,
            });
        }
        ExpressionKind::Call(call) => {
            let callee = context.callee(call);
            if let Some(message) = framework(&callee) {
                findings.push(
                    Finding::new(&RULE, expression.span, message)
                        .confidence(Confidence::Low)
                        .help("serve it by an http.Server with ReadHeaderTimeout"),
                );
                return;
            }
            let served = ["ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS"];
            let Some(name) = served.iter().find(|name| callee.is("net/http", name)) else { return };
            let local = call.arguments.first().is_some_and(|address| {
                let text = context.text(address.span);
                text.contains("localhost") || text.contains("127.0.0.1") || text.contains("[::1]")
            });
            let message = format!(
                "http.{name} serves without any timeout: a client that sends no headers keeps its connection for \
                 ever"
            );
            let confidence = if local { Confidence::Low } else { Confidence::Medium };
            findings.push(
                Finding::new(&RULE, expression.span, message)
                    .confidence(confidence)
                    .help("use an http.Server with ReadHeaderTimeout"),
            );
        }
        _ => {}
    });
}

/// What is said of a framework's own way to serve: it makes an `http.Server` without timeouts.
fn framework(callee: &Callee<'_, '_>) -> Option<String> {
    let serves = match callee.name {
        "Run" | "RunTLS" => callee.is_method("github.com/gin-gonic/gin", "Engine", callee.name),
        "Start" | "StartTLS" => {
            callee.receiver == Some("Echo")
                && callee.package.starts_with("github.com/labstack/echo")
        }
        _ => false,
    };
    serves.then(|| {
        format!(
            "{} serves without any timeout, if none is set elsewhere: a client that sends no headers keeps its \
             connection for ever",
            callee.written()
        )
    })
}

fn is_key(element: &Expression<'_>, name: &str) -> bool {
    match &element.kind {
        ExpressionKind::KeyValue { key, .. } => key.as_name() == Some(name),
        // Without keys, every field is given.
        _ => true,
    }
}

/// Whether the function sets a bound by assignment: `server.ReadTimeout = …`.
fn is_set_later(context: &FunctionContext<'_, '_, '_>, literal: Span) -> bool {
    let Some(body) = &context.declared.function.body else { return false };
    let mut found = false;
    body.walk(&mut |statement| {
        if let crate::syntax::ast::StatementKind::Assign(assign) = &statement.kind
            && statement.span.start > literal.start
        {
            found |= assign
                .left
                .iter()
                .any(|left| left.as_selector().is_some_and(|(_, name)| BOUNDS.contains(&name)));
        }
    });
    found
}

/// Adds a field before the first, where the file knows the package `time`.
fn fix(
    context: &FunctionContext<'_, '_, '_>,
    literal: Span,
    elements: &[Expression<'_>],
) -> Option<Fix> {
    let time =
        context.file.imports.iter().find(|(_, path)| **path == "time").map(|(name, _)| *name)?;
    let first = elements.first()?;
    let field = format!("ReadHeaderTimeout: 10 * {time}.Second,");
    // On a line of its own where the others are.
    let own_line = context.line(first.span) > context.line(literal);
    if own_line {
        // Columns of the fields would have to be lined up anew: left to the person.
        return None;
    }
    Some(Fix {
        title: "wait ten seconds for the headers".to_owned(),
        safety: Safety::Unsafe,
        edits: vec![Edit {
            span: Span::new(first.span.start, first.span.start),
            text: format!("{field} "),
        }],
    })
}
