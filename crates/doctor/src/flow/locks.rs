//! Which locks are held at each step.

use super::{NodeId, NodeKind};
use crate::{
    context::FunctionContext,
    syntax::{
        Span,
        ast::{Call, StatementKind},
    },
};

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is locked, as it is written: `s.mu`.
    pub path: String,
    /// Where it was locked.
    pub span: Span,
    /// Whether it is held for reading only.
    pub reads: bool,
}

/// What a call does to a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockCall {
    /// It locks.
    Lock {
        /// What, as it is written.
        path: String,
        /// For reading only.
        reads: bool,
    },
    /// It unlocks.
    Unlock {
        /// What, as it is written.
        path: String,
        /// For reading only.
        reads: bool,
    },
}

/// Whether a call locks or unlocks: a method of `sync.Mutex`, `sync.RWMutex`, `sync.Locker`, or of a struct
/// of the package that embeds one.
#[must_use]
pub fn lock_call<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
) -> Option<LockCall> {
    let (operand, name) = call.function.as_selector()?;
    if !matches!(name, "Lock" | "RLock" | "Unlock" | "RUnlock") || !call.arguments.is_empty() {
        return None;
    }
    let ty = context.inference.type_of(operand);
    let (package, owner) = ty.name()?;
    let is_lock = match package {
        "sync" => matches!(owner, "Mutex" | "RWMutex" | "Locker"),
        "" => {
            context.package.method(owner, name).is_none()
                && ["Mutex", "RWMutex"]
                    .iter()
                    .any(|lock| context.package.embeds(owner, "sync", lock))
        }
        _ => false,
    };
    let path = operand.as_path().filter(|_| is_lock)?;
    Some(match name {
        "Lock" => LockCall::Lock { path, reads: false },
        "RLock" => LockCall::Lock { path, reads: true },
        "Unlock" => LockCall::Unlock { path, reads: false },
        _ => LockCall::Unlock { path, reads: true },
    })
}

/// The locks that are held at the beginning of each step, on every path to it.
#[derive(Debug)]
pub struct Locks {
    /// None where no path leads.
    before: Vec<Option<Vec<Held>>>,
}

impl Locks {
    /// Of a function.
    #[must_use]
    pub fn new(context: &FunctionContext<'_, '_, '_>) -> Self {
        let graph = context.graph();
        let mut before: Vec<Option<Vec<Held>>> = vec![None; graph.nodes.len()];
        before[0] = Some(Vec::new());
        let mut open = vec![NodeId(0)];
        // What is held only ever becomes less, so this ends.
        while let Some(id) = open.pop() {
            let mut held = before[id.0 as usize].clone().unwrap_or_default();
            apply(context, graph.node(id).kind, &mut held);
            for edge in &graph.node(id).next {
                let there = &mut before[edge.to.0 as usize];
                let changed = match there {
                    None => {
                        *there = Some(held.clone());
                        true
                    }
                    Some(known) => {
                        let count = known.len();
                        known.retain(|lock| {
                            held.iter()
                                .any(|other| other.path == lock.path && other.reads == lock.reads)
                        });
                        known.len() != count
                    }
                };
                if changed {
                    open.push(edge.to);
                }
            }
        }
        Self { before }
    }

    /// What is held at the beginning of a step.
    #[must_use]
    pub fn at(&self, id: NodeId) -> &[Held] {
        self.before.get(id.0 as usize).and_then(Option::as_deref).unwrap_or_default()
    }
}

fn apply<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    kind: NodeKind<'p, 't>,
    held: &mut Vec<Held>,
) {
    let NodeKind::Statement(statement) = kind else { return };
    let StatementKind::Expression(expression) = &statement.kind else { return };
    let Some(call) = expression.as_call() else { return };
    match lock_call(context, call) {
        Some(LockCall::Lock { path, reads }) => {
            held.push(Held { path, span: statement.span, reads });
        }
        Some(LockCall::Unlock { path, reads }) => {
            held.retain(|lock| lock.path != path || lock.reads != reads);
        }
        None => {}
    }
}
