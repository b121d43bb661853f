//! What the layers of this process have counted, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Outcome;

static REQUESTS: [AtomicU64; Outcome::ALL.len()] =
    [const { AtomicU64::new(0) }; Outcome::ALL.len()];
static RECOVERED: AtomicU64 = AtomicU64::new(0);
static DEADLINES_PASSED: AtomicU64 = AtomicU64::new(0);

/// What the layers of this process have counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    requests: [u64; Outcome::ALL.len()],
    /// Panics of handlers and of response bodies that became an answer.
    pub recovered: u64,
    /// Requests whose deadline passed, before or while they were served.
    pub deadlines_passed: u64,
}

impl Stats {
    /// Requests whose scope ended like this.
    #[must_use]
    pub const fn requests(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize]
    }
}

/// Reads the counters.
///
/// ```
/// use rearguard::{Outcome, layers};
///
/// let stats = layers::stats();
/// println!("{} of {} panics recovered", stats.recovered, stats.requests(Outcome::Panicked));
/// ```
#[must_use]
pub fn stats() -> Stats {
    Stats {
        requests: std::array::from_fn(|index| REQUESTS[index].load(Relaxed)),
        recovered: RECOVERED.load(Relaxed),
        deadlines_passed: DEADLINES_PASSED.load(Relaxed),
    }
}

pub(super) fn count_request(outcome: Outcome) {
    REQUESTS[outcome as usize].fetch_add(1, Relaxed);
}

pub(super) fn count_recovered() {
    RECOVERED.fetch_add(1, Relaxed);
}

pub(super) fn count_deadline_passed() {
    DEADLINES_PASSED.fetch_add(1, Relaxed);
}
