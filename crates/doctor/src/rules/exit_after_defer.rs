use super::Findings;
use crate::{
    context::{Deferred, FunctionContext, calls_recover},
    finding::Finding,
    flow::{Exit, Node, NodeKind},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, StatementKind},
    },
    types::Definition,
};

/// The process ends while deferred calls wait.
pub(super) static RULE: Rule = Rule {
    code: "exit-after-defer",
    summary: "the process exits while deferred calls wait: they never run",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/exit-after-defer.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let defers = context.defers();
    if defers.is_empty() {
        return;
    }
    let is_test_main = context.declared.function.name.name == "TestMain";
    if context.is_test() && !is_test_main {
        return;
    }
    let graph = context.graph();
    let nodes: Vec<_> = defers
        .iter()
        .filter_map(|deferred| Some((deferred, graph.at(deferred.statement.span)?)))
        .collect();
    let mut unsure = None;
    for (exit, node) in graph.all() {
        let Some((how, asks)) = ending(context, node) else { continue };
        let waiting: Vec<&Deferred<'_, '_>> = nodes
            .iter()
            .filter(|(_, from)| graph.reaches(*from, exit, &|_| false))
            .filter(|(deferred, _)| !is_done_by_hand(context, deferred, node.span))
            .map(|(deferred, _)| *deferred)
            .collect();
        let lost = waiting.iter().find(|deferred| is_lost(context, deferred));
        let Some(first) = lost.or(waiting.first()) else { continue };
        let what = match first.literal() {
            Some(_) => "a deferred function".to_owned(),
            None => format!("{} that was deferred", context.text(first.call.function.span)),
        };
        let message = match asks {
            true => {
                format!("{how} ends the process where it is given an error, and {what} never runs")
            }
            false => format!("{how} ends the process, and {what} never runs"),
        };
        let finding = Finding::new(&RULE, node.span, message)
            .help("return an error, or do the work in a function of its own and exit after it")
            .related(first.statement.span, "deferred here");
        // The first says it for the whole function. What the kernel does at the end of a process needs no
        // defer.
        if lost.is_some() {
            findings.push(finding);
            return;
        }
        if !asks {
            unsure.get_or_insert(finding.confidence(Confidence::Low));
        }
    }
    findings.extend(unsure);
}

/// Whether the function that is deferred is also called just before the process ends.
fn is_done_by_hand(
    context: &FunctionContext<'_, '_, '_>,
    deferred: &Deferred<'_, '_>,
    exit: Span,
) -> bool {
    let Some((list, index)) = context.list_around(exit) else { return false };
    let wanted: Vec<&str> =
        deferred.calls().iter().map(|it| context.text(it.call.function.span)).collect();
    list[..index].iter().any(|statement| {
        let mut found = false;
        if !matches!(statement.kind, StatementKind::Defer(_)) {
            statement.walk_expressions(&mut |expression| {
                found |= expression
                    .as_call()
                    .is_some_and(|call| wanted.contains(&context.text(call.function.span)));
            });
        }
        found
    })
}

/// What ends the process at a step, and whether it does only where it is given an error: `check(err)`.
fn ending<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: &Node<'p, 't>,
) -> Option<(String, bool)> {
    match node.kind {
        NodeKind::Exit(Exit::Process) => Some((ends_process(context, node.span)?, false)),
        NodeKind::Statement(statement) => {
            let StatementKind::Expression(expression) = &statement.kind else { return None };
            let call = expression.as_call()?;
            let declared = context.callee(call).declared?;
            let name = context.text(call.function.span).to_owned();
            context.exits_on_error(declared).then_some((name, true))
        }
        _ => None,
    }
}

/// The name of the call at this place, if it ends the process and not only the goroutine: `Goexit`, and
/// `FailNow` with it, run what was deferred.
fn ends_process(context: &FunctionContext<'_, '_, '_>, place: Span) -> Option<String> {
    let mut found = None;
    context.body().walk(&mut |statement| {
        if statement.span == place
            && let StatementKind::Expression(expression) = &statement.kind
        {
            found = expression.as_call();
        }
    });
    let call = found?;
    let callee = context.callee(call);
    let goroutine = callee.name == "Goexit"
        || callee.package == "testing"
        || callee.package.starts_with("github.com/stretchr/testify");
    (!goroutine).then(|| context.text(call.function.span).to_owned())
}

/// Whether something is lost when this never runs. What the kernel does at the end of a process needs no defer:
/// it closes files and connections, and nobody waits for a lock or a context any more.
fn is_lost<'p, 't>(context: &FunctionContext<'_, 'p, 't>, deferred: &Deferred<'p, 't>) -> bool {
    let body = match deferred.literal() {
        Some(literal) => Some(&literal.body),
        None => context.callee(deferred.call).declared.and_then(|it| it.function.body.as_ref()),
    };
    // It is there for a panic.
    if body.is_some_and(calls_recover) {
        return false;
    }
    deferred.calls().iter().any(|it| is_lost_call(context, it.call, MAX_LOOKED_INTO))
}

