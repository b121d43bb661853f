//! Scopes whose cleanup runs on every way out, and the words for how they ended.
//!
//! * [`Scope`] keeps what must be undone and runs it when the scope ends, whichever way it ends.
//! * [`Outcome`] says *how* a scope ended.
//! * [`Cause`] says *why* a request was not served well, and whose it is.
//!
//! The default features have no dependencies.

mod cause;
mod outcome;
mod scope;

pub use cause::{Blame, Cause, Party, UnknownCause};
pub use outcome::{Outcome, UnknownOutcome};
pub use scope::{CleanupPanic, Report, Scope};
