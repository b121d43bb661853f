use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{BinaryOperator, Block, Call, Expression, ExpressionKind, LiteralKind},
    },
    types::Definition,
};

/// A lock that ran out belongs to somebody else: who deletes its key without a look takes it from them.
pub(super) static RULE: Rule = Rule {
    code: "lock-key-deleted",
    summary: "the key of a lock in Redis is deleted without a look at who holds it",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/lock-key-deleted.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    // Once for a declared function, with all that is in it.
    if context.literal.is_some() {
        return;
    }
    let Some(body) = &context.declared.function.body else { return };
    let (mut deleted, mut read, mut looked) = (Vec::new(), Vec::new(), false);
    body.walk_all_expressions(&mut |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return };
        match command(context.file.text, call) {
            Some(Command::Delete(keys)) => {
                deleted.extend(keys.iter().map(|key| (expression.span, key)));
            }
            Some(Command::Read(key)) => {
                looked = true;
                read.push((expression.span, context.text(key.span)));
            }
            Some(Command::Look) => looked = true,
            _ => {}
        }
    });
    for (span, key) in deleted {
        let text = context.text(key.span);
        let two_steps = read.iter().find(|(at, key)| {
            *key == text && at.end <= span.start && is_compared(context, body, *at, span)
        });
        if let Some((at, _)) = two_steps {
            let Some(taken) = taken(context, body, key).or_else(|| taken_at_all(context)) else {
                continue;
            };
            let message = format!(
                "{text} is read, compared and deleted in steps of their own: the lock can run out in between, \
                 and is then taken from its next holder"
            );
            findings.push(
                Finding::new(&RULE, span, message)
                    .related(*at, "it is read here")
                    .related(taken, "a lock is taken here")
                    .help("compare and delete in one script"),
            );
            continue;
        }
        let Some(taken) = taken(context, body, key) else { continue };
        let message = format!(
            "{text} is deleted without a look at who holds it: where the lock has run out, it is taken from \
             its next holder"
        );
        let confidence = if looked { Confidence::Low } else { Confidence::Medium };
        findings.push(
            Finding::new(&RULE, span, message)
                .confidence(confidence)
                .related(taken, "it is taken here")
                .help("store a value of the holder's own, and delete by a script that compares it"),
        );
    }
}

enum Command<'a, 't> {
    /// It takes the key if nobody has it.
    Take(&'a Expression<'t>),
    Delete(&'a [Expression<'t>]),
    /// It reads this key.
    Read(&'a Expression<'t>),
    /// It runs a script, which may look.
    Look,
}

/// What a call asks of Redis: in go-redis's methods, or by name in redigo's `Do`.
fn command<'a, 't>(text: &str, call: &'a Call<'t>) -> Option<Command<'a, 't>> {
    let is_string = |expression: &Expression<'_>| literal(text, expression).is_some();
    let (_, name) = call.function.as_selector()?;
    let arguments = &call.arguments[..];
    match (name, arguments) {
        ("SetNX", [first, second, _, _]) if !is_string(first) || is_string(second) => {
            Some(Command::Take(second))
        }
        ("SetNX", [key, _, _]) => Some(Command::Take(key)),
        ("Del" | "Unlink", [_, keys @ ..]) if !keys.is_empty() => Some(Command::Delete(keys)),
        ("Del" | "Unlink", [_]) => Some(Command::Delete(arguments)),
        ("Get", [key]) => Some(Command::Read(key)),
        ("Get", [first, key]) if !is_string(first) => Some(Command::Read(key)),
        ("Eval" | "EvalSha" | "Get" | "Run", _) => Some(Command::Look),
        ("Do" | "Send", rest) => by_name(text, rest),
        _ => None,
    }
}