fn is_lost_call<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
    levels: u32,
) -> bool {
    let callee = context.callee(call);
    if let Some(declared) = callee.declared {
        return levels > 0
            && declared
                .function
                .body
                .as_ref()
                .is_some_and(|body| loses_something(&context.of(declared), body, levels - 1));
    }
    if callee.package == "builtin" {
        return false;
    }
    let Some((operand, name)) = call.function.as_selector() else {
        return is_lost_value(context, &call.function, levels);
    };
    let leaves_traces = match (callee.package, name) {
        ("os", _) => matches!(name, "Remove" | "RemoveAll" | "Rename"),
        ("runtime/pprof", _) => matches!(name, "StopCPUProfile" | "WriteHeapProfile" | "WriteTo"),
        ("runtime/trace", _) => name == "Stop" && callee.receiver.is_none(),
        ("net/http" | "net", _) => name == "Shutdown",
        _ => LEFT_BEHIND.contains(&name),
    };
    if leaves_traces {
        return true;
    }
    // What is held elsewhere is given back by a message: it takes a context.
    let remote = call.arguments.first().is_some_and(|first| is_context(context, first));
    if remote && GIVEN_BACK.iter().any(|verb| name.starts_with(verb)) {
        return true;
    }
    matches!(name, "Close" | "Stop") && is_buffered_writer(context, operand)
}

/// How many functions of the package are looked into, one in the other, for what is lost.
const MAX_LOOKED_INTO: u32 = 2;

/// What stays as it is after the process: buffers that were not written, files, mounts, other processes.
const LEFT_BEHIND: [&str; 14] = [
    "Flush",
    "ForceFlush",
    "Sync",
    "Rollback",
    "Commit",
    "Remove",
    "RemoveAll",
    "Unmount",
    "Restore",
    "Kill",
    "Terminate",
    "Cleanup",
    "Teardown",
    "TearDown",
];

/// What is given back to a server, where it takes a context.
const GIVEN_BACK: [&str; 9] = [
    "Unlock",
    "Release",
    "Revoke",
    "Del",
    "Deregister",
    "Shutdown",
    "Resign",
    "Drop",
    "Unregister",
];

fn is_context<'p, 't>(context: &FunctionContext<'_, 'p, 't>, argument: &Expression<'t>) -> bool {
    let ty = context.type_of(argument);
    ty.name() == Some(("context", "Context")) || argument.as_name() == Some("ctx")
}

/// Whether something is lost when a body never runs; with the functions without a name in it.
fn loses_something<'p, 't>(
    there: &FunctionContext<'_, 'p, 't>,
    body: &'p Block<'t>,
    levels: u32,
) -> bool {
    let mut lost = false;
    body.walk_all_expressions(&mut |expression| {
        if let ExpressionKind::Call(call) = &expression.kind {
            lost = lost || is_lost_call(there, call, levels);
        }
    });
    lost
}

/// `defer cleanup()`, where a function of the package gave `cleanup`, or it is a literal.
fn is_lost_value<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    function: &Expression<'t>,
    levels: u32,
) -> bool {
    let Some(variable) = context.variable(function) else { return false };
    let Definition::Value { expression, .. } =
        context.inference.resolution.variable(variable).definition
    else {
        return false;
    };
    if let Some(literal) = expression.as_literal() {
        return levels > 0 && loses_something(context, &literal.body, levels - 1);
    }
    let Some(call) = expression.bare().as_call() else { return false };
    let Some(declared) = context.callee(call).declared else { return false };
    let Some(body) = &declared.function.body else { return false };
    let there = context.of(declared);
    let mut lost = false;
    body.walk_expressions(&mut |inner| {
        if let Some(literal) = inner.as_literal() {
            lost = lost || levels > 0 && loses_something(&there, &literal.body, levels - 1);
        }
    });
    lost
}

/// Whether what was written to it may still be in its buffer.
fn is_buffered_writer<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    operand: &Expression<'t>,
) -> bool {
    match context.type_of(operand).name() {
        Some(("io" | "os" | "net" | "net/http", _)) => false,
        Some((_, name)) => name.ends_with("Writer"),
        None => context.variable(operand).is_some_and(|variable| {
            matches!(context.inference.resolution.variable(variable).definition,
            Definition::Value { expression, .. }
                if expression.bare().as_call().is_some_and(|call| {
                    let name = context.callee(call).name;
                    name.starts_with("New") && name.contains("Writer")
                }))
        }),
    }
}
