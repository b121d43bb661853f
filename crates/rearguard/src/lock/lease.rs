use std::{
    fmt,
    future::Future,
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::{
    FencingToken, Loss, Renewal,
    clock::{Clock, Moment},
    metrics::{Counters, count},
    timing::{Step, Tenure},
};
use crate::{AsyncCleanupResult, Error, ErrorKind, Outcome, ScopeHandle};

/// A lock that is held, or was. A handle: cheap to clone, to be given to tasks.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    token: Option<FencingToken>,
    at: &'static Location<'static>,
    clock: Clock,
    scope: ScopeHandle,
    counters: Arc<Counters>,
    state: Mutex<State>,
    /// Told of each change of the state.
    changed: watch::Sender<()>,
}

struct State {
    tenure: Tenure,
    /// What was released is not held, and cannot be lost any more.
    released: bool,
}

/// What a lease is made of.
pub(super) struct Granted {
    pub(super) name: Arc<str>,
    pub(super) token: Option<FencingToken>,
    pub(super) at: &'static Location<'static>,
    pub(super) clock: Clock,
    pub(super) scope: ScopeHandle,
    pub(super) counters: Arc<Counters>,
    pub(super) tenure: Tenure,
}

impl Lease {
    pub(super) fn new(granted: Granted) -> Self {
        let Granted { name, token, at, clock, scope, counters, tenure } = granted;
        let state = Mutex::new(State { tenure, released: false });
        let changed = watch::Sender::new(());
        Self(Arc::new(Inner { name, token, at, clock, scope, counters, state, changed }))
    }

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The token of this grant, greater than that of every grant before. `None` where no durable
    /// sequence gives one: see [`FencingToken`].
    ///
    /// It is known also after the lock was lost, for the undo.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.0.token
    }

    /// The token, where the work cannot do without.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the store gives none.
    pub fn require_token(&self) -> Result<FencingToken, Error> {
        self.0.token.ok_or_else(|| {
            self.error(ErrorKind::InvalidInput, "lock.token")
                .with("expected", "a store with a durable sequence, or `LockManager::with_tokens`")
        })
    }

    /// Whether the lock can be shown to be held now. By the time at which the answer is acted upon
    /// it may be otherwise: only a token that is checked at the resource is safe.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// How long the lock is held for certain if no renewal succeeds.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.with(
            |state, now| {
                if state.released { Duration::ZERO } else { state.tenure.remaining(now) }
            },
        )
    }

    /// Nothing, while the lock can be shown to be held.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`] otherwise.
    pub fn ensure_held(&self) -> Result<(), Error> {
        if self.is_held() {
            return Ok(());
        }
        Err(match self.loss() {
            Some(loss) => self.lost_error(loss),
            None => self.error(ErrorKind::LockLost, "lock.hold").with("why", "released"),
        })
    }

    /// Waits until the lock is lost, and says why; `None` when it was released instead.
    pub async fn lost(&self) -> Option<Loss> {
        let mut changed = self.0.changed.subscribe();
        loop {
            let (loss, released, left) = self
                .with(|state, now| (state.loss(now), state.released, state.tenure.remaining(now)));
            if loss.is_some() || released {
                return loss;
            }
            // The sender is ours, so what ends this is a change, or the time.
            drop(timeout(left, changed.changed()).await);
        }
    }

    /// Registers a cleanup that runs before the lock is released, on every way out; newest first.
    /// When the lock was lost it runs all the same: what it writes should be fenced by
    /// [`token`](Self::token).
    #[track_caller]
    pub fn defer<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.scope.defer(cleanup);
    }

    /// Registers an undo: it runs on every way out but success, as [`defer`](Self::defer)'s do.
    #[track_caller]
    pub fn on_failure<F>(&self, undo: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.undo(undo, |outcome, _| outcome != Outcome::Succeeded);
    }

    /// Registers an undo that runs if the lock was lost.
    #[track_caller]
    pub fn on_lost<F>(&self, undo: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.undo(undo, |outcome, lease| outcome != Outcome::Succeeded && lease.loss().is_some());
    }

    #[track_caller]
    fn undo<F>(&self, undo: F, applies: fn(Outcome, &Self) -> bool)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        let lease = self.clone();
        self.0.scope.defer_with(move |outcome| async move {
            if applies(outcome, &lease) { undo.await.settled() } else { Ok(()) }
        });
    }

    /// Whether it was lost, and why.
    #[must_use]
    pub fn loss(&self) -> Option<Loss> {
        self.with(State::loss)
    }

    pub(super) fn lost_error(&self, loss: Loss) -> Error {
        self.error(ErrorKind::LockLost, "lock.hold").with("why", loss.as_str())
    }

    pub(super) fn error(&self, kind: ErrorKind, operation: &'static str) -> Error {
        let error = Error::new(kind, operation).with("lock", self.name().to_owned());
        let error = error.with("taken at", self.0.at.to_string());
        match self.0.token {
            Some(token) => error.with("token", token.to_string()),
            None => error,
        }
    }

    /// What the watchdog does next; `None` when it has nothing more to do.
    pub(super) fn next(&self) -> Option<Step> {
        self.with(|state, now| (!state.released).then(|| state.tenure.next(now)))
    }

    pub(super) fn now(&self) -> Moment {
        (self.0.clock)()
    }

    pub(super) fn renewed(&self, sent: Moment, answer: Option<Renewal>) {
        self.with(|state, now| state.tenure.renewed(sent, now, answer));
    }

    /// It is about to be released. Says whether it was held until now.
    pub(super) fn released(&self) -> bool {
        self.with(|state, now| {
            let held = state.loss(now).is_none() && !state.released;
            state.released = true;
            held
        })
    }

    /// Looks at the state, or changes it, and tells who waits for it if it was lost or released.
    fn with<R>(&self, look: impl FnOnce(&mut State, Moment) -> R) -> R {
        let now = self.now();
        let mut state = self.state();
        let before = (state.tenure.known_loss().is_some(), state.released);
        let result = look(&mut state, now);
        let after = (state.tenure.known_loss().is_some(), state.released);
        drop(state);
        if before.0 != after.0 {
            count(&self.0.counters.lost);
        }
        if before != after {
            self.0.changed.send_replace(());
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn loss(&mut self, now: Moment) -> Option<Loss> {
        if self.released { self.tenure.known_loss() } else { self.tenure.loss(now) }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.0.name)
            .field("token", &self.0.token)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
