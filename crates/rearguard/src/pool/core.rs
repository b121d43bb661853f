//! What a pool, its leases, its keeper and its scopes share; how a connection moves between them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

use super::{
    ConnectionState, Discard, Lease, Manager, Observer, Options,
    backoff::Refusal,
    options::LIFETIME_JITTER_DIVISOR,
    state::{Give, Parked, Place, State},
};
use crate::{Error, ErrorKind, Options as ScopeOptions, Outcome, OwnedScope, Panic};

/// By what a waiter is told.
pub(super) type Token<M> = oneshot::Sender<Result<Lease<M>, Error>>;

pub(super) struct Core<M: Manager> {
    pub(super) manager: M,
    pub(super) options: Arc<Options>,
    state: Mutex<State<M::Connection, Token<M>>>,
    /// Something is to be done by the keeper.
    pub(super) wake: Notify,
    /// The pool is closed, and no place is taken.
    pub(super) emptied: Notify,
    /// Whether there is a keeper.
    pub(super) kept: AtomicBool,
}

impl<M: Manager> Core<M> {
    pub(super) fn new(manager: M, options: Options) -> Self {
        let options = Arc::new(options);
        Self {
            manager,
            state: Mutex::new(State::new(Arc::clone(&options), Instant::now())),
            options,
            wake: Notify::new(),
            emptied: Notify::new(),
            kept: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<M::Connection, Token<M>>> {
        // Nothing of others runs while it is locked, so what is inside is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the manager says of a connection. One over which it panics is of no use.
    pub(super) fn judge(&self, connection: &mut M::Connection) -> ConnectionState {
        caught(|| self.manager.state(connection)).unwrap_or(ConnectionState::Broken("panicked"))
    }

    /// Tells the observer, if there is one.
    pub(super) fn tell(&self, what: impl FnOnce(&dyn Observer, &str)) {
        if let Some(observer) = &self.options.observer {
            caught(|| what(observer.as_ref(), &self.options.name));
        }
    }

    /// Takes a connection from a borrower.
    pub(super) fn take_back(self: &Arc<Self>, mut parked: Parked<M::Connection>) {
        match self.judge(&mut parked.connection) {
            ConnectionState::Idle => self.give(parked),
            ConnectionState::Busy(_) if self.state().closed => {
                self.discard(parked, Discard::PoolClosed);
            }
            ConnectionState::Busy(_) => self.reset(parked),
            ConnectionState::Broken(_) => self.discard(parked, Discard::Broken),
        }
    }

    /// Takes a connection that may be lent.
    pub(super) fn give(self: &Arc<Self>, mut parked: Parked<M::Connection>) {
        loop {
            let given = self.state().give(parked, Instant::now());
            match given {
                Give::Stored => return,
                Give::Discard(parked, why) => return self.discard(parked, why),
                Give::To(waiter, it) => match waiter.send(Ok(Lease::new(self, it))) {
                    // Who waited has left meanwhile: the next one's turn.
                    Err(Ok(lease)) => parked = lease.into_parked(),
                    Ok(()) | Err(Err(_)) => return,
                },
            }
        }
    }

    /// Cleans or tests a connection, in the background.
    pub(super) fn reset(self: &Arc<Self>, parked: Parked<M::Connection>) {
        let now = Instant::now();
        self.state().set(parked.place, Place::Resetting, now);
        self.begin_reset(parked);
    }

    /// As [`reset`](Self::reset), for one whose place says so already.
    pub(super) fn begin_reset(self: &Arc<Self>, parked: Parked<M::Connection>) {
        let out = Out { core: Arc::clone(self), parked: Some(parked), why: Discard::ResetFailed };
        let bound = self.options.reset_timeout.saturating_add(self.options.close_timeout);
        let mut scope = background("pool.reset", bound);
        scope.defer(out.reset());
        // Dropped at once, it goes on in the reaper.
        drop(scope.end(Outcome::Succeeded));
    }

    /// Closes a connection, in the background. Its place is free when that is done.
    pub(super) fn discard(self: &Arc<Self>, parked: Parked<M::Connection>, why: Discard) {
        let wanting = {
            let mut state = self.state();
            state.set(parked.place, Place::Closing, Instant::now());
            state.counters.discard(why);
            state.is_wanting()
        };
        if wanting {
            self.wake.notify_one();
        }
        self.tell(|observer, pool| observer.discarded(pool, why));
        let closing = Closing {
            core: Arc::clone(self),
            place: parked.place,
            connection: Some(parked.connection),
            done: false,
        };
        let mut scope = background("pool.close", self.options.close_timeout);
        scope.defer(closing.close());
        drop(scope.end(Outcome::Succeeded));
    }

    /// A connection has been opened.
    pub(super) fn opened(self: &Arc<Self>, connection: M::Connection, place: usize) {
        let now = Instant::now();
        let lifetime = self.options.max_lifetime.map(|bound| {
            bound.saturating_sub((bound / LIFETIME_JITTER_DIVISOR).mul_f64(fastrand::f64()))
        });
        let expires = lifetime.and_then(|lifetime| now.checked_add(lifetime));
        {
            let mut state = self.state();
            state.refusal = None;
            state.counters.created += 1;
        }
        self.wake.notify_one();
        self.take_back(Parked { connection, place, expires, last_used: now });
    }

    /// The server refused a connection, as it was asked at `began`. Where it can never succeed, those
    /// who wait are told at once.
    pub(super) fn refused(&self, error: Error, began: Instant) {
        let hopeless = error.kind() == ErrorKind::InvalidInput;
        self.tell(|observer, pool| observer.refused(pool, &error));
        let (waiters, error) = {
            let mut state = self.state();
            let (now, longest) = (Instant::now(), self.options.max_backoff);
            let before = state.refusal.as_ref();
            let refusal = Refusal::next(before, error, began, now, longest, fastrand::f64());
            let error = Arc::clone(&refusal.error);
            state.refusal = Some(refusal);
            state.counters.refused += 1;
            (if hopeless { state.take_waiters() } else { Vec::new() }, error)
        };
        for waiter in waiters {
            let told = self.error(ErrorKind::InvalidInput).because(Arc::clone(&error));
            // It may have left meanwhile.
            drop(waiter.send(Err(told)));
        }
    }

    /// Lends nothing any more, tells those who wait, and closes what is idle.
    pub(super) fn shut(self: &Arc<Self>) {
        let (idle, waiters) = self.state().close(Instant::now());
        for waiter in waiters {
            drop(waiter.send(Err(self.error(ErrorKind::Closed))));
        }
        for parked in idle {
            self.discard(parked, Discard::PoolClosed);
        }
        self.wake.notify_one();
    }

    /// Why there is no connection.
    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, "pool.get").with("pool", self.options.name.clone())
    }

    /// A place is free.
    pub(super) fn free(&self, place: usize) {
        let (emptied, wanting) = {
            let mut state = self.state();
            state.set(place, Place::Free, Instant::now());
            (state.closed && state.is_empty(), state.is_wanting())
        };
        if emptied {
            self.emptied.notify_waiters();
        }
        if wanting {
            self.wake.notify_one();
        }
    }
}

/// A scope for one job in the background.
fn background(name: &'static str, bound: Duration) -> OwnedScope {
    OwnedScope::with(ScopeOptions::new().named(name).cleanup_deadline(bound))
}

/// Runs what may panic, and keeps the panic from coming out.
pub(super) fn caught<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new).ok()
}

