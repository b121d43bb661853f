//! A breaker for each endpoint.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::Request;

use super::{BreakerOptions, BreakerSnapshot, BreakerState, CircuitBreaker};
use crate::{Error, ErrorKind};

/// A set has breakers for at most this many keys unless told otherwise.
pub const DEFAULT_BREAKERS: usize = 1024;

/// A breaker for each key, made when the key is first seen. A clone is the same set.
///
/// When the set is full, the closed breaker that was not asked for the longest makes room; where none
/// is closed, one whose open time has passed without a probe, as of an endpoint that is gone. Where all
/// hold calls back, a new key has no breaker: its calls go through, and are counted.
///
/// ```
/// use rearguard::layers::{BreakerOptions, BreakerSet};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rearguard::Error> {
/// let set = BreakerSet::new(BreakerOptions::new("stock"), 100)?;
/// let breaker = set.get("10.0.0.1:8080").unwrap();
/// assert_eq!(breaker.snapshot().breaker, "stock/10.0.0.1:8080");
/// assert_eq!(set.snapshot().breakers.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BreakerSet(Arc<Shared>);

struct Shared {
    options: BreakerOptions,
    capacity: usize,
    breakers: Mutex<Breakers>,
}

#[derive(Default)]
struct Breakers {
    by_key: HashMap<String, (CircuitBreaker, u64)>,
    /// Counts the questions, to tell who was not asked for the longest.
    asked: u64,
    evicted: u64,
    unguarded: u64,
}

/// What a set is like now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BreakerSetSnapshot {
    /// Its breakers, in the order of their names.
    pub breakers: Vec<BreakerSnapshot>,
    /// Breakers that made room for others.
    pub evicted: u64,
    /// Calls that went through without a breaker, as the set was full of those that hold calls back.
    pub unguarded: u64,
}

impl BreakerSet {
    /// A set whose breakers are called by the options' name, a slash, and their key.
    ///
    /// # Errors
    /// `invalid_input` says which option cannot be.
    pub fn new(options: BreakerOptions, capacity: usize) -> Result<Self, Error> {
        options.check()?;
        if capacity == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "breaker.new_set")
                .with("breaker", options.name)
                .with("option", "capacity")
                .with("expected", "at least 1"));
        }
        Ok(Self(Arc::new(Shared { options, capacity, breakers: Mutex::default() })))
    }

    /// The key's breaker. `None` if the set is full and all its breakers hold calls back.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<CircuitBreaker> {
        let breakers = &mut *self.lock();
        breakers.asked += 1;
        if let Some((breaker, asked)) = breakers.by_key.get_mut(key) {
            *asked = breakers.asked;
            return Some(breaker.clone());
        }
        if breakers.by_key.len() >= self.0.capacity && !breakers.evict() {
            breakers.unguarded += 1;
            return None;
        }
        let mut options = self.0.options.clone();
        options.name = format!("{}/{key}", options.name).into();
        let breaker = CircuitBreaker::checked(options);
        breakers.by_key.insert(key.to_owned(), (breaker.clone(), breakers.asked));
        Some(breaker)
    }

    /// What it is like now.
    #[must_use]
    pub fn snapshot(&self) -> BreakerSetSnapshot {
        let breakers = self.lock();
        let mut snapshots: Vec<_> =
            breakers.by_key.values().map(|(breaker, _)| breaker.snapshot()).collect();
        snapshots.sort_by(|one, other| one.breaker.cmp(&other.breaker));
        BreakerSetSnapshot {
            breakers: snapshots,
            evicted: breakers.evicted,
            unguarded: breakers.unguarded,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Breakers> {
        self.0.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breakers {
    fn evict(&mut self) -> bool {
        let idle = self.by_key.iter().filter(|(_, (breaker, _))| !breaker.holds_back());
        let least = idle
            .min_by_key(|(_, (breaker, asked))| (breaker.state() != BreakerState::Closed, *asked));
        let Some(key) = least.map(|(key, _)| key.clone()) else { return false };
        self.by_key.remove(&key);
        self.evicted += 1;
        true
    }
}

impl fmt::Debug for BreakerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BreakerSet").field(&self.snapshot()).finish()
    }
}

/// Says which breaker a request goes by: always the same, or its key's.
pub trait SelectBreaker<R> {
    /// The request's breaker; `None` lets it through without one.
    fn select(&self, request: &R) -> Option<CircuitBreaker>;
}

impl<R> SelectBreaker<R> for CircuitBreaker {
    fn select(&self, _: &R) -> Option<CircuitBreaker> {
        Some(self.clone())
    }
}

/// By the request's authority: that of its target, else its `Host`. A request that names none goes
/// by the key "".
impl<B> SelectBreaker<Request<B>> for BreakerSet {
    fn select(&self, request: &Request<B>) -> Option<CircuitBreaker> {
        let host = || request.headers().get(http::header::HOST)?.to_str().ok();
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        self.get(authority.or_else(host).unwrap_or_default())
    }
}

/// By a key that is a user's own, made by [`BreakerSet::keyed`].
#[derive(Clone)]
pub struct Keyed<F> {
    set: BreakerSet,
    key: F,
}

impl BreakerSet {
    /// Goes by what `key` says of a request; `None` lets it through without a breaker.
    ///
    /// ```
    /// use http::Request;
    /// use rearguard::layers::{BreakerLayer, BreakerOptions, BreakerSet};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rearguard::Error> {
    /// let set = BreakerSet::new(BreakerOptions::new("tenants"), 100)?;
    /// let by_tenant = |request: &Request<String>| {
    ///     Some(request.headers().get("tenant")?.to_str().ok()?.to_owned())
    /// };
    /// let layer = BreakerLayer::new(set.keyed(by_tenant));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keyed<R, F: Fn(&R) -> Option<String>>(&self, key: F) -> Keyed<F> {
        Keyed { set: self.clone(), key }
    }
}

impl<R, F: Fn(&R) -> Option<String>> SelectBreaker<R> for Keyed<F> {
    fn select(&self, request: &R) -> Option<CircuitBreaker> {
        self.set.get(&(self.key)(request)?)
    }
}

impl<F> fmt::Debug for Keyed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("set", &self.set).finish_non_exhaustive()
    }
}
