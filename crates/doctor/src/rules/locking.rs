//! What the rules about locks that are not given back share.

use crate::{
    context::FunctionContext,
    flow::{LockCall, Node, NodeId, NodeKind, Step, lock_call, search},
    rule::Confidence,
    syntax::{
        Span,
        ast::{Block, Expression, ExpressionKind, Statement, StatementKind},
    },
};

/// A statement that locks.
#[derive(Debug)]
pub(super) struct Lock {
    /// What, as it is written: `s.mu`.
    pub(super) path: String,
    /// For reading only.
    pub(super) reads: bool,
    /// The statement.
    pub(super) span: Span,
    /// Its step.
    pub(super) node: NodeId,
}

impl Lock {
    pub(super) fn locks_by(&self) -> &'static str {
        if self.reads { "RLock" } else { "Lock" }
    }

    fn unlocks_by(&self) -> &'static str {
        if self.reads { "RUnlock" } else { "Unlock" }
    }
}

/// The statements of a function that lock.
pub(super) fn locks(context: &FunctionContext<'_, '_, '_>) -> Vec<Lock> {
    let mut locks = Vec::new();
    context.body().walk(&mut |statement| {
        let StatementKind::Expression(expression) = &statement.kind else { return };
        let Some(call) = expression.as_call() else { return };
        if let Some(LockCall::Lock { path, reads }) = lock_call(context, call)
            && let Some(node) = context.graph().at(statement.span)
        {
            locks.push(Lock { path, reads, span: statement.span, node });
        }
    });
    locks
}

/// The conditions that lock: `if mu.TryLock()`. Where they hold, it is locked.
pub(super) fn tries(context: &FunctionContext<'_, '_, '_>) -> Vec<Lock> {
    let mut locks = Vec::new();
    for (node, it) in context.graph().all() {
        let NodeKind::Condition(condition) = it.kind else { continue };
        let Some(call) = condition.bare().as_call() else { continue };
        let Some((operand, name)) = call.function.as_selector() else { continue };
        let ty = context.type_of(operand);
        let is_lock = ["Mutex", "RWMutex"].iter().any(|owner| ty.is_or_points_to("sync", owner));
        let reads = match name {
            "TryLock" => false,
            "TryRLock" => true,
            _ => continue,
        };
        if let Some(path) = operand.as_path().filter(|_| is_lock) {
            locks.push(Lock { path, reads, span: condition.span, node });
        }
    }
    locks
}

/// Whether a step unlocks, or gives the unlocking to somebody: `mu.Unlock` in it anywhere, also in a function
/// within, or a function of the package that unlocks a lock of that name.
pub(super) fn unlocks<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: &Node<'p, 't>,
    lock: &Lock,
) -> bool {
    let mut found = renames(node, lock);
    let mut look = |expression: &'p Expression<'t>| found |= mentions(context, expression, lock);
    match node.kind {
        NodeKind::Statement(statement)
        | NodeKind::Tag(statement)
        | NodeKind::Communication(statement) => statement.for_each_expression(&mut look),
        NodeKind::Condition(condition) => look(condition),
        _ => {}
    }
    found
}

/// Whether what has the lock gets another name, by which it may be unlocked: `node = parent`.
fn renames(node: &Node<'_, '_>, lock: &Lock) -> bool {
    let NodeKind::Statement(Statement { kind: StatementKind::Assign(assign), .. }) = node.kind
    else {
        return false;
    };
    let has_it = |path: &str| {
        lock.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    assign.right.iter().any(|value| value.as_path().is_some_and(|path| has_it(&path)))
}

fn mentions<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    expression: &'p Expression<'t>,
    lock: &Lock,
) -> bool {
    let mut found = false;
    expression.walk(&mut |part| {
        found = found
            || is_unlock(part, &lock.path, lock.unlocks_by())
            || match &part.kind {
                ExpressionKind::Function(literal) => {
                    any(&literal.body, &|it| is_unlock(it, &lock.path, lock.unlocks_by()))
                }
                ExpressionKind::Call(call) => {
                    let declared = context.callee(call).declared;
                    declared.and_then(|it| it.function.body.as_ref()).is_some_and(|body| {
                        any(body, &|it| selects(it, last(&lock.path), lock.unlocks_by()))
                    })
                }
                _ => false,
            };
    });
    found
}

