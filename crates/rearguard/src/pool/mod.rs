//! A pool of connections of any kind: whoever takes one gives it back, on every way out.

mod manager;

pub use manager::{ConnectionState, Manager};
