//! Transactions of SQLite in files: every way out, other processes, kills.
//!
//! `REARGUARD_TEST_ROUNDS` (default 5) says how many clients are killed, `REARGUARD_TEST_SEED` with
//! which seed; both are printed when a test fails.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod killed;
mod others;
mod support;
mod ways_out;
