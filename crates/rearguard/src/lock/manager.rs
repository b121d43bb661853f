use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{
    Holder, Lease, LockMetrics, LockOptions, OwnedLease, Store, TokenSource,
    acquire::Request,
    clock::{self, Clock},
    metrics::{Counters, Holders},
    options::check,
    wait::{self, Waiting},
};
use crate::{Error, ErrorKind, OwnedScope};

/// How many locks of one manager may be held or waited for at a time. One more is refused with
/// [`ErrorKind::QueueFull`].
pub const MAX_PLACES: usize = 10_000;

/// Takes locks in a store, and keeps the protocol. A handle: cheap to clone.
///
/// See [the module](super) for an example.
#[derive(Clone, Debug)]
pub struct LockManager {
    shared: Arc<Shared>,
    options: LockOptions,
}

/// What all handles of a manager have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) tokens: Option<Arc<dyn TokenSource>>,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counters>,
    pub(super) holders: Holders,
    places: Arc<Semaphore>,
}

impl LockManager {
    /// Over this store. Nothing is connected yet.
    pub fn new(store: impl Store) -> Self {
        Self::over(Arc::new(store), None, clock::boot)
    }

    fn over(store: Arc<dyn Store>, tokens: Option<Arc<dyn TokenSource>>, clock: Clock) -> Self {
        let shared = Shared {
            store,
            tokens,
            clock,
            counters: Arc::default(),
            holders: Holders::default(),
            places: Arc::new(Semaphore::new(MAX_PLACES)),
        };
        Self { shared: Arc::new(shared), options: LockOptions::new() }
    }

    /// Draws the tokens of a store that has none of its own from a durable sequence beside it. One is
    /// drawn for each grant, while the lock is held: a lock costs one more round trip, and is not
    /// granted while the sequence cannot be reached.
    #[must_use]
    pub fn with_tokens(self, tokens: impl TokenSource) -> Self {
        let store = Arc::clone(&self.shared.store);
        let over = Self::over(store, Some(Arc::new(tokens)), self.shared.clock);
        Self { options: self.options, ..over }
    }

    /// A handle that waits and holds otherwise.
    #[must_use]
    pub fn with_options(&self, options: LockOptions) -> Self {
        Self { shared: Arc::clone(&self.shared), options }
    }

    #[cfg(test)]
    pub(super) fn with_clock(self, clock: Clock) -> Self {
        Self::over(Arc::clone(&self.shared.store), None, clock)
    }

    /// Waits for the lock, runs `body` under it, and releases it, on every way out. While the body
    /// runs, the lock is renewed at each third of `ttl`.
    ///
    /// **When the lock is lost, the body is dropped at once**, where it waits; then the cleanups that
    /// it registered with the [`Lease`] run, and this returns [`ErrorKind::LockLost`]. Lost is what
    /// the store refuses to renew, and what could not be renewed in time.
    ///
    /// # Errors
    /// The body's; and, as an [`Error`] that is made one of the body's:
    /// * [`ErrorKind::InvalidInput`]: the name or `ttl` is out of range;
    /// * [`ErrorKind::QueueTimedOut`], [`ErrorKind::DeadlinePassed`]: it was another's until the
    ///   wait, or the task's deadline, had passed; or, if the body had begun, it took longer than
    ///   [`LockOptions::hold`];
    /// * [`ErrorKind::QueueFull`]: [`MAX_PLACES`] are taken;
    /// * [`ErrorKind::LockLost`];
    /// * [`ErrorKind::Failed`]: the body succeeded, and a cleanup that it registered did not;
    /// * the store's own.
    ///
    /// # Panics
    /// Goes on with a panic of the body, when the lock is released.
    ///
    /// # Cancellation
    /// Dropped half way, the [`Reaper`](crate::Reaper) runs the cleanups and releases the lock. An
    /// acquisition that is dropped half way goes on there, to release what it may be granted.
    #[track_caller]
    pub fn with_lock<T, E, B>(
        &self,
        name: &str,
        ttl: Duration,
        body: B,
    ) -> impl Future<Output = Result<T, E>> + use<T, E, B>
    where
        B: AsyncFnOnce(Lease) -> Result<T, E>,
        E: From<Error>,
    {
        let lock = self.lock(name, ttl);
        async move { lock.await?.run(body).await }
    }

    /// The same without waiting: `None`, and the body does not run, where the lock is another's.
    ///
    /// # Errors
    /// Those of [`with_lock`](Self::with_lock).
    #[track_caller]
    pub fn try_with_lock<T, E, B>(
        &self,
        name: &str,
        ttl: Duration,
        body: B,
    ) -> impl Future<Output = Result<Option<T>, E>> + use<T, E, B>
    where
        B: AsyncFnOnce(Lease) -> Result<T, E>,
        E: From<Error>,
    {
        let lock = self.try_lock(name, ttl);
        async move {
            match lock.await? {
                Some(lease) => lease.run(body).await.map(Some),
                None => Ok(None),
            }
        }
    }

    /// Waits for the lock, and gives it as a value, for work that is not one function. Dropped, it is
    /// released by the [`Reaper`](crate::Reaper). Nothing is cancelled when it is lost, unless it
    /// is done in [`OwnedLease::run`]: take [`with_lock`](Self::with_lock) where you can.
    ///
    /// # Errors
    /// Those of [`with_lock`](Self::with_lock) until the body begins.
    #[track_caller]
    pub fn lock(
        &self,
        name: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<OwnedLease, Error>> + Send + use<> {
        let taking = self.take(name, ttl, Waiting::AtMost(self.options.wait), Location::caller());
        async move {
            match taking.await? {
                Some(lease) => Ok(lease),
                None => unreachable!("it is waited for"),
            }
        }
    }

    /// The same without waiting: `None` where the lock is another's.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock).
    #[track_caller]
    pub fn try_lock(
        &self,
        name: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<OwnedLease>, Error>> + Send + use<> {
        self.take(name, ttl, Waiting::No, Location::caller())
    }

    fn take(
        &self,
        name: &str,
        ttl: Duration,
        waiting: Waiting,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result<Option<OwnedLease>, Error>> + Send + use<> {
        let checked = check(name, ttl);
        let (shared, options, name) = (Arc::clone(&self.shared), self.options, Arc::from(name));
        async move {
            checked?;
            let place = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| {
                let most = format!("{MAX_PLACES} locks held or waited for");
                Error::new(ErrorKind::QueueFull, "lock.acquire").with("at most", most).retryable()
            })?;
            let mut scope = OwnedScope::with(options.scope());
            let request = Request {
                shared,
                holder: Holder::new(name, at),
                ttl,
                place: Arc::new(place),
                scope: scope.handle(),
            };
            let lease = wait::lock(&mut scope, request, waiting).await?;
            Ok(lease.map(|lease| OwnedLease::new(lease, scope)))
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn metrics(&self) -> LockMetrics {
        self.shared.counters.read()
    }

    /// Who in this process holds locks of this manager now, the oldest first.
    #[must_use]
    pub fn holders(&self) -> Vec<Holder> {
        self.shared.holders.all()
    }
}
