//! Rearguard's domain types and pure arithmetic.
//!
//! Nothing here does I/O, reads a clock or the environment: time and randomness are arguments.
//!
//! * [`RequestRecord`]: what is known about one user request once it has ended.
//! * [`TraceContext`]: W3C trace context, parsed, continued and written.

mod json;
mod record;
mod trace;

pub use json::{JsonObject, push_json_string};
pub use rearguard::{Blame, Cause, Outcome, Party};
pub use record::{ConnectionUse, Phases, Protocol, Reported, RequestRecord};
pub use trace::{SpanId, TraceContext, TraceId};
