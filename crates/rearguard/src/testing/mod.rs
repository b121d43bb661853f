//! For tests: real servers that a test starts and stops; futures dropped at every poll; a guard that
//! fails a test that leaves something behind.

mod every_poll;
mod leaks;
mod probe;
mod process;
mod server;

pub use every_poll::{MAX_POLLS, Run, at_every_poll, drop_after};
pub use leaks::{DEFAULT_SETTLE_TIME, Leak, LeakGuard, LeakKind, Leaks, leak_checked};
pub use server::{ServerBuilder, TestServer};
