//! Fails a test that leaves something behind, and says what.
//!
//! Tests look at answers. What stays behind (a task, a connection, a lock, a descriptor, a cleanup that
//! never ended) shows days later, as an exhausted pool. [`LeakGuard`] looks at the end of each test:
//! what was opened since it began, and is open still.

mod descriptors;
mod guard;
mod leak;
mod proc;
mod sockets;
mod threads;

pub use guard::{DEFAULT_SETTLE_TIME, LeakGuard, leak_checked};
pub use leak::{Leak, LeakKind, Leaks};
