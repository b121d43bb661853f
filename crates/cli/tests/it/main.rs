//! The binary as a user runs it: real processes, real sockets.

#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod doctor;
#[path = "../../../doctor/tests/support/go_command.rs"]
mod go_command;
mod go_service;
mod nginx;
mod shop;
mod slo;
mod support;
mod timeout_profile;
