use super::Findings;
use crate::{
    context::{Deferred, FunctionContext, calls_recover},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, ExpressionKind},
    },
    types::{Definition, VariableId},
};

/// A recovered panic of a handler that writes nothing is a 200 with an empty body.
pub(super) static RULE: Rule = Rule {
    code: "recover-answers-nothing",
    summary: "a handler recovers from a panic and answers no error: the caller gets a 200 with an empty body",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/recover-answers-nothing.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() {
        return;
    }
    let mut answers = results(context);
    let (what, confidence) = if context.is_handler() {
        answers.extend(context.answers_by());
        ("a 200 with an empty body", Confidence::Medium)
    } else if context.is_rpc() || context.is_interceptor() {
        ("no error, and no response", Confidence::Medium)
    } else if returns_an_error(context) {
        ("nil as if all were well", Confidence::Low)
    } else {
        return;
    };
    for deferred in context.defers() {
        let Some(body) = recovering(context, &deferred) else { continue };
        if answers_within(context, &deferred, body, &answers) {
            continue;
        }
        let message = format!(
            "a panic of {} is recovered from, and nothing is answered: the caller gets {what}",
            context.name()
        );
        findings.push(
            Finding::new(&RULE, deferred.statement.span, message)
                .confidence(confidence)
                .help("answer a 500 (for gRPC: Internal, by a named result), or panic again"),
        );
    }
}

/// The body of a deferred function that recovers, where it is seen.
fn recovering<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: &Deferred<'p, 't>,
) -> Option<&'p Block<'t>> {
    context.callee(deferred.call).body().filter(|body| calls_recover(body))
}

/// The results that have names: what a recovering function can answer by.
fn results(context: &FunctionContext<'_, '_, '_>) -> Vec<VariableId> {
    let resolution = &context.inference.resolution;
    let names = context.signature().results.iter().flat_map(|result| &result.names);
    names.filter_map(|name| resolution.at(name.span)).collect()
}

/// Whether its last result is an error.
fn returns_an_error(context: &FunctionContext<'_, '_, '_>) -> bool {
    let last = context.signature().results.last();
    last.is_some_and(|result| context.inference.read_type(&result.ty).is_error())
}

/// What is only looked at: `c.Request`, `c.Logger()`, `w.Header().Get(…)`.
const LOOKS: [&str; 22] = [
    "ClientIP",
    "Context",
    "Cookie",
    "Errors",
    "FormValue",
    "FullPath",
    "Get",
    "GetHeader",
    "GetString",
    "Header",
    "IP",
    "Keys",
    "Locals",
    "Logger",
    "Method",
    "OriginalURL",
    "Param",
    "Path",
    "Query",
    "QueryParam",
    "RealIP",
    "Request",
];

/// Whether what answers is only looked at here, by what follows on its name.
fn is_a_look(context: &FunctionContext<'_, '_, '_>, name: Span) -> bool {
    let rest = context.file.text.get(name.end as usize..).unwrap_or_default();
    let Some(rest) = rest.strip_prefix('.') else { return false };
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    LOOKS.contains(&&rest[..end])
}

/// What ends the goroutine or the process, which is no answer but no silence either.
const ENDS: [&str; 6] = ["Exit", "Fatal", "Fatalf", "Fatalln", "FailNow", "Goexit"];

/// Whether the deferred function uses what the handler answers by, or panics again.
fn answers_within<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: &Deferred<'p, 't>,
    body: &'p Block<'t>,
    answers: &[VariableId],
) -> bool {
    let resolution = &context.inference.resolution;
    let is_answer = |variable: VariableId| {
        answers.contains(&variable)
            // A writer around the writer.
            || match resolution.variable(variable).definition {
                Definition::Value { expression, .. } => mentions(context, expression, answers),
                _ => false,
            }
    };
    let mut found =
        deferred.call.arguments.iter().any(|argument| mentions(context, argument, answers));
    // A method of what has the writer.
    found |= mentions(context, &deferred.call.function, answers);
    body.walk_all_expressions(&mut |expression| match &expression.kind {
        ExpressionKind::Identifier("panic") => found = true,
        ExpressionKind::Selector { name, .. } if ENDS.contains(&name.name) => found = true,
        ExpressionKind::Identifier(_) => {
            found |= deferred.call.function.as_literal().is_some()
                && !is_a_look(context, expression.span)
                && resolution.at(expression.span).is_some_and(is_answer);
        }
        _ => {}
    });
    found
}

fn mentions<'t>(
    context: &FunctionContext<'_, '_, 't>,
    expression: &crate::syntax::ast::Expression<'t>,
    answers: &[VariableId],
) -> bool {
    let mut found = false;
    expression.walk(&mut |inner| {
        if matches!(inner.kind, ExpressionKind::Identifier(_)) {
            let variable = context.inference.resolution.at(inner.span);
            found |= !is_a_look(context, inner.span)
                && variable.is_some_and(|variable| answers.contains(&variable));
        }
    });
    found
}