fn by_name<'a, 't>(text: &str, arguments: &'a [Expression<'t>]) -> Option<Command<'a, 't>> {
    let literal = |expression: &Expression<'_>| literal(text, expression);
    // redigo: the name first; go-redis: a context before it.
    let at = arguments.iter().take(2).position(|it| literal(it).is_some())?;
    let (name, rest) = (literal(&arguments[at])?, &arguments[at + 1..]);
    match (name.to_ascii_uppercase().as_str(), rest) {
        ("SETNX", [key, ..]) => Some(Command::Take(key)),
        ("SET", [key, options @ ..])
            if options
                .iter()
                .filter_map(literal)
                .any(|option| option.eq_ignore_ascii_case("nx")) =>
        {
            Some(Command::Take(key))
        }
        ("DEL" | "UNLINK", keys) if !keys.is_empty() => Some(Command::Delete(keys)),
        ("GET", [key]) => Some(Command::Read(key)),
        ("GET" | "EVAL" | "EVALSHA", _) => Some(Command::Look),
        _ => None,
    }
}

/// The text of a string that is written.
fn literal<'a>(text: &'a str, expression: &Expression<'_>) -> Option<&'a str> {
    let written = expression.bare();
    matches!(written.kind, ExpressionKind::Literal(LiteralKind::String))
        .then(|| written.span.of(text).trim_matches(['"', '`']))
}

/// Whether what was read is compared with a value before the key is deleted.
fn is_compared<'t>(
    context: &FunctionContext<'_, '_, 't>,
    body: &Block<'t>,
    read: Span,
    deleted: Span,
) -> bool {
    let is_read = |expression: &Expression<'t>| {
        expression.span.contains(read)
            || context.variable(expression).is_some_and(|variable| {
                match context.inference.resolution.variable(variable).definition {
                    Definition::Value { expression, index: 0 } => expression.span.contains(read),
                    _ => false,
                }
            })
    };
    let mut found = false;
    body.walk_all_expressions(&mut |expression| {
        if let ExpressionKind::Binary { operator, left, right } = &expression.kind
            && matches!(operator, BinaryOperator::Equal | BinaryOperator::NotEqual)
            && expression.span.end <= deleted.start
        {
            found |= is_read(left) && right.as_name() != Some("nil") || is_read(right);
        }
    });
    found
}

/// Where the package takes a lock: the key of a release is often a parameter.
fn taken_at_all(context: &FunctionContext<'_, '_, '_>) -> Option<Span> {
    let mut found = None;
    for declared in context.package.bodies() {
        // Places are shown in the same file.
        if !std::ptr::eq(declared.file, context.file) {
            continue;
        }
        let Some(body) = &declared.function.body else { continue };
        body.walk_all_expressions(&mut |expression| {
            if let ExpressionKind::Call(call) = &expression.kind
                && let Some(Command::Take(_)) = command(declared.file.text, call)
            {
                found.get_or_insert(expression.span);
            }
        });
    }
    found
}

/// Where the same key is taken as a lock: in the same function or, for a key that is a field, a constant or a
/// text, in another function of the package.
fn taken<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    body: &'p Block<'t>,
    key: &Expression<'t>,
) -> Option<Span> {
    let key_text = context.text(key.bare().span);
    if let Some(span) = taken_in(context.file.text, body, key_text) {
        return Some(span);
    }
    let shared = match &key.bare().kind {
        ExpressionKind::Identifier(name) => {
            context.variable(key).is_none() && context.package.variable(name).is_some()
        }
        ExpressionKind::Literal(_) | ExpressionKind::Selector { .. } => true,
        _ => false,
    };
    let elsewhere = context.package.bodies().filter(|_| shared).find(|declared| {
        declared
            .function
            .body
            .as_ref()
            .is_some_and(|body| taken_in(declared.file.text, body, key_text).is_some())
    });
    elsewhere.map(|_| key.span)
}

fn taken_in<'t>(text: &'t str, body: &Block<'t>, key: &str) -> Option<Span> {
    let mut found = None;
    body.walk_all_expressions(&mut |expression| {
        if let ExpressionKind::Call(call) = &expression.kind
            && let Some(Command::Take(taken)) = command(text, call)
            && taken.bare().span.of(text) == key
        {
            found.get_or_insert(expression.span);
        }
    });
    found
}
