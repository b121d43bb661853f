//! The states of a breaker. Time and chance are arguments.
//!
//! Each change of state begins a new generation, as in Sony's gobreaker: what a call of an older one
//! tells comes too late, and changes nothing.

use std::{fmt, time::Duration};

use super::{
    options::{BreakerOptions, OPEN_JITTER_RATIO},
    window::{Calls, Tally},
};

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets them through, and counts.
    Closed,
    /// It refuses them.
    Open,
    /// It lets a few through, to see whether they succeed.
    HalfOpen,
}

impl BreakerState {
    /// The name used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenReason {
    /// Too many calls of the window failed.
    FailureRatio(Tally),
    /// Too many calls of the window were slow.
    SlowRatio(Tally),
    /// This many failed in a row.
    ConsecutiveFailures(u32),
    /// A probe failed.
    ProbeFailed,
    /// A probe was slow.
    ProbeSlow,
    /// The probes took too long.
    ProbesUnanswered,
}

impl fmt::Display for OpenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRatio(tally) => write!(f, "{} of {} failed", tally.failed, tally.calls),
            Self::SlowRatio(tally) => write!(f, "{} of {} were slow", tally.slow, tally.calls),
            Self::ConsecutiveFailures(failures) => write!(f, "{failures} in a row failed"),
            Self::ProbeFailed => f.write_str("a probe failed"),
            Self::ProbeSlow => f.write_str("a probe was slow"),
            Self::ProbesUnanswered => f.write_str("probes were not answered"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Closed,
    Open { until: Duration },
    HalfOpen { in_flight: u32, succeeded: u32, last_probe: Duration },
}

impl State {
    pub(super) const fn public(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    generation: u64,
}

/// How a call went, to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Succeeded,
    Failed,
    /// It tells nothing.
    Uncounted,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) options: BreakerOptions,
    pub(super) state: State,
    pub(super) since: Duration,
    /// Why it opened last.
    pub(super) reason: Option<OpenReason>,
    pub(super) consecutive_failures: u32,
    calls: Calls,
    generation: u64,
    /// How often it opened without having been closed for long.
    openings: u32,
    last_open_for: Duration,
    /// A change of state that nobody was told of yet; there is at most one per operation.
    changed: Option<(BreakerState, BreakerState)>,
}

impl Machine {
    pub(super) fn new(options: BreakerOptions) -> Self {
        Self {
            calls: Calls::new(options.window),
            options,
            state: State::Closed,
            since: Duration::ZERO,
            reason: None,
            consecutive_failures: 0,
            generation: 0,
            openings: 0,
            last_open_for: Duration::ZERO,
            changed: None,
        }
    }

    /// Lets a call through, or says when the next probe may come, if that can be told.
    pub(super) fn acquire(
        &mut self,
        now: Duration,
        chance: f64,
    ) -> Result<Ticket, Option<Duration>> {
        if let State::Open { until } = self.state {
            if now < until {
                return Err(Some(until));
            }
            self.enter(State::HalfOpen { in_flight: 0, succeeded: 0, last_probe: now }, now);
        }
        if let State::HalfOpen { in_flight, last_probe, .. } = &mut self.state {
            if *in_flight >= self.options.probes {
                if now.saturating_sub(*last_probe) >= self.options.probe_patience {
                    self.open(now, OpenReason::ProbesUnanswered, chance);
                }
                return Err(self.next_probe());
            }
            *in_flight += 1;
            *last_probe = now;
        }
        Ok(Ticket { generation: self.generation })
    }

    /// A call has ended, or was given up.
    pub(super) fn release(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        took: Duration,
        now: Duration,
        chance: f64,
    ) {
        if ticket.generation != self.generation {
            return;
        }
        let failed = verdict == Verdict::Failed;
        let slow = self.options.slow_calls.is_some_and(|(longer_than, _)| took > longer_than);
        match &mut self.state {
            State::Closed if verdict != Verdict::Uncounted => {
                self.calls.push(now, failed, slow);
                self.consecutive_failures = if failed { self.consecutive_failures + 1 } else { 0 };
                if let Some(reason) = self.trips(now) {
                    self.open(now, reason, chance);
                }
            }
            State::HalfOpen { in_flight, succeeded, .. } => {
                *in_flight -= 1;
                match verdict {
                    Verdict::Uncounted => {}
                    Verdict::Failed => self.open(now, OpenReason::ProbeFailed, chance),
                    Verdict::Succeeded if slow => self.open(now, OpenReason::ProbeSlow, chance),
                    Verdict::Succeeded => {
                        *succeeded += 1;
                        if *succeeded >= self.options.probes {
                            self.enter(State::Closed, now);
                        }
                    }
                }
            }
            State::Closed | State::Open { .. } => {}
        }
    }

    /// What the window has now.
    pub(super) fn tally(&mut self, now: Duration) -> Tally {
        self.calls.tally(now)
    }

    /// When the next probe may come. `None` while that depends on those that are on their way.
    pub(super) const fn next_probe(&self) -> Option<Duration> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    pub(super) const fn take_change(&mut self) -> Option<(BreakerState, BreakerState)> {
        self.changed.take()
    }

    fn trips(&mut self, now: Duration) -> Option<OpenReason> {
        let in_a_row = self.consecutive_failures;
        if self.options.consecutive_failures.is_some_and(|bound| in_a_row >= bound) {
            return Some(OpenReason::ConsecutiveFailures(in_a_row));
        }
        let tally = self.calls.tally(now);
        if tally.calls < self.options.minimum_calls.max(1) {
            return None;
        }
        if self.options.failure_ratio.is_some_and(|ratio| tally.failure_ratio() >= ratio) {
            return Some(OpenReason::FailureRatio(tally));
        }
        let slow = self.options.slow_calls.is_some_and(|(_, ratio)| tally.slow_ratio() >= ratio);
        slow.then_some(OpenReason::SlowRatio(tally))
    }

    fn open(&mut self, now: Duration, reason: OpenReason, chance: f64) {
        let calm = now.saturating_sub(self.since) >= self.last_open_for;
        if self.state == State::Closed && calm {
            self.openings = 0;
        }
        let doubled = 2_u32.checked_pow(self.openings).unwrap_or(u32::MAX);
        let full = self.options.open_for.saturating_mul(doubled).min(self.options.open_at_most);
        self.openings = self.openings.saturating_add(1);
        self.last_open_for = full.mul_f64(1.0 - OPEN_JITTER_RATIO * chance);
        self.reason = Some(reason);
        self.enter(State::Open { until: now.saturating_add(self.last_open_for) }, now);
    }

    fn enter(&mut self, state: State, now: Duration) {
        let from = self.changed.map_or(self.state.public(), |(from, _)| from);
        self.changed = Some((from, state.public()));
        self.state = state;
        self.since = now;
        self.generation += 1;
        self.consecutive_failures = 0;
        self.calls.clear();
    }
}

#[cfg(test)]
mod tests;
