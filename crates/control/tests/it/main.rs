//! Objectives that are watched, over simulated days, and what a restart finds.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod composite;
mod day;
mod differential;
mod engine;
mod exchange;
mod notify;
mod polled;
mod prometheus;
mod rules;
mod store;
mod support;
