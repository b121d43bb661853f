//! Objectives that are watched, over simulated days, and what a restart finds.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod composite;
mod engine;
mod exchange;
mod notify;
mod polled;
mod rules;
mod store;
mod support;