/// A connection that is being closed. Its place is free when this has been dropped.
struct Closing<M: Manager> {
    core: Arc<Core<M>>,
    place: usize,
    connection: Option<M::Connection>,
    done: bool,
}

impl<M: Manager> Closing<M> {
    async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            self.core.manager.close(connection).await;
        }
        self.done = true;
    }
}

impl<M: Manager> Drop for Closing<M> {
    fn drop(&mut self) {
        caught(|| drop(self.connection.take()));
        if !self.done {
            self.core.state().counters.closes_cut_short += 1;
        }
        self.core.free(self.place);
    }
}

/// A connection that is being reset. Dropped half way, it is discarded.
struct Out<M: Manager> {
    core: Arc<Core<M>>,
    parked: Option<Parked<M::Connection>>,
    why: Discard,
}

impl<M: Manager> Out<M> {
    async fn reset(mut self) -> Result<(), Error> {
        let Some(parked) = &mut self.parked else { return Ok(()) };
        let bound = self.core.options.reset_timeout;
        match timeout(bound, self.core.manager.reset(&mut parked.connection)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                self.why = Discard::ResetTimedOut;
                return Ok(());
            }
        }
        if self.core.judge(&mut parked.connection) == ConnectionState::Idle
            && let Some(parked) = self.parked.take()
        {
            self.core.state().counters.resets += 1;
            self.core.give(parked);
        }
        Ok(())
    }
}

impl<M: Manager> Drop for Out<M> {
    fn drop(&mut self) {
        if let Some(parked) = self.parked.take() {
            self.core.discard(parked, self.why);
        }
    }
}
