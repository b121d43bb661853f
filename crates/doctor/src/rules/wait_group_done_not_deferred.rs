use super::Findings;
use crate::{
    context::FunctionContext,
    finding::Finding,
    flow::{Edge, Exit, Node, NodeId, NodeKind, Step, search},
    rule::{Confidence, Rule, Severity},
    syntax::ast::{Expression, ExpressionKind, Statement, StatementKind},
    types::{Definition, Type, UseKind},
};

/// A goroutine that ends without `Done` leaves whoever waits waiting.
pub(super) static RULE: Rule = Rule {
    code: "wait-group-done-not-deferred",
    summary: "a goroutine can end without calling Done of its wait group, and Wait then never returns",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/wait-group-done-not-deferred.md"),
};

const HELP: &str = "whoever waits for the group waits for ever, and the request with it; defer Done() in the \
                    first line of the goroutine";

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    never_done(context, findings);
    let mut seen: Vec<String> = Vec::new();
    for done in dones(context) {
        if !seen.contains(&done.path) {
            findings.extend(look(context, &done));
            seen.push(done.path);
        }
    }
}

/// A wait group of this function that is added to and waited for, and that nobody else ever has.
fn never_done(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for (_, group) in context.inference.resolution.all() {
        let is_own =
            group.function == context.mark() && matches!(group.definition, Definition::Zero);
        if !is_own || !group.ty.is_named("sync", "WaitGroup") {
            continue;
        }
        let calls = |method: &str| {
            let mut calls = group
                .uses
                .iter()
                .filter(|used| context.file.text[used.span.end as usize..].starts_with(method));
            calls.next().copied()
        };
        let all_known = group.uses.iter().all(|used| {
            let behind = &context.file.text[used.span.end as usize..];
            used.kind == UseKind::Read
                && [".Add(", ".Wait("].iter().any(|method| behind.starts_with(method))
        });
        if let (true, Some(_), Some(wait)) = (all_known, calls(".Add("), calls(".Wait(")) {
            let name = group.name;
            let message = format!("nobody calls {name}.Done(), so {name}.Wait() blocks for ever");
            findings.push(Finding::new(&RULE, wait.span, message).help(HELP));
        }
    }
}

fn look<'p, 't>(context: &FunctionContext<'_, 'p, 't>, done: &Done<'p, 't>) -> Option<Finding> {
    let path = &done.path;
    let judge = |_, node: &Node<'p, 't>| match node.kind {
        NodeKind::Exit(Exit::Return | Exit::End) => Step::Goal,
        _ if mentions(node, path) => Step::Wall,
        _ => Step::On,
    };
    // `if wg != nil { wg.Done() }`
    let passes = |edge: &Edge<'p, 't>| {
        !edge.when.is_some_and(|fact| context.text(fact.condition.span).contains(path))
    };
    if let Some(left) = search(context, NodeId::ENTRY, &judge, &passes) {
        let span = context.graph().node(left).span;
        let line = context.line(span);
        let message = format!(
            "{path}.Done() is not called when the goroutine leaves at line {line}, and Wait blocks for ever"
        );
        let finding = Finding::new(&RULE, done.statement.span, message);
        return Some(finding.related(span, "it leaves here").help(HELP));
    }
    let call = first_call(context, done.statement)?;
    let confidence = match context.recovers() {
        Some(_) => Confidence::Medium,
        None => Confidence::Low,
    };
    let message = format!("a panic in {call} skips {path}.Done(), as it is not deferred");
    Some(Finding::new(&RULE, done.statement.span, message).confidence(confidence).help(HELP))
}

struct Done<'p, 't> {
    path: String,
    statement: &'p Statement<'t>,
}

/// The statements that call `Done` in a goroutine, outside of loops: in a loop it stands for one turn.
fn dones<'p, 't>(context: &FunctionContext<'_, 'p, 't>) -> Vec<Done<'p, 't>> {
    let mut found = Vec::new();
    context.body().walk(&mut |statement| {
        let StatementKind::Expression(expression) = &statement.kind else { return };
        let Some(call) = expression.as_call() else { return };
        let Some((operand, "Done")) = call.function.as_selector() else { return };
        if !call.arguments.is_empty() || !is_wait_group(context, operand) {
            return;
        }
        let node = context.graph().at(statement.span);
        if let (Some(path), Some(node)) = (operand.as_path(), node)
            && context.graph().node(node).loops == 0
        {
            found.push(Done { path, statement });
        }
    });
    let runs =
        found.is_empty() || context.is_goroutine() || is_worker(context) || is_started(context);
    if !runs {
        found.clear();
    }
    found
}

/// A declared function that its package starts as a goroutine, by its name: `go p.worker()`.
fn is_started(context: &FunctionContext<'_, '_, '_>) -> bool {
    if context.literal.is_some() {
        return false;
    }
    let name = context.declared.function.name.name;
    let is_method = context.declared.function.receiver.is_some();
    context.package.bodies().filter_map(|it| it.function.body.as_ref()).any(|body| {
        let mut found = false;
        body.walk(&mut |statement| {
            let StatementKind::Go(started) = &statement.kind else { return };
            let Some(call) = started.as_call() else { return };
            found |= match call.function.as_selector() {
                Some((_, method)) => is_method && method == name,
                None => !is_method && call.function.as_name() == Some(name),
            };
        });
        found
    })
}

/// A declared function that is given a wait group.
fn is_worker(context: &FunctionContext<'_, '_, '_>) -> bool {
    context.literal.is_none()
        && context.signature().parameters.iter().any(|parameter| {
            context.inference.read_type(&parameter.ty).is_or_points_to("sync", "WaitGroup")
        })
}

fn is_wait_group<'t>(context: &FunctionContext<'_, '_, 't>, operand: &Expression<'t>) -> bool {
    match context.type_of(operand) {
        Type::Unknown => operand.as_path().is_some_and(|path| {
            let last = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            last == "wg" || last.contains("waitgroup")
        }),
        ty => ty.is_or_points_to("sync", "WaitGroup"),
    }
}

/// Whether a step has `wg.Done` in it, called or given away, also in a function within.
fn mentions(node: &Node<'_, '_>, path: &str) -> bool {
    let (NodeKind::Statement(statement) | NodeKind::Communication(statement)) = node.kind else {
        return false;
    };
    let is_it = |expression: &Expression<'_>| {
        expression.as_selector().is_some_and(|(operand, name)| {
            name == "Done" && operand.as_path().is_some_and(|it| it == path)
        })
    };
    let mut found = false;
    statement.for_each_expression(&mut |expression| {
        expression.walk(&mut |part| {
            found |= is_it(part);
            if let ExpressionKind::Function(literal) = &part.kind {
                literal.body.walk_all_expressions(&mut |inner| found |= is_it(inner));
            }
            // `done(wg)`
            if let ExpressionKind::Call(call) = &part.kind {
                found |= call.arguments.iter().any(|it| it.as_path().is_some_and(|it| it == path));
            }
        });
    });
    found
}

/// The first call before the `Done` that may panic: of the package or of a variable, not of the table.
fn first_call<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    done: &'p Statement<'t>,
) -> Option<String> {
    let defers = context.defers();
    context.calls().into_iter().find_map(|(expression, call)| {
        let callee = context.callee(call);
        let is_unknown = callee.entry.is_none() && callee.package != "builtin";
        let is_deferred = defers.iter().any(|it| it.statement.span.contains(expression.span));
        let is_before = expression.span.end <= done.span.start;
        (is_before && is_unknown && !is_deferred && callee.literal.is_none())
            .then(|| format!("{}()", context.text(call.function.span)))
    })
}
