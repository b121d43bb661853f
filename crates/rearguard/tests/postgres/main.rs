//! Transactions against a real PostgreSQL: every way out, at every poll, with panics, kills, cuts and
//! each SQLSTATE of the table.
//!
//! `REARGUARD_TEST_ROUNDS` (default 3) says how many clients are killed, `REARGUARD_TEST_SEED` with
//! which seed; both are printed when a test fails.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod commits;
mod killed;
mod panics;
mod pooled;
mod proxy;
mod savepoints;
mod sqlstates;
mod support;
mod traps;
mod ways_out;
