//! What the last calls were like, in bounded memory.

use std::time::Duration;

/// Time-based windows have this many buckets, as Hystrix's (`metrics.rollingStats.numBuckets`).
pub const WINDOW_BUCKETS: usize = 10;

/// Count-based windows have at most this many calls, a byte each.
pub const MAX_WINDOW_CALLS: u32 = 10_000;

/// Over which calls a breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls, at most [`MAX_WINDOW_CALLS`].
    Calls(u32),
    /// The calls of the last so long, in [`WINDOW_BUCKETS`] buckets: the oldest goes as a whole.
    Time(Duration),
}

/// Calls, and what was wrong with them.
///
/// ```
/// use rearguard::layers::breaker::Tally;
///
/// let tally = Tally { calls: 20, failed: 5, slow: 10 };
/// assert_eq!((tally.failure_ratio(), tally.slow_ratio()), (0.25, 0.5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that ended and count.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that were slow.
    pub slow: u32,
}

impl Tally {
    pub(super) const fn one(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failed: failed as u32, slow: slow as u32 }
    }

    const fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failed = self.failed.saturating_add(other.failed);
        self.slow = self.slow.saturating_add(other.slow);
    }

    const fn remove(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failed = self.failed.saturating_sub(other.failed);
        self.slow = self.slow.saturating_sub(other.slow);
    }

    /// How many of the calls failed, from 0 to 1.
    #[must_use]
    pub fn failure_ratio(self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(1))
    }

    /// How many of the calls were slow, from 0 to 1.
    #[must_use]
    pub fn slow_ratio(self) -> f64 {
        f64::from(self.slow) / f64::from(self.calls.max(1))
    }
}

/// The calls of a window.
#[derive(Debug)]
pub(super) enum Calls {
    Ring { of: usize, ring: Vec<u8>, next: usize, tally: Tally },
    Buckets { each: Duration, buckets: [Tally; WINDOW_BUCKETS], newest: u64 },
}

const FAILED: u8 = 1;
const SLOW: u8 = 2;

impl Calls {
    pub(super) fn new(window: Window) -> Self {
        match window {
            Window::Calls(of) => Self::Ring {
                of: of.clamp(1, MAX_WINDOW_CALLS) as usize,
                ring: Vec::new(),
                next: 0,
                tally: Tally::default(),
            },
            Window::Time(span) => Self::Buckets {
                each: (span / WINDOW_BUCKETS as u32).max(Duration::from_nanos(1)),
                buckets: [Tally::default(); WINDOW_BUCKETS],
                newest: 0,
            },
        }
    }

    pub(super) fn push(&mut self, now: Duration, failed: bool, slow: bool) {
        self.forget(now);
        match self {
            Self::Ring { of, ring, next, tally } => {
                let call = (u8::from(failed) * FAILED) | (u8::from(slow) * SLOW);
                if ring.len() < *of {
                    ring.push(call);
                } else {
                    let oldest = std::mem::replace(&mut ring[*next], call);
                    tally.remove(Tally::one(oldest & FAILED != 0, oldest & SLOW != 0));
                    *next = (*next + 1) % *of;
                }
                tally.add(Tally::one(failed, slow));
            }
            Self::Buckets { buckets, newest, .. } => {
                buckets[place(*newest)].add(Tally::one(failed, slow));
            }
        }
    }

    /// All that is in the window now.
    pub(super) fn tally(&mut self, now: Duration) -> Tally {
        self.forget(now);
        match self {
            Self::Ring { tally, .. } => *tally,
            Self::Buckets { buckets, .. } => {
                let mut sum = Tally::default();
                buckets.iter().for_each(|bucket| sum.add(*bucket));
                sum
            }
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Ring { ring, next, tally, .. } => {
                ring.clear();
                *next = 0;
                *tally = Tally::default();
            }
            Self::Buckets { buckets, .. } => *buckets = [Tally::default(); WINDOW_BUCKETS],
        }
    }

    /// Empties the buckets that have left the window. A time that went back changes nothing.
    fn forget(&mut self, now: Duration) {
        let Self::Buckets { each, buckets, newest } = self else { return };
        let current = u64::try_from(now.as_nanos() / each.as_nanos()).unwrap_or(u64::MAX);
        let passed = current.saturating_sub(*newest);
        for step in 1..=passed.min(WINDOW_BUCKETS as u64) {
            buckets[place(*newest + step)] = Tally::default();
        }
        // Where more passed, all are empty, and it does not matter which is which.
        *newest = current.max(*newest);
    }
}

const fn place(bucket: u64) -> usize {
    (bucket % WINDOW_BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally_of<'a>(calls: impl Iterator<Item = &'a (bool, bool)>) -> Tally {
        let mut sum = Tally::default();
        calls.for_each(|(failed, slow)| sum.add(Tally::one(*failed, *slow)));
        sum
    }

    proptest! {
        #[test]
        fn a_count_based_window_has_the_last_calls(
            of in 1_u32..20,
            calls in prop::collection::vec(any::<(bool, bool)>(), 0..100),
        ) {
            let mut window = Calls::new(Window::Calls(of));
            for (index, (failed, slow)) in calls.iter().enumerate() {
                window.push(Duration::ZERO, *failed, *slow);
                let last = calls[..=index].iter().rev().take(of as usize);
                prop_assert_eq!(window.tally(Duration::ZERO), tally_of(last));
            }
        }

        #[test]
        fn a_time_based_window_has_the_calls_of_its_buckets(
            calls in prop::collection::vec((0_u64..3_000, any::<(bool, bool)>()), 0..100),
        ) {
            let mut window = Calls::new(Window::Time(Duration::from_secs(1)));
            let mut now = 0;
            let mut all = Vec::new();
            for (step, call) in calls {
                now += step;
                window.push(Duration::from_millis(now), call.0, call.1);
                all.push((now, call));
                let oldest = (now / 100).saturating_sub(WINDOW_BUCKETS as u64 - 1);
                let inside = all.iter().filter(|(at, _)| at / 100 >= oldest).map(|(_, call)| call);
                prop_assert_eq!(window.tally(Duration::from_millis(now)), tally_of(inside));
            }
        }
    }
}
