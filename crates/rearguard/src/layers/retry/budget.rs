//! How many retries there may be for the requests there are.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Error, ErrorKind, Guard, guard, layers::ambient::Clock};

/// Retries for each request: 20 %, as in Finagle (`RetryBudget`) and tower (`TpsBudget`).
pub const DEFAULT_BUDGET_RATIO: f64 = 0.2;
/// Retries per second that are allowed however few the requests: 10, as there.
pub const DEFAULT_BUDGET_RESERVE_PER_SECOND: u32 = 10;
/// For how long a request counts: 10 s, as there.
pub const DEFAULT_BUDGET_TTL: Duration = Duration::from_secs(10);

/// A budget's window has this many slots, as in Finagle and tower.
const SLOTS: usize = 10;

/// Bounds retries to a share of the requests, so that they cannot multiply the load of what fails
/// already. A clone is the same budget: hand one to all layers that call the same thing.
///
/// Over any `ttl` there are at most `ratio` · requests + `reserve` · `ttl` retries, but for what
/// leaves the window with its oldest tenth.
///
/// ```
/// use std::time::Duration;
/// use rearguard::layers::RetryBudget;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rearguard::Error> {
/// // 10 % of the requests of the last 5 s, and one a second on top.
/// let budget = RetryBudget::new(0.1, 1, Duration::from_secs(5))?;
/// assert_eq!(budget.snapshot().left, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RetryBudget(Arc<(Mutex<Bucket>, Clock)>);

/// What a budget is like now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// Requests that count now.
    pub requests: u64,
    /// Retries that count now.
    pub retries: u64,
    /// Retries that would be allowed now.
    pub left: u64,
    /// Retries that were refused, since it was made.
    pub refused: u64,
}

impl RetryBudget {
    /// Allows `ratio` retries for each request of the last `ttl`, and `reserve_per_second` on top.
    ///
    /// # Errors
    /// `invalid_input` unless the ratio is from 0 to 1000, and the time from 1 s to 60 s: Finagle's
    /// ranges.
    pub fn new(ratio: f64, reserve_per_second: u32, ttl: Duration) -> Result<Self, Error> {
        let wrong = if !(0.0..=1000.0).contains(&ratio) {
            ("ratio", "0 to 1000")
        } else if ttl < Duration::from_secs(1) || ttl > Duration::from_secs(60) {
            ("ttl", "1 s to 60 s")
        } else {
            return Ok(Self::checked(ratio, reserve_per_second, ttl));
        };
        Err(Error::new(ErrorKind::InvalidInput, "retry.new_budget")
            .with("option", wrong.0)
            .with("expected", wrong.1))
    }

    fn checked(ratio: f64, reserve_per_second: u32, ttl: Duration) -> Self {
        let reserve = f64::from(reserve_per_second) * ttl.as_secs_f64();
        Self(Arc::new((Mutex::new(Bucket::new(ratio, reserve, ttl)), Clock::new())))
    }

    /// A request counts from now on.
    pub(super) fn deposit(&self) {
        let now = self.0.1.now();
        self.lock().deposit(now);
    }

    /// A retry, if there is one left. It is given back when the withdrawal is dropped before it is
    /// spent.
    pub(super) fn withdraw(&self) -> Option<Withdrawal> {
        let now = self.0.1.now();
        let slot = self.lock().withdraw(now)?;
        let taken = Taken { budget: self.clone(), slot };
        Some(Withdrawal(guard(taken, |taken| taken.budget.lock().give_back(taken.slot))))
    }

    /// What it is like now.
    #[must_use]
    pub fn snapshot(&self) -> BudgetSnapshot {
        let now = self.0.1.now();
        let mut bucket = self.lock();
        let (requests, retries) = bucket.sums(now);
        BudgetSnapshot {
            requests,
            retries,
            left: (bucket.allowed(requests) - retries as f64).max(0.0) as u64,
            refused: bucket.refused,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::checked(DEFAULT_BUDGET_RATIO, DEFAULT_BUDGET_RESERVE_PER_SECOND, DEFAULT_BUDGET_TTL)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryBudget").field(&self.snapshot()).finish()
    }
}

/// A retry that is taken from a budget, and not yet sent.
#[derive(Debug)]
pub(super) struct Withdrawal(Guard<Taken, fn(Taken)>);

#[derive(Debug)]
struct Taken {
    budget: RetryBudget,
    slot: u64,
}

impl Withdrawal {
    pub(super) fn spend(self) {
        drop(Guard::into_inner(self.0));
    }
}

/// Requests and retries of the last `ttl`, in slots. Time is an argument.
#[derive(Debug)]
struct Bucket {
    ratio: f64,
    reserve: f64,
    each: Duration,
    /// The requests and retries of each slot.
    slots: [(u64, u64); SLOTS],
    newest: u64,
    refused: u64,
}

impl Bucket {
    fn new(ratio: f64, reserve: f64, ttl: Duration) -> Self {
        let each = ttl / SLOTS as u32;
        Self { ratio, reserve, each, slots: [(0, 0); SLOTS], newest: 0, refused: 0 }
    }

