//! Rearguard's domain types and pure arithmetic.
//!
//! Nothing here does I/O, reads a clock or the environment: time and randomness are arguments.
//!
//! * [`RequestRecord`]: what is known about one user request once it has ended.
//! * [`canary`]: whether a new version is worse, and how fast it may grow.
//! * [`slo`]: budgets, burn rates and alerts.
//! * The words that it shares with services (outcomes, causes, trace context) are `rearguard`'s.

pub mod canary;
mod json;
mod record;
pub mod slo;

pub use json::{JsonObject, push_json_string};
pub use rearguard::{Blame, Cause, Outcome, Party, SpanId, TraceContext, TraceId};
pub use record::{ConnectionUse, Phases, Protocol, Reported, RequestRecord};
