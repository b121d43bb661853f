use super::{Findings, mend};
use crate::{
    context::{Deferred, FunctionContext, is_release},
    finding::{Edit, Finding, Safety},
    flow::{Exit, LockCall, NodeId, NodeKind, lock_call},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{
            BinaryOperator, Block, BranchKind, Expression, ExpressionKind, LiteralKind, Statement,
            StatementKind,
        },
    },
    types::{Definition, Type, UseKind, Variable, VariableId},
};

/// A defer in a loop runs when the function ends, not when the turn does.
pub(super) static RULE: Rule = Rule {
    code: "defer-in-loop",
    summary: "a defer in a loop runs when the function ends, not at the end of each turn",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/defer-in-loop.md"),
};

/// A loop that is written to turn no oftener than this holds little for a short time.
const FEW_TURNS: u64 = 8;

/// A loop with more statements than the lock and the `defer` does its work under the lock of each turn.
const LOCK_AND_DEFER: usize = 2;

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let graph = context.graph();
    if graph.is_cut {
        return;
    }
    for deferred in context.defers() {
        // One that always leaves the loop, by return or break, runs once. A loop may be made of `goto`.
        let Some(node) = graph.at(deferred.statement.span) else { continue };
        if !graph.repeats(node) {
            continue;
        }
        let around = Loop::around(context, deferred);
        let (message, help) = said(context, deferred, node, around.as_ref());
        let mut finding = Finding::new(&RULE, deferred.statement.span, message).help(help);
        if context.is_test() || around.as_ref().is_some_and(|it| is_meant(context, deferred, it)) {
            finding = finding.confidence(Confidence::Low);
        } else if lock_call(context, deferred.call).is_some()
            && around.as_ref().is_some_and(|it| it.is_of_head(context, deferred))
        {
            finding = finding.confidence(Confidence::Medium);
        }
        if let Some(edits) = around.and_then(|it| at_the_end(context, deferred, it.body)) {
            let title = "call it at the end of the turn";
            finding = finding.fix(mend::fix(title, Safety::Unsafe, edits));
        }
        findings.push(finding);
    }
}

fn said<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    node: NodeId,
    around: Option<&Loop<'p, 't>>,
) -> (String, &'static str) {
    let name = context.name();
    if let Some(LockCall::Unlock { path, .. }) = lock_call(context, deferred.call)
        && let Some(around) = around
        && locked_in(context, around.body, &path)
        && !around.variables.iter().any(|it| context.mentions(*it, deferred.statement.span))
    {
        let message = format!(
            "each turn of the loop locks {path} again, and all wait until {name} returns to unlock it: the second turn waits for ever"
        );
        return (
            message,
            "unlock at the end of the turn, or put the turn in a function of its own",
        );
    }
    let help = "put the turn in a function of its own, or release at the end of the turn";
    if never_leaves(context, node) {
        let message = format!(
            "each turn of the loop defers one more call, and all wait until {name} returns, which it never does"
        );
        return (message, help);
    }
    (format!("each turn of the loop defers one more call, and all wait until {name} returns"), help)
}

/// Whether no way leads out of the function from here, but a panic or the end of the process.
fn never_leaves(context: &FunctionContext<'_, '_, '_>, node: NodeId) -> bool {
    let graph = context.graph();
    !graph.all().any(|(id, it)| {
        matches!(it.kind, NodeKind::Exit(Exit::Return | Exit::End))
            && graph.reaches(node, id, &|_| false)
    })
}

fn locked_in<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    body: &'p Block<'t>,
    path: &str,
) -> bool {
    let mut found = false;
    body.walk_expressions(&mut |expression| {
        if let ExpressionKind::Call(call) = &expression.kind
            && let Some(LockCall::Lock { path: locked, .. }) = lock_call(context, call)
        {
            found |= locked == path;
        }
    });
    found
}

