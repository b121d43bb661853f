use std::collections::HashMap;

use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{LockCall, Node, NodeId, NodeKind, Step, lock_call, search},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{
            AssignOperator, Block, Call, Expression, ExpressionKind, Statement, StatementKind,
            UnaryOperator,
        },
    },
};

/// What is closed twice: a channel panics, a file answers an error, a descriptor may be somebody else's.
pub(super) static RULE: Rule = Rule {
    code: "double-close",
    summary: "a channel, a file or a descriptor is closed twice, or a lock unlocked twice, on one path",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/double-close.md"),
};

/// What is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Channel,
    /// The second `Close` answers an error; it matters where that error is looked at.
    File,
    Descriptor,
    /// The second unlock of a lock that nobody holds ends the process.
    Lock,
    ReadLock,
}

struct Close {
    what: What,
    path: String,
    node: NodeId,
    span: Span,
    deferred: bool,
    /// Whether somebody looks at what it answers.
    checked: bool,
}

pub(super) fn check<'p, 't>(context: &FunctionContext<'_, 'p, 't>, findings: &mut Findings) {
    let closes = closes(context);
    let mut by_path: HashMap<(What, &str), Vec<&Close>> = HashMap::new();
    for close in &closes {
        by_path.entry((close.what, &close.path)).or_default().push(close);
    }
    for close in &closes {
        let others = &by_path[&(close.what, close.path.as_str())];
        if let Some(other) = again(context, close, others) {
            findings.push(finding(context, close, other));
        } else if close.what == What::Channel && by_each_goroutine(context, close) {
            let message = format!(
                "{} is closed by each goroutine of the loop: the second one panics",
                close.path
            );
            findings.push(
                Finding::new(&RULE, close.span, message)
                    .help("close it once, behind the Wait for all of them"),
            );
        }
    }
}

/// What closes it once more, when `close` has run.
fn again<'a, 'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    close: &Close,
    others: &[&'a Close],
) -> Option<&'a Close> {
    if close.deferred && close.what == What::File {
        return None;
    }
    // Of a deferred one and one that is not, the latter is reported.
    let is_second = |other: &Close| {
        let is_looked_at = close.what != What::File || other.checked;
        is_looked_at && (other.deferred || !close.deferred)
    };
    let judge = |id: NodeId, node: &Node<'p, 't>| {
        if others.iter().any(|other| other.node == id && is_second(other)) {
            Step::Goal
        } else if renews(context, node, close) {
            Step::Wall
        } else {
            Step::On
        }
    };
    let passes = |_: &_| true;
    if let Some(found) = search(context, close.node, &judge, &passes) {
        let other = others.iter().find(|other| other.node == found)?;
        let is_loop = found == close.node;
        // A turn that comes again is most often kept from it by a flag; see `is_guarded`.
        let is_kept_from_it = match is_loop {
            true => {
                is_guarded(context, close.span)
                    || context.graph().all().any(|(_, node)| renews(context, node, close))
            }
            false => have_same_condition(context, close.span, other.span),
        };
        if !is_kept_from_it {
            return Some(other);
        }
    }
    // A `defer` that stands before, and runs after.
    others.iter().copied().find(|other| {
        let runs_both = |id, node: &Node<'p, 't>| {
            if id == close.node {
                Step::Goal
            } else if renews(context, node, close) {
                Step::Wall
            } else {
                Step::On
            }
        };
        other.deferred
            && !close.deferred
            && is_second(other)
            && search(context, other.node, &runs_both, &passes).is_some()
            && !renewed_after(context, close)
    })
}

/// Whether it stands in a goroutine that a loop starts, for a channel that is made before the loop.
fn by_each_goroutine(context: &FunctionContext<'_, '_, '_>, close: &Close) -> bool {
    let Some(place) = context.literal.as_ref().filter(|_| context.is_goroutine()) else {
        return false;
    };
    if is_guarded(context, close.span) || close.path.contains('.') {
        return false;
    }
    let resolution = &context.inference.resolution;
    let made = resolution.all().find(|(_, variable)| {
        variable.name == close.path
            && variable.uses.iter().any(|used| close.span.contains(used.span))
    });
    let Some((_, made)) = made else { return false };
    let Some(body) = &context.declared.function.body else { return false };
    let mut in_loop = false;
    body.walk(&mut |statement| {
        let leaves = |block: &Block<'_>| {
            matches!(
                block.statements.last().map(|last| &last.kind),
                Some(StatementKind::Return(_) | StatementKind::Branch { .. })
            )
        };
        let block = match &statement.kind {
            StatementKind::For(it) => &it.body,
            StatementKind::Range(it) => &it.body,
            _ => return,
        };
        in_loop |= block.span.contains(place.span)
            && !statement.span.contains(made.span)
            && !leaves(block);
    });
    in_loop
}

/// Whether every way on from a close gives the name another value: `done = make(chan struct{})`, `f = nil`.
fn renewed_after<'p, 't>(context: &FunctionContext<'_, 'p, 't>, close: &Close) -> bool {
    let judge = |_: NodeId, node: &Node<'p, 't>| match node.kind {
        NodeKind::Exit(_) => Step::Goal,
        _ if renews(context, node, close) => Step::Wall,
        _ => Step::On,
    };
    search(context, close.node, &judge, &|_| true).is_none()
}

