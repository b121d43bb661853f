//! How a function runs: which statement can follow on which, what is done to a variable at each, which
//! resources are left open on a way out, and which locks are held where.

mod acquired;
mod effect;
mod graph;
mod locks;
mod obligation;
mod search;

pub use acquired::{Acquired, Acquiring, Kind, acquired, acquiring, is_own};
pub use effect::{Effect, Watched, effect, effect_of_body};
pub use graph::{CallEnd, Edge, Exit, Fact, Graph, MAX_NODES, Node, NodeId, NodeKind};
pub use locks::{Held, LockCall, Locks, lock_call};
pub use obligation::{Leak, Obligation, leak, nil_fact};
pub use search::{Step, search};