fn any<'t>(body: &Block<'t>, is: &dyn Fn(&Expression<'t>) -> bool) -> bool {
    let mut found = false;
    body.walk_all_expressions(&mut |expression| found = found || is(expression));
    found
}

fn is_unlock(expression: &Expression<'_>, path: &str, method: &str) -> bool {
    expression.as_selector().is_some_and(|(operand, name)| {
        name == method && operand.as_path().is_some_and(|it| it == path)
    })
}

fn selects(expression: &Expression<'_>, field: &str, method: &str) -> bool {
    expression.as_selector().is_some_and(|(operand, name)| {
        name == method && operand.as_path().is_some_and(|it| last(&it) == field)
    })
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Whether it is unlocked before it is locked: whoever calls holds it, and wants it back.
pub(super) fn is_held_by_caller<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    lock: &Lock,
) -> bool {
    let judge = |_, node: &Node<'p, 't>| {
        let NodeKind::Statement(Statement { kind: StatementKind::Expression(expression), .. }) =
            node.kind
        else {
            return Step::On;
        };
        let Some(call) = expression.as_call() else { return Step::On };
        if is_unlock(&call.function, &lock.path, lock.unlocks_by()) {
            Step::Goal
        } else if is_unlock(&call.function, &lock.path, lock.locks_by()) {
            Step::Wall
        } else {
            Step::On
        }
    };
    search(context, NodeId::ENTRY, &judge, &|_| true).is_some()
}

/// Whether its unlocking stands before it in a function within or a `defer`, to be called later.
pub(super) fn is_unlocked_before(context: &FunctionContext<'_, '_, '_>, lock: &Lock) -> bool {
    let mut found = false;
    context.body().walk(&mut |statement| {
        if statement.span.start >= lock.span.start {
            return;
        }
        let is_plain_call = matches!(&statement.kind, StatementKind::Expression(expression)
            if expression.as_call().is_some_and(|call| call.function.as_literal().is_none()));
        if is_plain_call {
            return;
        }
        statement.for_each_expression(&mut |expression| {
            expression.walk(&mut |part| {
                found = found
                    || match &part.kind {
                        ExpressionKind::Function(literal) => {
                            any(&literal.body, &|it| is_unlock(it, &lock.path, lock.unlocks_by()))
                        }
                        _ => {
                            matches!(statement.kind, StatementKind::Defer(_))
                                && is_unlock(part, &lock.path, lock.unlocks_by())
                        }
                    };
            });
        });
    });
    found
}

/// Whether a function's name says that it locks.
pub(super) fn is_named_for_it(context: &FunctionContext<'_, '_, '_>) -> bool {
    let name = context.declared.function.name.name.to_ascii_lowercase();
    context.literal.is_none()
        && ["lock", "acquire"].iter().any(|word| name.contains(word))
        && !["unlock", "block", "clock"].iter().any(|word| name.contains(word))
}

/// How sure it is that a function which never unlocks should; none where it is meant to leave it locked: by
/// its name, because it is deferred, or because another function of the package unlocks without having locked.
pub(super) fn never_unlocked(
    context: &FunctionContext<'_, '_, '_>,
    lock: &Lock,
) -> Option<Confidence> {
    let name = context.declared.function.name.name.to_ascii_lowercase();
    let words = ["lock", "acquire", "begin", "start", "enter", "pause", "freeze", "stop", "open"];
    if context.is_deferred() || words.iter().any(|word| name.contains(word)) {
        return None;
    }
    let field = last(&lock.path);
    let (mut only_unlocks, mut only_locks) = (false, false);
    for declared in context.package.bodies() {
        let Some(body) = &declared.function.body else { continue };
        let (locks, unlocks) = (
            any(body, &|it| selects(it, field, lock.locks_by())),
            any(body, &|it| selects(it, field, lock.unlocks_by())),
        );
        only_unlocks |= unlocks && !locks;
        only_locks |=
            locks && !unlocks && !std::ptr::eq(declared.function, context.declared.function);
    }
    match (only_unlocks, only_locks) {
        (true, _) => None,
        (false, true) => Some(Confidence::Low),
        (false, false) => Some(Confidence::Medium),
    }
}
