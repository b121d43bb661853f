use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Expression, ExpressionKind, StatementKind},
    },
    types::Definition,
};

/// A call without a bound waits as long as the other side likes.
pub(super) static RULE: Rule = Rule {
    code: "client-without-timeout",
    summary: "a request has neither a timeout nor a context: it waits as long as the other side likes",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/client-without-timeout.md"),
};

/// What of a client takes no context.
const WITHOUT_CONTEXT: [&str; 4] = ["Get", "Head", "Post", "PostForm"];

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() {
        return;
    }
    // A command that a person waits for, and can stop, is another matter.
    let sure = if context.is_main() || context.file.syntax.package.name == "main" {
        Confidence::Low
    } else {
        Confidence::Medium
    };
    for (expression, call) in context.calls() {
        let callee = context.callee(call);
        if callee.is_method("net/http", "Client", "Do") {
            let [request] = &call.arguments[..] else { continue };
            let Some((client, _)) = call.function.as_selector() else { continue };
            if is_without_context(context, request)
                && let Some(by) = without_timeout(context, client)
            {
                findings.push(finding(expression.span, &by, sure));
            }
            continue;
        }
        let Some(name) = WITHOUT_CONTEXT.iter().find(|name| **name == callee.name) else {
            continue;
        };
        let by = if callee.is("net/http", name) {
            "http.DefaultClient, which has no timeout".to_owned()
        } else if callee.is_method("net/http", "Client", name) {
            let Some((client, _)) = call.function.as_selector() else { continue };
            match without_timeout(context, client) {
                Some(by) => by,
                None => continue,
            }
        } else {
            continue;
        };
        findings.push(finding(expression.span, &by, sure));
    }
}

fn finding(span: Span, by: &str, sure: Confidence) -> Finding {
    let message = format!("this request is sent by {by}, and has no context: it may wait for ever");
    Finding::new(&RULE, span, message).confidence(sure).help(
        "use a client with a Timeout, or http.NewRequestWithContext with the deadline of the caller",
    )
}

/// Whether a request is made here by `http.NewRequest`, and gets no context later.
fn is_without_context(context: &FunctionContext<'_, '_, '_>, request: &Expression<'_>) -> bool {
    let Some(id) = context.inference.resolution.at(request.bare().span) else { return false };
    let variable = context.inference.resolution.variable(id);
    let Definition::Value { expression, .. } = variable.definition else { return false };
    let made =
        expression.as_call().is_some_and(|call| context.callee(call).is("net/http", "NewRequest"));
    let bounded = variable.uses.iter().any(|used| {
        let rest = context.file.text.get(used.span.end as usize..).unwrap_or_default();
        rest.starts_with(".WithContext") || rest.starts_with(".Clone")
    });
    made && !bounded
}

/// What is known of a client that has no timeout.
fn without_timeout(
    context: &FunctionContext<'_, '_, '_>,
    client: &Expression<'_>,
) -> Option<String> {
    if client.as_selector().is_some_and(|(_, name)| name == "DefaultClient") {
        return Some("http.DefaultClient, which has no timeout".to_owned());
    }
    if let Some((_, field)) = client.as_selector() {
        let values = values_of_field(context, field);
        let bare = !values.is_empty() && values.iter().all(|value| is_unbounded(context, value));
        return bare.then(|| format!("{}, which has no Timeout", context.text(client.span)));
    }
    let Some(id) = context.inference.resolution.at(client.bare().span) else {
        let (file, values, _) = context.package.variable(client.as_name()?)?;
        let [value] = &values.values[..] else { return None };
        let bare = std::ptr::eq(file, context.file) && is_unbounded(context, value);
        return bare.then(|| format!("{}, which has no Timeout", context.text(client.span)));
    };
    let variable = context.inference.resolution.variable(id);
    let Definition::Value { expression, .. } = variable.definition else { return None };
    // Set later, by an assignment to the field.
    let changed = variable.uses.iter().any(|used| {
        let rest = context.file.text.get(used.span.end as usize..).unwrap_or_default();
        rest.starts_with(".Timeout")
    });
    (is_unbounded(context, expression) && !changed)
        .then(|| format!("{}, which has no Timeout", variable.name))
}

/// Whether a value is a literal of a client without a timeout.
fn is_unbounded(context: &FunctionContext<'_, '_, '_>, value: &Expression<'_>) -> bool {
    let literal = match &value.bare().kind {
        ExpressionKind::Unary { operand, .. } => operand.bare(),
        _ => value.bare(),
    };
    let ExpressionKind::Composite { ty: Some(ty), elements } = &literal.kind else { return false };
    let written = ty
        .as_selector()
        .is_some_and(|(package, name)| name == "Client" && package.as_name() == Some("http"));
    let bounded = elements.iter().any(|element| match &element.kind {
        ExpressionKind::KeyValue { key, .. } => key.as_name() == Some("Timeout"),
        _ => true,
    });
    let imports = context.file.imports.values().any(|path| *path == "net/http");
    written && imports && !bounded
}

/// What the package puts into the fields of that name. A bound that is set later is a value too, of another kind.
fn values_of_field<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    field: &str,
) -> Vec<&'p Expression<'t>> {
    let mut values = Vec::new();
    for declared in context.package.bodies() {
        let Some(body) = &declared.function.body else { continue };
        body.walk(&mut |statement| {
            let StatementKind::Assign(assign) = &statement.kind else { return };
            for (left, right) in assign.left.iter().zip(&assign.right) {
                let Some((operand, name)) = left.as_selector() else { continue };
                let later = name == "Timeout"
                    && operand.as_selector().is_some_and(|(_, inner)| inner == field);
                if name == field || later {
                    values.push(right);
                }
            }
        });
        body.walk_all_expressions(&mut |expression| {
            if let ExpressionKind::KeyValue { key, value } = &expression.kind
                && key.as_name() == Some(field)
            {
                values.push(value);
            }
        });
    }
    values
}