/// The loop that a defer is in.
struct Loop<'p, 't> {
    statement: &'p Statement<'t>,
    body: &'p Block<'t>,
    /// What is declared by its head.
    variables: Vec<VariableId>,
}

impl<'p, 't> Loop<'p, 't> {
    fn around(context: &FunctionContext<'_, 'p, 't>, deferred: Deferred<'p, 't>) -> Option<Self> {
        let enclosing = context.enclosing(deferred.statement.span);
        enclosing.into_iter().rev().find_map(|statement| {
            let body = match &statement.kind {
                StatementKind::For(it) => &it.body,
                StatementKind::Range(it) => &it.body,
                _ => return None,
            };
            let head = Span::new(statement.span.start, body.span.start);
            let declared = context.inference.resolution.all();
            let variables = declared.filter(|(_, it)| head.contains(it.span)).map(|(id, _)| id);
            Some(Self { statement, body, variables: variables.collect() })
        })
    }

    /// Whether its head declares what is released.
    fn is_of_head(
        &self,
        context: &FunctionContext<'_, 'p, 't>,
        deferred: Deferred<'p, 't>,
    ) -> bool {
        let operand = deferred.call.function.as_selector().map(|(operand, _)| operand);
        operand
            .and_then(|operand| context.inference.resolution.root(operand))
            .is_some_and(|root| self.variables.contains(&root))
    }

    /// Whether it takes what a channel gives: there is no list that was there before.
    fn receives(&self, context: &FunctionContext<'_, 'p, 't>) -> bool {
        matches!(&self.statement.kind, StatementKind::Range(it)
            if matches!(context.type_of(&it.operand), Type::Channel(_)))
    }
}

/// Whether what waits is most likely meant to: few turns, all turns of a `main`, something that was there
/// before the loop, or that others keep.
fn is_meant<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    around: &Loop<'p, 't>,
) -> bool {
    let endless =
        matches!(&around.statement.kind, StatementKind::For(it) if it.condition.is_none());
    if context.is_main() && !endless {
        return true;
    }
    let loops = context
        .enclosing(deferred.statement.span)
        .into_iter()
        .filter(|it| matches!(it.kind, StatementKind::For(_) | StatementKind::Range(_)));
    let turns: Option<u64> = loops.map(|it| turns(context, it)).product();
    if turns.is_some_and(|turns| turns <= FEW_TURNS) {
        return true;
    }
    if is_undoing(context, deferred, around)
        || is_indexed(context, deferred, around)
        || sets_result(context, deferred)
        || is_paired(context, deferred, around)
    {
        return true;
    }
    // What gives something back tells more than what is logged beside it.
    let mut calls = deferred.calls();
    calls.sort_by_key(|it| !is_release(&context.callee(it.call)));
    let Some(released) = calls.iter().find_map(|it| {
        let operand =
            it.call.function.as_selector().map_or(&it.call.function, |(operand, _)| operand);
        let first = it.call.arguments.first();
        let root = context.inference.resolution.root(operand);
        root.or_else(|| first.and_then(|first| context.inference.resolution.root(first)))
    }) else {
        return false;
    };
    let variable = context.inference.resolution.variable(released);
    // Locks that are taken one by one, to have them all.
    if variable.name.to_ascii_lowercase().contains("unlock") {
        return true;
    }
    // `for _, closer := range closers { defer closer.Close() }`, and locks that are taken one by one.
    let locks = lock_call(context, deferred.call).is_some();
    let works_on = locks
        && matches!(around.statement.kind, StatementKind::Range(_))
        && around.body.statements.len() > LOCK_AND_DEFER;
    let ranged = around.variables.contains(&released) && !around.receives(context) && !works_on
        || matches!(variable.definition, Definition::Value { expression, .. }
            if around.body.span.contains(expression.span)
                && expression.as_call().is_none()
                && context.inference.resolution.root(expression).is_some());
    // `defer op(x)()`, and what a function of the list gave.
    let called = matches!(variable.definition, Definition::Value { expression, .. }
    if expression.as_call().is_some_and(|call| {
        context.variable(&call.function).is_some_and(|it| around.variables.contains(&it))
    }));
    // In a loop without an end, what a goroutine has is the goroutine's to close.
    let handed = is_handed(context, around, released);
    let closes = deferred.call.function.as_selector().is_some();
    ranged
        || called
        || handed && !(endless && closes)
        || is_kept(context, around, released)
        || is_once(context, deferred, around)
}

