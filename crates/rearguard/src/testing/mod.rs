//! For tests: real servers that a test starts and stops; futures dropped at every poll.

mod every_poll;
mod probe;
mod process;
mod server;

pub use every_poll::{MAX_POLLS, Run, at_every_poll, drop_after};
pub use server::{ServerBuilder, TestServer};