fn renews<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: &Node<'p, 't>,
    close: &Close,
) -> bool {
    let path = &close.path;
    if matches!(close.what, What::Lock | What::ReadLock) {
        let NodeKind::Statement(statement) = node.kind else { return false };
        let mut locks = false;
        // Locked again, or waited for with the lock: `if !mu.TryLock()` is not looked at.
        statement.for_each_expression(&mut |expression| {
            locks |= context.text(expression.span).contains("Lock()")
                && !matches!(
                    expression.as_call().and_then(|call| call.function.as_selector()),
                    Some((_, "Unlock" | "RUnlock"))
                );
        });
        if locks && !matches!(statement.kind, StatementKind::Defer(_)) {
            return true;
        }
    }
    let covers = |expression: &Expression<'_>| {
        expression.as_path().is_some_and(|it| {
            path.strip_prefix(it.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    match node.kind {
        NodeKind::Statement(statement) | NodeKind::Communication(statement) => {
            match &statement.kind {
                StatementKind::Assign(assign) => assign.left.iter().any(covers),
                StatementKind::Declaration(_) => true,
                _ => false,
            }
        }
        NodeKind::Range(range) => range.key.iter().chain(&range.value).any(covers),
        _ => false,
    }
}

/// Whether it stands in an `if` or a `select`, which may keep it from running again.
fn is_guarded(context: &FunctionContext<'_, '_, '_>, span: Span) -> bool {
    let mut guarded = false;
    context.body().walk(&mut |statement| {
        guarded |= statement.span.contains(span)
            && matches!(
                statement.kind,
                StatementKind::If(_) | StatementKind::Select(_) | StatementKind::Switch(_)
            );
    });
    guarded
}

/// Whether both stand under conditions with the same text, which what is done there may have changed.
fn have_same_condition(context: &FunctionContext<'_, '_, '_>, one: Span, other: Span) -> bool {
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    context.body().walk(&mut |statement| {
        let StatementKind::If(it) = &statement.kind else { return };
        let text = context.text(it.condition.span);
        if it.then.span.contains(one) {
            of_one.push(text);
        }
        if it.then.span.contains(other) {
            of_other.push(text);
        }
    });
    of_one.iter().any(|text| of_other.contains(text))
}

fn finding(context: &FunctionContext<'_, '_, '_>, close: &Close, other: &Close) -> Finding {
    let path = &close.path;
    let line = context.line(other.span);
    let both = match other.deferred {
        true => format!("again by the defer at line {line}"),
        false if other.span == close.span => "again in the next turn of the loop".to_owned(),
        false => format!("again at line {line}"),
    };
    let (message, help) = match close.what {
        What::Channel => (
            format!("{path} is closed here and {both}, which panics"),
            "close it in one place, by its only sender; or in a sync.Once",
        ),
        What::File => (
            format!("{path} is closed here and {both}, whose error is looked at and never nil"),
            "the second Close answers \"already closed\", so what succeeded is told as failed",
        ),
        What::Lock | What::ReadLock => (
            format!("{path} is unlocked here and {both}, which ends the process"),
            "\"unlock of unlocked mutex\" cannot be recovered from; unlock in one place",
        ),
        What::Descriptor => (
            format!("{path} is closed here and {both}, when it may be somebody else's"),
            "the number is free after the first close: the second one may close another request's connection",
        ),
    };
    Finding::new(&RULE, close.span, message).related(other.span, "closed again here").help(help)
}

fn closes<'p, 't>(context: &FunctionContext<'_, 'p, 't>) -> Vec<Close> {
    let mut found = Vec::new();
    let mut add = |statement: &'p Statement<'t>, call: &'p Call<'t>, deferred, checked| {
        let Some((what, path)) = closed(context, call) else { return };
        if what == What::Channel && is_selected(context, statement.span, &path) {
            return;
        }
        if let Some(node) = context.graph().at(statement.span) {
            found.push(Close { what, path, node, span: statement.span, deferred, checked });
        }
    };
    context.body().walk(&mut |statement| match &statement.kind {
        StatementKind::Expression(expression) => {
            if let Some(call) = expression.as_call() {
                add(statement, call, false, false);
            }
        }
        StatementKind::Return(values) => {
            for call in values.iter().filter_map(|value| value.bare().as_call()) {
                add(statement, call, false, true);
            }
        }
        StatementKind::Assign(assign) => {
            let checked = assign.left.iter().any(|left| left.as_name() != Some("_"));
            for call in assign.right.iter().filter_map(|value| value.bare().as_call()) {
                add(statement, call, false, checked);
            }
        }
        StatementKind::Defer(expression) => {
            let Some(call) = expression.as_call() else { return };
            match call.function.as_literal() {
                None => add(statement, call, true, false),
                Some(literal) => {
                    for inner in &literal.body.statements {
                        // What it unlocks it has locked.
                        if let StatementKind::Expression(expression) = &inner.kind
                            && let Some(call) = expression.as_call()
                            && let Some(LockCall::Lock { .. }) = lock_call(context, call)
                        {
                            break;
                        }
                        deferred_close(context, inner, &mut |call, checked| {
                            add(statement, call, true, checked);
                        });
                    }
                }
            }
        }
        _ => {}
    });
    found
}

/// A close that a deferred function runs whatever happened; checked where its error becomes a result.
fn deferred_close<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    add: &mut dyn FnMut(&'p Call<'t>, bool),
) {
    match &statement.kind {
        StatementKind::Expression(expression) => {
            if let Some(call) = expression.as_call() {
                add(call, false);
            }
        }
        StatementKind::If(it) => {
            let Some(StatementKind::Assign(assign)) = it.init.as_ref().map(|init| &init.kind)
            else {
                return;
            };
            let Some(call) = assign.right.first().and_then(|value| value.bare().as_call()) else {
                return;
            };
            let results = &context.signature().results;
            let sets_result = it.then.statements.iter().any(|inner| match &inner.kind {
                StatementKind::Assign(assign) => assign.left.iter().any(|left| {
                    let names = results.iter().flat_map(|result| &result.names);
                    left.as_name().is_some_and(|left| names.clone().any(|name| name.name == left))
                }),
                _ => false,
            });
            let tells_apart = context.text(it.then.span).contains("ErrClosed")
                || context.text(it.condition.span).contains("ErrClosed");
            add(call, sets_result && !tells_apart);
        }
        _ => {}
    }
}

fn closed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
) -> Option<(What, String)> {
    let callee = context.callee(call);
    if callee.is_builtin("close") {
        return Some((What::Channel, call.arguments.first()?.as_path()?));
    }
    if callee.is("syscall", "Close") || callee.is("golang.org/x/sys/unix", "Close") {
        return Some((What::Descriptor, call.arguments.first()?.as_path()?));
    }
    match lock_call(context, call) {
        Some(LockCall::Unlock { path, reads: false }) => return Some((What::Lock, path)),
        Some(LockCall::Unlock { path, reads: true }) => return Some((What::ReadLock, path)),
        _ => {}
    }
    let (operand, name) = call.function.as_selector()?;
    if let Some(field) = closed_field(context, call) {
        return Some((What::Channel, format!("{}.{field}", operand.as_path()?)));
    }
    if name != "Close" {
        return None;
    }
    let ty = context.type_of(operand);
    let answers_an_error = matches!(
        ty.name()?,
        ("os", "File")
            | ("net", "Conn" | "TCPConn" | "UDPConn" | "UnixConn" | "Listener" | "TCPListener")
            | ("database/sql", "Conn")
            | ("archive/zip", "Writer")
    );
    let is_variable = context.variable(operand).is_some();
    (answers_an_error && is_variable).then(|| Some((What::File, operand.as_path()?)))?
}

/// The field of its receiver that a method of the package closes whenever it is called: `close(w.quit)` that
/// stands in its body itself, before which nothing leaves, of a channel that nobody makes anew.
fn closed_field<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
) -> Option<&'t str> {
    let declared = context.callee(call).declared.filter(|_| !context.is_test())?;
    let receiver = declared.function.receiver.as_ref()?.names.first()?.name;
    let body = declared.function.body.as_ref()?;
    let field = body
        .statements
        .iter()
        .map_while(|statement| match &statement.kind {
            StatementKind::Expression(expression) => Some(expression.as_call()),
            StatementKind::Assign(_) | StatementKind::Defer(_) => Some(None),
            _ => None,
        })
        .flatten()
        .find_map(|call| {
            let closes = call.function.as_name() == Some("close");
            let (operand, name) = call.arguments.first()?.as_selector().filter(|_| closes)?;
            (operand.as_name() == Some(receiver)).then_some(name)
        })?;
    let is_made_anew = context.package.bodies().any(|it| {
        let mut found = false;
        if let Some(body) = &it.function.body {
            body.walk(&mut |statement| {
                let StatementKind::Assign(assign) = &statement.kind else { return };
                found |= assign
                    .left
                    .iter()
                    .any(|left| matches!(left.as_selector(), Some((_, name)) if name == field));
            });
        }
        found
    });
    (!is_made_anew).then_some(field)
}

/// `select { case <-done: default: close(done) }`
fn is_selected(context: &FunctionContext<'_, '_, '_>, span: Span, path: &str) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        let StatementKind::Select(select) = &statement.kind else { return };
        if !statement.span.contains(span) {
            return;
        }
        let receives = |statement: &Statement<'_>| {
            let value = match &statement.kind {
                StatementKind::Expression(value) => value,
                StatementKind::Assign(assign)
                    if !matches!(assign.operator, AssignOperator::Compound(_)) =>
                {
                    match assign.right.first() {
                        Some(value) => value,
                        None => return false,
                    }
                }
                _ => return false,
            };
            matches!(&value.bare().kind, ExpressionKind::Unary { operator: UnaryOperator::Receive, operand }
                if operand.as_path().is_some_and(|it| it == path))
        };
        found |= select.cases.iter().filter_map(|case| case.communication.as_ref()).any(receives);
    });
    found
}
