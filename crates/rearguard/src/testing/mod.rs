//! For tests: real servers that a test starts and stops.

mod probe;
mod process;
mod server;

pub use server::{ServerBuilder, TestServer};
