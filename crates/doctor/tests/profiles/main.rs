//! Profiles that a real Go program writes of itself, whose contents are known by construction.

#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod go;
#[path = "../support/go_command.rs"]
mod go_command;
mod says;
mod seconds;
