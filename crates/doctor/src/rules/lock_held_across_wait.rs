use super::{Findings, lock_purpose};
use crate::{
    context::{Blocking, FunctionContext},
    finding::Finding,
    flow::{Held, Node, NodeKind},
    rule::{Confidence, Rule, Severity},
    syntax::ast::{ExpressionKind, StatementKind},
    types::Definition,
};

/// Everybody who wants the lock waits for what its holder waits for.
pub(super) static RULE: Rule = Rule {
    code: "lock-held-across-wait",
    summary: "a mutex is held while its holder waits: for a channel, the network, a sleep",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/lock-held-across-wait.md"),
};

/// How many functions of the package are looked into for what waits.
const LEVELS: u32 = 1;

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let graph = context.graph();
    if graph.is_cut {
        return;
    }
    // One finding for each time that a lock is taken: the wait that is the surest.
    let mut surest: Vec<(&Held, Confidence, Blocking)> = Vec::new();
    for (id, node) in graph.all() {
        let held = context.locks().at(id);
        let Some(lock) = held.first() else { continue };
        let Some(blocking) = waits(context, node) else { continue };
        let Some(confidence) = confidence(context, &blocking, lock) else { continue };
        match surest.iter_mut().find(|(known, ..)| known.span == lock.span) {
            Some(known) if known.1 >= confidence => {}
            Some(known) => *known = (lock, confidence, blocking),
            None => surest.push((lock, confidence, blocking)),
        }
    }
    for (lock, confidence, blocking) in surest {
        let message = format!(
            "{} is held while {} waits for {}: whoever wants the lock waits too",
            lock.path,
            blocking.name,
            what(blocking.what)
        );
        findings.push(
            Finding::new(&RULE, blocking.span, message)
                .confidence(confidence)
                .related(lock.span, "it is locked here")
                .help("take what is needed, unlock, and wait then"),
        );
    }
}

fn what(kind: &str) -> &'static str {
    match kind {
        "network" => "the network",
        "sleep" => "time to pass",
        "process" => "another process",
        "receive" | "select" => "a channel",
        "send" => "a receiver",
        _ => "others",
    }
}

fn waits<'p, 't>(context: &FunctionContext<'_, 'p, 't>, node: &Node<'p, 't>) -> Option<Blocking> {
    match node.kind {
        NodeKind::Select(select) => {
            let waits = select.cases.iter().all(|case| case.communication.is_some());
            waits.then(|| Blocking { what: "select", name: "a select".to_owned(), span: node.span })
        }
        NodeKind::Statement(statement) => match &statement.kind {
            StatementKind::Go(_) | StatementKind::Defer(_) => None,
            StatementKind::Send { .. } => {
                Some(Blocking { what: "send", name: "a send".to_owned(), span: statement.span })
            }
            _ => {
                let mut found = None;
                statement.for_each_expression(&mut |expression| {
                    expression.walk(&mut |expression| {
                        if found.is_none() {
                            found = context.blocking_expression(expression, LEVELS);
                        }
                    });
                });
                found
            }
        },
        NodeKind::Condition(condition) => {
            let mut found = None;
            condition.walk(&mut |expression| {
                if found.is_none() {
                    found = context.blocking_expression(expression, LEVELS);
                }
            });
            found
        }
        _ => None,
    }
}

/// How sure it is that this waits for long, if it is one of the waits that count here.
fn confidence(
    context: &FunctionContext<'_, '_, '_>,
    blocking: &Blocking,
    lock: &Held,
) -> Option<Confidence> {
    // What is called from here, one function away: only the network is sure to be far.
    let through_another = blocking.name.contains("(which calls") && blocking.what != "network";
    if lock_purpose::is_its_purpose(context, blocking, lock) {
        return None;
    }
    let confidence = match blocking.what {
        "sleep" | "process" | "receive" | "select" => Confidence::Medium,
        // Whether it has a buffer is known of a channel that is made here.
        "send" => match buffered(context, blocking) {
            Some(true) => return None,
            Some(false) => Confidence::Medium,
            None => Confidence::Low,
        },
        "network" if guards_a_connection(context, blocking, lock) => Confidence::Low,
        "network" => Confidence::Medium,
        // Most often for goroutines that are started here, whose work has an end.
        "peer" => Confidence::Low,
        // Other locks, and files: other questions.
        _ => return None,
    };
    let unlikely = context.is_main()
        || context.is_test()
        || lock_purpose::is_for_tests(context)
        || stops(context)
        || lock_purpose::starts(context)
        || lock.reads;
    Some(if unlikely || through_another { Confidence::Low } else { confidence })
}

/// Who stops something waits for it to have stopped, and nobody is to begin meanwhile.
fn stops(context: &FunctionContext<'_, '_, '_>) -> bool {
    let name = context.declared.function.name.name.to_ascii_lowercase();
    ["close", "stop", "shutdown", "drain", "disable", "teardown", "flush", "wait", "kill"]
        .iter()
        .any(|verb| name.contains(verb))
}

/// A lock that makes writers of one connection take turns has to be held while they write.
fn guards_a_connection(
    context: &FunctionContext<'_, '_, '_>,
    blocking: &Blocking,
    lock: &Held,
) -> bool {
    let io = ["Read", "Write", "Flush", "Send", "Recv", "Ping"];
    // In a function that is called from here: by what it calls.
    if let Some((_, inner)) = blocking.name.split_once("(which calls ") {
        let method = inner.trim_end_matches(')').rsplit('.').next().unwrap_or_default();
        return io.iter().any(|name| method.starts_with(name));
    }
    let text = context.text(blocking.span);
    let root = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let called = text.split('(').next().unwrap_or_default();
    let method = called.rsplit('.').next().unwrap_or_default();
    io.iter().any(|name| method.starts_with(name)) && root(called) == root(&lock.path)
}

/// Whether the channel of a send has a buffer, where it is made in the same function, or is a field that the
/// package makes.
fn buffered(context: &FunctionContext<'_, '_, '_>, blocking: &Blocking) -> Option<bool> {
    let node = context.graph().at(blocking.span)?;
    let NodeKind::Statement(statement) = context.graph().node(node).kind else { return None };
    let StatementKind::Send { channel, .. } = &statement.kind else { return None };
    if let Some((_, field)) = channel.as_selector() {
        return lock_purpose::field_is_buffered(context, field);
    }
    let variable = context.variable(channel)?;
    let Definition::Value { expression, .. } =
        context.inference.resolution.variable(variable).definition
    else {
        return None;
    };
    match &expression.bare().kind {
        ExpressionKind::Call(call) if call.function.as_name() == Some("make") => {
            Some(call.arguments.len() > 1)
        }
        _ => None,
    }
}
