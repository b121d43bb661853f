use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Outcome;

/// What became of transactions since the process began. Each attempt of a body is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionStats {
    /// Attempts.
    pub begun: u64,
    /// Committed, also those that were unknown at first.
    pub committed: u64,
    /// Rolled back because the body failed, or the commit did.
    pub failed: u64,
    /// Rolled back because the body panicked.
    pub panicked: u64,
    /// Rolled back because the deadline passed.
    pub timed_out: u64,
    /// Rolled back because the future was dropped.
    pub cancelled: u64,
    /// Attempts that followed another.
    pub retries: u64,
    /// The connection was lost during COMMIT, and it had been committed.
    pub unknown_committed: u64,
    /// The connection was lost during COMMIT, and it had been rolled back.
    pub unknown_rolled_back: u64,
    /// The connection was lost during COMMIT, and nobody could tell.
    pub unknown_unsettled: u64,
    /// Queries that were cancelled on the server.
    pub queries_cancelled: u64,
    /// Connections that could not be brought to idle, and were closed.
    pub connections_discarded: u64,
}

#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) begun: AtomicU64,
    pub(crate) committed: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    cancelled: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) unknown_committed: AtomicU64,
    pub(crate) unknown_rolled_back: AtomicU64,
    pub(crate) unknown_unsettled: AtomicU64,
    pub(crate) queries_cancelled: AtomicU64,
    pub(crate) connections_discarded: AtomicU64,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            unknown_committed: AtomicU64::new(0),
            unknown_rolled_back: AtomicU64::new(0),
            unknown_unsettled: AtomicU64::new(0),
            queries_cancelled: AtomicU64::new(0),
            connections_discarded: AtomicU64::new(0),
        }
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Counts one that was rolled back.
    pub(crate) fn rolled_back(&self, outcome: Outcome) {
        Self::count(match outcome {
            Outcome::Panicked => &self.panicked,
            Outcome::TimedOut => &self.timed_out,
            Outcome::Cancelled => &self.cancelled,
            _ => &self.failed,
        });
    }

    pub(crate) fn read(&self) -> TransactionStats {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        TransactionStats {
            begun: of(&self.begun),
            committed: of(&self.committed),
            failed: of(&self.failed),
            panicked: of(&self.panicked),
            timed_out: of(&self.timed_out),
            cancelled: of(&self.cancelled),
            retries: of(&self.retries),
            unknown_committed: of(&self.unknown_committed),
            unknown_rolled_back: of(&self.unknown_rolled_back),
            unknown_unsettled: of(&self.unknown_unsettled),
            queries_cancelled: of(&self.queries_cancelled),
            connections_discarded: of(&self.connections_discarded),
        }
    }
}
