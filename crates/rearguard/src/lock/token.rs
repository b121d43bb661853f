use std::fmt;

use super::store::Reply;

/// A number that goes with a grant, and is greater than that of every grant before it.
///
/// A resource that refuses a token below the highest it has seen is safe from a holder that does not
/// know yet that it lost its lock: see [`fence`](super::fence).
///
/// It is a positive `bigint` of SQL.
///
/// ```
/// use rearguard::lock::FencingToken;
///
/// assert!(FencingToken::new(34) > FencingToken::new(33));
/// assert_eq!(FencingToken::new(34).get(), 34);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(i64);

impl FencingToken {
    /// One that came from elsewhere: a message, a header.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sequence that outlives crashes, beside a store that has none: see
/// [`LockManager::with_tokens`](super::LockManager::with_tokens).
///
/// What it gives must be greater than all that it gave before, also after its own crash. A
/// counter in Redis is no such thing.
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// The next token.
    fn draw(&self) -> Reply<'_, FencingToken>;
}
