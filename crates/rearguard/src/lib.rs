//! Scopes whose cleanup runs on every way out, and the words for how they ended.
//!
//! * [`scope`] runs a body that registers what must be undone, and undoes it, newest first, when
//!   the body has ended: by success, by an error, by a panic. [`scope_local`] does so for an async
//!   body, also when its future is dropped.
//! * [`Outcome`] says *how* a scope ended.
//! * [`Cause`] says *why* a request was not served well, and whose it is.
//!
//! The default features have no dependencies.

mod cause;
mod outcome;
mod scope;

pub use cause::{Blame, Cause, Party, UnknownCause};
pub use outcome::{Outcome, UnknownOutcome};
pub use scope::*;
