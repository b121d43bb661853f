//! What is open, so that a test can be told what it left open.
//!
//! Whatever must be given back (a scope, a task of one, a leased connection, a held lock) keeps an
//! [`Open`] for as long as it is open:
//!
//! ```text
//! let open = open::register(OpenKind::Lease, || pool.name.clone(), borrowed_at);
//! ```
//!
//! Without the feature `testing` that is nothing at all: no field, no call. With it, it is the
//! reading of one flag unless a [`LeakGuard`](crate::testing::LeakGuard) watches.

#[cfg(not(feature = "testing"))]
mod unwatched;
#[cfg(feature = "testing")]
mod watched;

#[cfg(not(feature = "testing"))]
pub(crate) use unwatched::{Open, Place, here, is_watched, note_unfinished, register};
#[cfg(feature = "testing")]
pub(crate) use watched::{
    Of, Open, Place, Thing, Unfinished, Watch, here, is_watched, note_unfinished, register,
};

/// What kind of thing is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenKind {
    /// A scope whose end has not come.
    Scope,
    /// A scope that was dropped and is with the reaper.
    Reaped,
    /// A task of a scope.
    Task,
    /// A connection that a pool has lent.
    #[cfg(feature = "pool")]
    Lease,
    /// A connection of the HTTP client.
    #[cfg(feature = "client")]
    Connection,
    /// A lock that is held.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    Lock,
}
