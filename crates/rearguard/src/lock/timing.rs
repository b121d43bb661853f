//! What the protocol decides by time alone. Nothing here reads a clock.
//!
//! The rules are those of [`super`]'s doc.

use std::time::Duration;

use super::{Renewal, clock::Moment};

/// The shortest time to live: below it, delays of a busy machine would lose the lock.
pub const MIN_TTL: Duration = Duration::from_millis(20);

/// The longest. A lock whose holder died stays taken that long.
pub const MAX_TTL: Duration = Duration::from_hours(24);

/// By how much clocks that measure one time to live may differ: 1 % of it and 2 ms, which is what
/// Redlock allows for.
///
/// Source: "Distributed Locks with Redis" (redis.io) subtracts `CLOCK_DRIFT`; its reference
/// implementation, redlock-rb, has `CLOCK_DRIFT_FACTOR` = 0.01 and adds 2 ms, 1 ms for the precision
/// of Redis's expiry and 1 ms for short times to live. Crystals differ by less than 0.02 %; the rest
/// is for clocks that are slewed, by NTP at 0.05 % at most.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::lock::drift_allowance;
///
/// assert_eq!(drift_allowance(Duration::from_secs(30)), Duration::from_millis(302));
/// ```
#[must_use]
pub fn drift_allowance(ttl: Duration) -> Duration {
    ttl / 100 + Duration::from_millis(2)
}

/// For how long a grant is good from when it was asked for.
pub(crate) fn validity(ttl: Duration) -> Duration {
    ttl.saturating_sub(drift_allowance(ttl))
}

/// How long before its deadline the work is cancelled: 2 % of the time to live, no less than 2 ms,
/// as tokio's timers tell milliseconds.
pub(crate) fn cancel_margin(ttl: Duration) -> Duration {
    (ttl / 50).max(Duration::from_millis(2))
}

/// Of the time to live, when a renewal is sent after the last good one was: Redisson's third.
const RENEWALS_PER_TTL: u32 = 3;

/// Of the time to live, when a renewal is sent after one whose answer is unknown.
const RETRIES_PER_TTL: u32 = 12;

/// Why a lock is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The store says that it is not, or no longer, ours: it expired, the store lost it, its clock
    /// was set, or somebody removed it.
    Refused,
    /// The deadline came near, and no renewal was known to have succeeded.
    Unrenewed,
}

impl Loss {
    /// The code used in logs and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unrenewed => "unrenewed",
        }
    }
}

/// What is known of a lock that was granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenure {
    ttl: Duration,
    deadline: Moment,
    renew_at: Moment,
    loss: Option<Loss>,
}

/// What a watchdog does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait(Duration),
    /// An answer that comes later than this is of no use.
    Renew {
        within: Duration,
    },
    /// The work is cancelled.
    Lost(Loss),
}

impl Tenure {
    /// Of a grant that was asked for at `sent` and is known of at `now`. `None` where it comes too
    /// late to be used (rule 1).
    pub(crate) fn granted(ttl: Duration, sent: Moment, now: Moment) -> Option<Self> {
        let tenure = Self {
            ttl,
            // Rule 1: what was granted began no sooner than it was asked for.
            deadline: sent.saturating_add(validity(ttl)),
            renew_at: sent.saturating_add(ttl / RENEWALS_PER_TTL),
            loss: None,
        };
        (now < tenure.cancel_at()).then_some(tenure)
    }

    /// When the work is cancelled: before the deadline (rule 2).
    pub(crate) fn cancel_at(&self) -> Moment {
        self.deadline.saturating_sub(cancel_margin(self.ttl))
    }

    /// Whether, and why, it is lost. What is lost stays lost.
    pub(crate) fn loss(&mut self, now: Moment) -> Option<Loss> {
        if now >= self.cancel_at() {
            self.loss.get_or_insert(Loss::Unrenewed);
        }
        self.loss
    }

    /// Whether, and why, it is known to be lost.
    pub(crate) fn known_loss(&self) -> Option<Loss> {
        self.loss
    }

    /// What is left until the work is cancelled.
    pub(crate) fn remaining(&mut self, now: Moment) -> Duration {
        if self.loss(now).is_some() { Duration::ZERO } else { self.cancel_at().since(now) }
    }

    pub(crate) fn next(&mut self, now: Moment) -> Step {
        if let Some(loss) = self.loss(now) {
            return Step::Lost(loss);
        }
        let left = self.cancel_at().since(now);
        if now < self.renew_at {
            return Step::Wait(left.min(self.renew_at.since(now)));
        }
        // Two more tries fit in after one whose answer never comes.
        Step::Renew { within: left.min(self.ttl / (2 * RENEWALS_PER_TTL)) }
    }

    /// A renewal that was sent at `sent` was answered, or given up, at `now`. `None`: it is unknown
    /// whether it was done.
    pub(crate) fn renewed(&mut self, sent: Moment, now: Moment, answer: Option<Renewal>) {
        // Also one that succeeded comes too late once the work was, or had to be, cancelled.
        if self.loss(now).is_some() {
            return;
        }
        match answer {
            Some(Renewal::Renewed) => {
                self.deadline = self.deadline.max(sent.saturating_add(validity(self.ttl)));
                self.renew_at = sent.saturating_add(self.ttl / RENEWALS_PER_TTL);
            }
            Some(Renewal::Refused) => self.loss = Some(Loss::Refused),
            // Rule 2: an unknown renewal never moves the deadline.
            None => self.renew_at = now.saturating_add(self.ttl / RETRIES_PER_TTL),
        }
    }
}

/// The longest that a waiter goes without asking, however long the time to live (rule 6).
pub const MAX_POLL: Duration = Duration::from_secs(1);

/// The shortest, so that a lock that is about to be free is not asked for all the time.
pub const MIN_POLL: Duration = Duration::from_millis(5);

/// How long a waiter waits to be told before it asks all the same (rule 6). `jitter` is from 0 to 1,
/// and adds up to a fifth, so that those who wait do not ask together.
pub(crate) fn poll_pause(ttl: Duration, free_in: Option<Duration>, jitter: f64) -> Duration {
    let pause = free_in.unwrap_or(ttl).min(ttl).clamp(MIN_POLL, MAX_POLL);
    pause + pause.mul_f64(jitter.clamp(0.0, 1.0) / 5.0)
}

#[cfg(test)]
mod tests;
