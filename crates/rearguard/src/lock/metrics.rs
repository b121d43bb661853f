//! What is counted, and who holds what.

use std::{
    collections::BTreeMap,
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use super::FencingToken;
use crate::{CallContext, TraceId};

/// What a [`LockManager`](super::LockManager) has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockMetrics {
    /// Locks that were granted, and used.
    pub acquired: u64,
    /// Of these and of the timed out, those that had to wait.
    pub waited: u64,
    /// How long they waited together.
    pub waiting: Duration,
    /// Acquisitions given up because the wait, or the task's deadline, had passed.
    pub timed_out: u64,
    /// Locks that were lost while they were held.
    pub lost: u64,
    /// Grants that came too late to be used, and were released.
    pub late_grants: u64,
    /// Acquisitions whose answer was lost, and which were released in case they were granted.
    pub unknown_grants: u64,
    /// Renewals that succeeded.
    pub renewals: u64,
    /// Renewals whose answer was lost.
    pub unknown_renewals: u64,
    /// Releases whose answer was lost: the lock is free when its time has passed, if not before.
    pub unknown_releases: u64,
    /// Releases of a lock that was thought to be held, and was not: its work may have overlapped
    /// with another's.
    pub released_not_held: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) acquired: AtomicU64,
    pub(super) waited: AtomicU64,
    pub(super) waiting_micros: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) late_grants: AtomicU64,
    pub(super) unknown_grants: AtomicU64,
    pub(super) renewals: AtomicU64,
    pub(super) unknown_renewals: AtomicU64,
    pub(super) unknown_releases: AtomicU64,
    pub(super) released_not_held: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    pub(super) fn waited(&self, waited: Duration) {
        count(&self.waited);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waiting_micros.fetch_add(micros, Relaxed);
    }

    pub(super) fn read(&self) -> LockMetrics {
        LockMetrics {
            acquired: self.acquired.load(Relaxed),
            waited: self.waited.load(Relaxed),
            waiting: Duration::from_micros(self.waiting_micros.load(Relaxed)),
            timed_out: self.timed_out.load(Relaxed),
            lost: self.lost.load(Relaxed),
            late_grants: self.late_grants.load(Relaxed),
            unknown_grants: self.unknown_grants.load(Relaxed),
            renewals: self.renewals.load(Relaxed),
            unknown_renewals: self.unknown_renewals.load(Relaxed),
            unknown_releases: self.unknown_releases.load(Relaxed),
            released_not_held: self.released_not_held.load(Relaxed),
        }
    }
}

/// A lock that this process holds, and who took it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// The lock's name.
    pub name: Arc<str>,
    /// Since when.
    pub since: SystemTime,
    /// The line that asked for it.
    pub at: &'static Location<'static>,
    /// The trace for which.
    pub trace: Option<TraceId>,
    /// Its token, if it has one.
    pub token: Option<FencingToken>,
}

impl Holder {
    /// Who asks now, in this task.
    pub(super) fn new(name: Arc<str>, at: &'static Location<'static>) -> Self {
        let trace = CallContext::current().map(|context| context.trace().trace_id);
        Self { name, since: SystemTime::now(), at, trace, token: None }
    }
}

/// Those who hold, by when they began. There are no more of them than the manager has places.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<Listed>);

#[derive(Debug, Default)]
struct Listed {
    next: u64,
    holders: BTreeMap<u64, Holder>,
}

impl Holders {
    pub(super) fn add(&self, holder: Holder) -> u64 {
        let mut listed = self.listed();
        let key = listed.next;
        listed.next += 1;
        listed.holders.insert(key, holder);
        key
    }

    pub(super) fn remove(&self, key: u64) {
        self.listed().holders.remove(&key);
    }

    pub(super) fn all(&self) -> Vec<Holder> {
        self.listed().holders.values().cloned().collect()
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
