//! Waits that a lock is there for, and what the package says of a channel in a field.

use crate::{
    context::{Blocking, FunctionContext},
    flow::Held,
    syntax::ast::{Expression, ExpressionKind, StatementKind, UnaryOperator},
};

/// Whether the wait is what the lock is for, or has its end already.
pub(super) fn is_its_purpose(
    context: &FunctionContext<'_, '_, '_>,
    blocking: &Blocking,
    lock: &Held,
) -> bool {
    match blocking.what {
        "receive" => {
            let text = context.text(blocking.span);
            let channel = text.trim_start_matches("<-").trim();
            is_stopped_timer(context, channel)
                || is_handed_back(context, channel)
                || is_ended_before(context, blocking, lock)
                || in_turns(context) && root(channel) == root(&lock.path)
        }
        "select" => takes_turns(context, blocking, lock),
        _ => false,
    }
}

/// `if !timer.Stop() { <-timer.C }`: its tick is there.
fn is_stopped_timer(context: &FunctionContext<'_, '_, '_>, channel: &str) -> bool {
    let Some(timer) = channel.strip_suffix(".C") else { return false };
    context.calls().iter().any(|(_, call)| {
        call.function
            .as_selector()
            .is_some_and(|(operand, name)| name == "Stop" && context.text(operand.span) == timer)
    })
}

/// A channel that holds one thing, which is put back by the same function.
fn is_handed_back(context: &FunctionContext<'_, '_, '_>, channel: &str) -> bool {
    let Some(body) = &context.declared.function.body else { return false };
    let is_it = |sent: &Expression<'_>| context.text(sent.span) == channel;
    let mut found = false;
    body.walk(&mut |statement| {
        if let StatementKind::Send { channel, .. } = &statement.kind {
            found |= is_it(channel);
        }
    });
    // In functions within: what is deferred, or called later.
    body.walk_all_expressions(&mut |expression| {
        let ExpressionKind::Function(literal) = &expression.kind else { return };
        literal.body.walk(&mut |statement| {
            if let StatementKind::Send { channel, .. } = &statement.kind {
                found |= is_it(channel);
            }
        });
    });
    found
}

/// Whether what is waited for was told to end after the lock was taken.
fn is_ended_before(
    context: &FunctionContext<'_, '_, '_>,
    blocking: &Blocking,
    lock: &Held,
) -> bool {
    context.calls().iter().any(|(expression, call)| {
        let between =
            expression.span.start > lock.span.end && expression.span.end <= blocking.span.start;
        let name = context.callee(call).name.to_ascii_lowercase();
        between && ["cancel", "stop", "kill"].iter().any(|verb| name.contains(verb))
    })
}

/// A function that writes or reads, and waits only for channels of what its lock belongs to: the lock makes
/// its callers take turns.
fn takes_turns(context: &FunctionContext<'_, '_, '_>, blocking: &Blocking, lock: &Held) -> bool {
    if !in_turns(context) {
        return false;
    }
    let is_own = |channel: &Expression<'_>| root(context.text(channel.span)) == root(&lock.path);
    let mut own = true;
    context.body().walk(&mut |statement| {
        let StatementKind::Select(select) = &statement.kind else { return };
        if !blocking.span.contains(statement.span) && !statement.span.contains(blocking.span) {
            return;
        }
        for communication in select.cases.iter().filter_map(|case| case.communication.as_ref()) {
            if let StatementKind::Send { channel, .. } = &communication.kind {
                own &= is_own(channel);
                continue;
            }
            communication.for_each_expression(&mut |expression| {
                if let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
                    &expression.bare().kind
                {
                    own &= is_own(operand);
                }
            });
        }
    });
    own
}

/// Whether it writes or reads, by its name.
fn in_turns(context: &FunctionContext<'_, '_, '_>) -> bool {
    let name = context.declared.function.name.name.to_ascii_lowercase();
    ["write", "read", "send", "recv"].iter().any(|verb| name.starts_with(verb))
}

fn root(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// What starts something is called once, before anybody else wants the lock.
pub(super) fn starts(context: &FunctionContext<'_, '_, '_>) -> bool {
    let name = context.declared.function.name.name.to_ascii_lowercase();
    ["new", "start", "init", "setup"].iter().any(|verb| name.starts_with(verb))
}

/// Whether the file belongs to tests, by the folder it is in.
pub(super) fn is_for_tests(context: &FunctionContext<'_, '_, '_>) -> bool {
    context
        .file
        .path
        .split('/')
        .any(|part| matches!(part, "test" | "tests" | "testing" | "testutil" | "e2e"))
}

/// Whether the channels that the package puts into a field have a buffer: none where it makes none, or both.
pub(super) fn field_is_buffered(
    context: &FunctionContext<'_, '_, '_>,
    field: &str,
) -> Option<bool> {
    let (mut with, mut without) = (false, false);
    let mut made = |value: &Expression<'_>| {
        let Some(call) = value.bare().as_call() else { return };
        let Some(ty) = call.arguments.first() else { return };
        if call.function.as_name() == Some("make")
            && matches!(ty.kind, ExpressionKind::Channel { .. })
        {
            *(if call.arguments.len() > 1 { &mut with } else { &mut without }) = true;
        }
    };
    for declared in context.package.bodies() {
        let Some(body) = &declared.function.body else { continue };
        body.walk(&mut |statement| {
            let StatementKind::Assign(assign) = &statement.kind else { return };
            for (left, right) in assign.left.iter().zip(&assign.right) {
                if left.as_selector().is_some_and(|(_, name)| name == field) {
                    made(right);
                }
            }
        });
        body.walk_all_expressions(&mut |expression| {
            if let ExpressionKind::KeyValue { key, value } = &expression.kind
                && key.as_name() == Some(field)
            {
                made(value);
            }
        });
    }
    (with != without).then_some(with)
}
