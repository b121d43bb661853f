//! A store in memory, for tests of the protocol in a time of their own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    Answer, BoxFuture, Claim, OwnerId, Release, Renewal, Reply, Store, clock::Moment,
    wakeups::Wakeups,
};
use crate::{Error, ErrorKind};

/// Tokio's time, which tests pause.
pub(super) fn test_clock() -> Moment {
    thread_local! {
        static FIRST: Instant = Instant::now();
    }
    // A day has passed, so that what is before the first moment can be told.
    FIRST.with(|first| Moment::new(Duration::from_hours(24) + first.elapsed()))
}

/// What happens on the way to the store and back, to each step from now on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    pub(super) there: Duration,
    pub(super) back: Duration,
    /// The step is done, and its answer never comes.
    pub(super) answers_lost: bool,
    /// The step is not done, and an error comes.
    pub(super) down: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct MemoryStore(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    wakeups: Wakeups,
}

#[derive(Debug, Default)]
struct State {
    locks: HashMap<String, (OwnerId, Instant)>,
    network: Network,
    /// What was done, and when.
    log: Vec<(Instant, &'static str)>,
}

impl MemoryStore {
    pub(super) fn set_network(&self, network: Network) {
        self.state().network = network;
    }

    /// As a crash does.
    pub(super) fn forget_all(&self) {
        self.state().locks.clear();
    }

    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.state().locks.get(name).is_some_and(|(_, expires)| *expires > Instant::now())
    }

    pub(super) fn log(&self) -> Vec<&'static str> {
        self.state().log.iter().map(|(_, what)| *what).collect()
    }

    pub(super) fn times_of(&self, what: &str) -> Vec<Instant> {
        let state = self.state();
        state.log.iter().filter(|(_, found)| *found == what).map(|(at, _)| *at).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step<T>(
        &self,
        what: &'static str,
        act: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Error> {
        let network = self.state().network;
        sleep(network.there).await;
        let result = {
            let mut state = self.state();
            state.log.push((Instant::now(), what));
            if network.down { None } else { Some(act(&mut state)) }
        };
        sleep(network.back).await;
        if network.answers_lost {
            std::future::pending::<()>().await;
        }
        result.ok_or_else(|| Error::new(ErrorKind::Reset, "lock.memory").retryable())
    }
}

impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn acquire<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Answer> {
        Box::pin(self.step("acquire", |state| {
            let now = Instant::now();
            match state.locks.get(&*claim.name) {
                Some((_, expires)) if *expires > now => {
                    Answer::Taken { free_in: Some(*expires - now) }
                }
                _ => {
                    state.locks.insert(claim.name.to_string(), (claim.owner, now + claim.ttl));
                    Answer::Granted(None)
                }
            }
        }))
    }

    fn renew<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Renewal> {
        Box::pin(self.step("renew", |state| {
            let now = Instant::now();
            match state.locks.get_mut(&*claim.name) {
                Some((owner, expires)) if *owner == claim.owner && *expires > now => {
                    *expires = now + claim.ttl;
                    Renewal::Renewed
                }
                _ => Renewal::Refused,
            }
        }))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Release> {
        Box::pin(async move {
            let released = self.step("release", |state| {
                let ours = |(owner, _): &(OwnerId, Instant)| *owner == claim.owner;
                if !state.locks.get(&*claim.name).is_some_and(ours) {
                    return Release::NotHeld;
                }
                state.locks.remove(&*claim.name);
                Release::Released
            });
            let released = released.await?;
            self.0.wakeups.wake(&claim.name);
            Ok(released)
        })
    }

    fn watch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, watch::Receiver<()>> {
        Box::pin(async move { self.0.wakeups.add(name).0 })
    }

    fn unwatch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.0.wakeups.remove(name);
        })
    }
}
