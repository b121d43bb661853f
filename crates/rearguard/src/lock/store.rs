use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{FencingToken, OwnerId};
use crate::Error;

/// A future of any type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a store answers.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// What is asked of a store: this lock, for this owner, for so long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// The lock's name.
    pub name: Arc<str>,
    /// For whom.
    pub owner: OwnerId,
    /// For how long, from when the store reads it.
    pub ttl: Duration,
}

impl Claim {
    pub(crate) fn new(name: Arc<str>, ttl: Duration) -> Self {
        Self { name, owner: OwnerId::random(), ttl }
    }
}

/// What a store says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is the owner's, from now on for the claim's time, with the store's own token if it has a
    /// durable sequence.
    Granted(Option<FencingToken>),
    /// It is another's.
    Taken {
        /// For so long at most, unless it is renewed; `None` where the store cannot tell.
        free_in: Option<Duration>,
    },
}

/// What a store says to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is still the owner's, and from now on for the claim's time.
    Renewed,
    /// It is not the owner's, or has expired. It was not made anew.
    Refused,
}

/// What a store says to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It was the owner's, and is free.
    Released,
    /// It was not the owner's. Nothing was done.
    NotHeld,
}

/// Where locks are kept. [`LockManager`](super::LockManager) has the protocol; a store has the four
/// steps that must be one each at the server.
///
/// An error means that it is **unknown** whether the step was done. The manager then takes it as
/// not granted and releases it, or as not renewed. Each step has a bound of its own. A step whose
/// future is dropped half way must leave the store usable.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Which store it is, for messages: `redis`.
    fn kind(&self) -> &'static str;

    /// Takes the lock if it is free.
    fn acquire<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Answer>;

    /// Prolongs the lock if it is still the owner's. One that is gone is never made anew.
    fn renew<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Renewal>;

    /// Frees the lock if it is the owner's, and tells who waits.
    fn release<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Release>;

    /// Asks to be told when the lock is freed. What is received is a hint: it may be missed, and it
    /// may come for nothing. Where the store cannot be asked, nothing is received.
    fn watch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, watch::Receiver<()>>;

    /// Ends one [`watch`](Self::watch).
    fn unwatch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()>;
}