/// Whether it undoes all turns when the function fails: an `if` of the literal asks for something that is not
/// of this turn, and either nothing else is done, or the function changes what it asks for.
fn is_undoing<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    around: &Loop<'p, 't>,
) -> bool {
    let Some(literal) = deferred.literal() else { return false };
    let resolution = &context.inference.resolution;
    literal.body.statements.iter().enumerate().any(|(index, statement)| {
        let StatementKind::If(it) = &statement.kind else { return false };
        let of_turn = resolution.all().any(|(id, variable)| {
            around.body.span.contains(variable.span)
                && matches!(variable.definition, Definition::Value { expression, .. } if expression.as_call().is_some())
                && context.mentions(id, it.condition.span)
        });
        let alone = index == 0
            && (literal.body.statements.len() == 1 || crate::context::leaves(&it.then));
        let decides = || {
            resolution.all().any(|(id, variable)| {
                !around.statement.span.contains(variable.span)
                    && context.mentions(id, it.condition.span)
                    && variable.uses.iter().any(|it| it.kind == UseKind::Write)
            })
        };
        it.init.is_none() && !of_turn && (alone || decides())
    })
}

/// Whether it sets a result of the function, which is only at the end: `err = recovered`.
fn sets_result<'p, 't>(context: &FunctionContext<'_, 'p, 't>, deferred: Deferred<'p, 't>) -> bool {
    let Some(literal) = deferred.literal() else { return false };
    let mut sets = false;
    literal.body.walk(&mut |statement| {
        let StatementKind::Assign(assign) = &statement.kind else { return };
        sets |= crate::context::calls_recover(&literal.body)
            && assign.left.iter().any(|left| {
                context.variable(left).is_some_and(|id| {
                    matches!(
                        context.inference.resolution.variable(id).definition,
                        Definition::Result
                    )
                })
            });
    });
    sets
}

/// Whether it takes back a step into something that lives outside, as often as the loop steps in:
/// `r.openScope()`, `defer r.closeScope()`.
fn is_paired<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    around: &Loop<'p, 't>,
) -> bool {
    let Some((operand, name)) = deferred.call.function.as_selector() else { return false };
    let outside = context.inference.resolution.root(operand).is_some_and(|root| {
        !around.statement.span.contains(context.inference.resolution.variable(root).span)
    });
    let wanted = STEPS.iter().find_map(|(out, into)| {
        let rest = name.strip_prefix(out).filter(|rest| !rest.is_empty())?;
        Some(format!("{into}{rest}"))
    });
    let Some(wanted) = wanted.filter(|_| outside) else { return false };
    let receiver = context.text(operand.span);
    let mut found = false;
    around.body.walk_expressions(&mut |expression| {
        if let Some((operand, name)) =
            expression.as_call().and_then(|call| call.function.as_selector())
        {
            found |= name == wanted && context.text(operand.span) == receiver;
        }
    });
    found
}

/// Steps out, and the steps in that they take back.
const STEPS: [(&str, &str); 8] = [
    ("close", "open"),
    ("Close", "Open"),
    ("pop", "push"),
    ("Pop", "Push"),
    ("leave", "enter"),
    ("Leave", "Enter"),
    ("exit", "enter"),
    ("Exit", "Enter"),
];

