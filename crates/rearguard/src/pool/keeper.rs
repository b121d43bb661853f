//! What is done for a pool while nobody asks: connections are opened, tested and closed for their age,
//! and leaks are looked for. One task a pool, in the pool's scope.

use std::{
    sync::{
        Arc,
        atomic::Ordering::{AcqRel, Release},
    },
    thread,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{Manager, core::Core};
use crate::{Error, ErrorKind, OwnedScope};

/// It looks no more often than this, however short the bounds are.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Begins to keep a pool, if nobody does: none was begun yet, or its runtime has stopped.
pub(super) fn start<M: Manager>(core: &Arc<Core<M>>, scope: &mut OwnedScope) {
    if !core.kept.swap(true, AcqRel) {
        let kept = Kept(Arc::clone(core));
        drop(scope.spawn(keep(kept)));
    }
}

/// Dropped when its task ends, in whatever way.
struct Kept<M: Manager>(Arc<Core<M>>);

impl<M: Manager> Drop for Kept<M> {
    fn drop(&mut self) {
        self.0.kept.store(false, Release);
    }
}

async fn keep<M: Manager>(kept: Kept<M>) {
    let core = &kept.0;
    // Dropped with this, it aborts its tasks.
    let mut opening = JoinSet::new();
    while !core.state().closed {
        while opening.try_join_next().is_some() {}
        let due = look(core, &mut opening);
        // Whether it is time or somebody has called: it looks.
        drop(timeout_at(due, core.wake.notified()).await);
    }
    opening.shutdown().await;
}

/// Does what is due, and says when something will be.
fn look<M: Manager>(core: &Arc<Core<M>>, opening: &mut JoinSet<()>) -> Instant {
    let now = Instant::now();
    loop {
        let expired = core.state().begin_expiry(now);
        let Some((parked, why)) = expired else { break };
        core.discard(parked, why);
    }
    loop {
        let tested = core.state().begin_test(now);
        let Some(parked) = tested else { break };
        core.begin_reset(parked);
    }
    loop {
        let place = core.state().begin_connect(now);
        let Some(place) = place else { break };
        let attempt = Attempt { core: Arc::clone(core), place: Some(place), began: now };
        opening.spawn(attempt.run());
    }
    loop {
        let leaked = core.state().begin_leak(now);
        let Some(holder) = leaked else { break };
        core.tell(|observer, pool| observer.leaked(pool, &holder));
    }
    core.state().next_due(now).max(now + SHORTEST_SLEEP)
}

/// A connection that is being opened. Dropped before it is, its place is free.
struct Attempt<M: Manager> {
    core: Arc<Core<M>>,
    place: Option<usize>,
    began: Instant,
}

impl<M: Manager> Attempt<M> {
    async fn run(mut self) {
        let bound = self.core.options.connect_timeout;
        match timeout(bound, self.core.manager.connect()).await {
            Ok(Ok(connection)) => {
                if let Some(place) = self.place.take() {
                    self.core.opened(connection, place);
                }
            }
            Ok(Err(error)) => self.fail(error),
            Err(_) => {
                let error = self.error(ErrorKind::ConnectTimedOut);
                self.fail(error.with("bound", format!("{bound:?}")).retryable());
            }
        }
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, "pool.connect").with("pool", self.core.options.name.clone())
    }

    fn fail(&mut self, error: Error) {
        // Before the place is free: it is not to be tried again at once.
        self.core.refused(error, self.began);
        if let Some(place) = self.place.take() {
            self.core.free(place);
        }
    }
}

impl<M: Manager> Drop for Attempt<M> {
    fn drop(&mut self) {
        if thread::panicking() && self.place.is_some() {
            self.fail(self.error(ErrorKind::Panicked));
        }
        // The pool is closed, or the runtime has stopped.
        if let Some(place) = self.place.take() {
            self.core.free(place);
        }
    }
}
