//! The syntax tree against Go's own, against damaged files, and point by point.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod builds;
mod damaged;
mod differential;
mod fixes;
mod go;
#[path = "../support/go_command.rs"]
mod go_command;
mod grammar;
mod invariants;
mod places;
mod recovery;
mod shape;
mod tree;