    fn deposit(&mut self, now: Duration) {
        self.forget(now);
        self.slots[place(self.newest)].0 += 1;
    }

    /// The slot that the retry is taken from.
    fn withdraw(&mut self, now: Duration) -> Option<u64> {
        let (requests, retries) = self.sums(now);
        if (retries + 1) as f64 > self.allowed(requests) {
            self.refused += 1;
            return None;
        }
        self.slots[place(self.newest)].1 += 1;
        Some(self.newest)
    }

    fn give_back(&mut self, slot: u64) {
        // One that has left the window is free again already.
        if self.newest - slot < SLOTS as u64 {
            self.slots[place(slot)].1 -= 1;
        }
    }

    fn sums(&mut self, now: Duration) -> (u64, u64) {
        self.forget(now);
        self.slots.iter().fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1))
    }

    fn allowed(&self, requests: u64) -> f64 {
        requests as f64 * self.ratio + self.reserve
    }

    fn forget(&mut self, now: Duration) {
        let current = u64::try_from(now.as_nanos() / self.each.as_nanos()).unwrap_or(u64::MAX);
        let passed = current.saturating_sub(self.newest);
        for step in 1..=passed.min(SLOTS as u64) {
            self.slots[place(self.newest + step)] = (0, 0);
        }
        // Where more passed, all are empty, and it does not matter which is which.
        self.newest = current.max(self.newest);
    }
}

const fn place(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn a_fifth_of_the_requests_and_the_reserve_may_be_retried() {
        let mut bucket = Bucket::new(0.2, 3.0, TTL);
        (0..10).for_each(|_| bucket.deposit(Duration::ZERO));
        let retries = (0..20).filter(|_| bucket.withdraw(Duration::ZERO).is_some()).count();
        assert_eq!((retries, bucket.refused), (5, 15));
        // The requests are forgotten, and so are the retries.
        let retries = (0..20).filter(|_| bucket.withdraw(2 * TTL).is_some()).count();
        assert_eq!(retries, 3);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_too_late_does_no_harm() {
        let mut bucket = Bucket::new(0.0, 1.0, TTL);
        let slot = bucket.withdraw(Duration::ZERO).unwrap();
        assert_eq!(bucket.withdraw(Duration::ZERO), None);
        bucket.give_back(slot);
        let slot = bucket.withdraw(Duration::ZERO).unwrap();
        assert!(bucket.withdraw(TTL).is_some());
        bucket.give_back(slot);
        assert_eq!(bucket.sums(TTL), (0, 1));
    }

    proptest! {
        #[test]
        fn retries_are_never_more_than_the_budget_over_nine_tenths_of_its_time(
            steps in prop::collection::vec((0_u64..800, any::<bool>()), 1..400),
            ratio in 0.0_f64..1.0,
            reserve in 0_u32..5,
        ) {
            let mut bucket = Bucket::new(ratio, f64::from(reserve), TTL);
            let (mut now, mut requests, mut retries) = (0_u64, Vec::new(), Vec::new());
            for (step, is_request) in steps {
                now += step;
                if is_request {
                    bucket.deposit(Duration::from_millis(now));
                    requests.push(now);
                } else if bucket.withdraw(Duration::from_millis(now)).is_some() {
                    retries.push(now);
                    let within = |times: &[u64], millis: u64| {
                        times.iter().filter(|at| now - **at < millis).count() as f64
                    };
                    let bound = within(&requests, 10_000) * ratio + f64::from(reserve);
                    prop_assert!(within(&retries, 9_000) <= bound);
                }
            }
        }
    }
}
