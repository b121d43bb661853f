//! Scopes: what is opened in one is closed on every way out of it.
//!
//! | module | what is in it |
//! |---|---|
//! | `guard` | [`crate::guard`], [`crate::defer!`]: one cleanup, known at compile time, which costs nothing |
//! | `sync` | [`scope`], [`scope_reported`], [`scope_local`]: cleanups that are closures |
//! | `exit`, `result` | what a cleanup sees and may change; what bodies and cleanups return |
//! | `ended`, `report`, `panic`, `observer` | what is known afterwards |
//! | `owned` | [`OwnedScope`], [`scope_async`]: cleanups that are futures, finished elsewhere if need be |
//! | `arena`, `block` | where cleanups are kept; the `unsafe` of this crate is here and where its contracts are used |
#![expect(unsafe_code, reason = "closures of different types are kept in place, in one chunk")]

mod arena;
mod block;
mod ended;
mod exit;
mod observer;
#[cfg(feature = "tokio")]
mod owned;
mod panic;
mod report;
mod result;
mod sync;

pub use block::blocks_allocated;
pub use ended::{End, Ended, ScopeError};
pub use exit::Exit;
#[cfg(feature = "layers")]
pub(crate) use observer::notify;
pub use observer::{Observer, set_observer};
#[cfg(feature = "tokio")]
pub use owned::*;
pub use panic::Panic;
#[cfg(feature = "layers")]
pub(crate) use panic::contained;
pub use report::{
    BoxError, ChildPanic, CleanupFailure, Completion, FailureKind, Report, Times, Unfinished,
    UnfinishedReason,
};
pub use result::{CleanupResult, ScopeResult};
pub use sync::{Key, Scope, scope, scope_local, scope_reported};