/// Whether what is released is an element of a list that lives outside: `defer files[i].Close()`.
fn is_indexed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    around: &Loop<'p, 't>,
) -> bool {
    let mut found = false;
    let StatementKind::Defer(expression) = &deferred.statement.kind else { return false };
    expression.walk(&mut |inner| {
        if let ExpressionKind::Index { operand, .. } = &inner.kind {
            let root = context.inference.resolution.root(operand);
            found |= root.is_some_and(|root| {
                !around.body.span.contains(context.inference.resolution.variable(root).span)
            });
        }
    });
    found
}

/// Whether an `if` in the loop lets it happen once: `if cache == nil { cache = …; defer … }`.
fn is_once<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    around: &Loop<'p, 't>,
) -> bool {
    context.enclosing(deferred.statement.span).into_iter().any(|statement| {
        let StatementKind::If(it) = &statement.kind else { return false };
        if !around.body.span.contains(statement.span) {
            return false;
        }
        context.inference.resolution.all().any(|(id, variable)| {
            let outside = !around.statement.span.contains(variable.span);
            outside
                && context.mentions(id, it.condition.span)
                && it.then.statements.iter().any(|inner| {
                    let mut written = false;
                    inner.walk(&mut |inner| written |= context.writes(inner, id));
                    written
                })
        })
    })
}

/// Whether the loop puts it where it lives on: in a list, a map, a field, a struct, a variable outside.
fn is_kept<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    around: &Loop<'p, 't>,
    id: VariableId,
) -> bool {
    let is_it = |expression: &Expression<'t>| {
        let bare = match &expression.bare().kind {
            ExpressionKind::Call(call)
                if call.arguments.len() == 1
                    && !matches!(call.function.as_name(), Some("len" | "cap")) =>
            {
                &call.arguments[0]
            }
            _ => expression,
        };
        // Not a number that is only read of it: `response.StatusCode`.
        let is_plain =
            bare.as_selector().is_some() && matches!(context.type_of(bare), Type::Basic(_));
        context.inference.resolution.root(bare) == Some(id) && !is_plain
    };
    let mut kept = false;
    around.body.walk(&mut |statement| {
        if let StatementKind::Assign(assign) = &statement.kind {
            let outside = assign.left.iter().any(|left| {
                let root = context.inference.resolution.root(left);
                root.is_none_or(|root| {
                    let span = context.inference.resolution.variable(root).span;
                    root != id && !around.body.span.contains(span)
                })
            });
            kept |= outside && assign.right.iter().any(is_it);
        }
        if let StatementKind::Send { value, .. } = &statement.kind {
            kept |= is_it(value);
        }
    });
    around.body.walk_expressions(&mut |expression| match &expression.kind {
        ExpressionKind::Call(call) if call.function.as_name() == Some("append") => {
            kept |= call.arguments.iter().skip(1).any(is_it);
        }
        ExpressionKind::Composite { elements, .. } => {
            kept |= elements.iter().any(|element| match &element.kind {
                ExpressionKind::KeyValue { value, .. } => is_it(value),
                _ => is_it(element),
            });
        }
        _ => {}
    });
    kept
}

/// Whether a goroutine works on with it, or with what came with it: the context of a cancel function.
fn is_handed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    around: &Loop<'p, 't>,
    id: VariableId,
) -> bool {
    let all = context.inference.resolution.all();
    let together: Vec<VariableId> = all
        .filter(|(other, variable)| *other == id || shares_definition(context, id, variable))
        .map(|(id, _)| id)
        .collect();
    let mut handed = false;
    around.body.walk(&mut |statement| {
        if let StatementKind::Go(_) = &statement.kind {
            handed |= together.iter().any(|it| context.mentions(*it, statement.span));
        }
    });
    handed
}

/// Whether a variable came of the same call as another.
fn shares_definition<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    id: VariableId,
    other: &Variable<'p, 't>,
) -> bool {
    match (context.inference.resolution.variable(id).definition, other.definition) {
        (Definition::Value { expression: a, .. }, Definition::Value { expression: b, .. }) => {
            a.span == b.span
        }
        _ => false,
    }
}

/// How often a loop turns, where it is written.
fn turns(context: &FunctionContext<'_, '_, '_>, statement: &Statement<'_>) -> Option<u64> {
    match &statement.kind {
        StatementKind::Range(it) => turns_of(context, &it.operand),
        StatementKind::For(it) => bound(context, it.condition.as_ref()?),
        _ => None,
    }
}

/// The bound that a condition sets: `i < 3`, `err != nil && i < 3`.
fn bound(context: &FunctionContext<'_, '_, '_>, condition: &Expression<'_>) -> Option<u64> {
    let ExpressionKind::Binary { operator, left, right } = &condition.bare().kind else {
        return None;
    };
    match operator {
        BinaryOperator::LogicalAnd => bound(context, left).or_else(|| bound(context, right)),
        BinaryOperator::Less | BinaryOperator::LessEqual => number(context, right),
        _ => None,
    }
}

fn turns_of(context: &FunctionContext<'_, '_, '_>, operand: &Expression<'_>) -> Option<u64> {
    match &operand.bare().kind {
        ExpressionKind::Composite { elements, .. } => Some(elements.len() as u64),
        ExpressionKind::Identifier(_) => {
            if let Some(count) = number(context, operand) {
                return Some(count);
            }
            let id = context.inference.resolution.at(operand.bare().span)?;
            let first = match context.inference.resolution.variable(id).definition {
                Definition::Value { expression, .. } => elements(expression)?,
                Definition::Zero => 0,
                _ => return None,
            };
            let mut most = first;
            for (_, value) in context.assignments(id) {
                match &value?.bare().kind {
                    ExpressionKind::Slice { .. } => {}
                    _ => most = most.max(elements(value?)?),
                }
            }
            (most > 0).then_some(most)
        }
        _ => number(context, operand),
    }
}

/// How many elements a list has that is written out.
fn elements(expression: &Expression<'_>) -> Option<u64> {
    match &expression.bare().kind {
        ExpressionKind::Composite { elements, .. } => Some(elements.len() as u64),
        _ => None,
    }
}

/// A number that is written, or a constant of the package.
fn number(context: &FunctionContext<'_, '_, '_>, expression: &Expression<'_>) -> Option<u64> {
    match expression.bare().kind {
        ExpressionKind::Literal(LiteralKind::Integer) => {
            context.text(expression.bare().span).parse().ok()
        }
        ExpressionKind::Identifier(name) => {
            let (file, spec, _) = context.package.variable(name)?;
            let index = spec.names.iter().position(|known| known.name == name)?;
            spec.values.get(index)?.span.of(file.text).parse().ok()
        }
        _ => None,
    }
}

/// The edits that make the call the last of the turn: where it stands directly in the body, and nothing
/// leaves the turn after it.
fn at_the_end<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    body: &'p Block<'t>,
) -> Option<Vec<Edit>> {
    let place = deferred.statement.span;
    let index = body.statements.iter().position(|statement| statement.span == place)?;
    let after = &body.statements[index + 1..];
    let last = after.last()?;
    let mut leaves = false;
    for statement in after {
        statement.walk(&mut |it| {
            leaves |= match &it.kind {
                StatementKind::Return(_) => true,
                StatementKind::Branch { kind, .. } => *kind != BranchKind::Fallthrough,
                _ => false,
            };
        });
    }
    if leaves || deferred.literal().is_some() || matches!(last.kind, StatementKind::Defer(_)) {
        return None;
    }
    let moved = mend::whole_lines(context, place)?;
    let behind = mend::whole_lines(context, last.span)?;
    let text = context.text(place).strip_prefix("defer ")?;
    let line = format!("{}{text}\n", mend::indent(context, place));
    Some(vec![mend::replace(moved, ""), mend::insert(behind.end, line)])
}
