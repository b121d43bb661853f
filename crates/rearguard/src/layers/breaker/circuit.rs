use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    BreakerOptions, BreakerState, OpenReason, Tally,
    machine::{Machine, State, Ticket, Verdict},
};
use crate::{
    Error, ErrorKind, Guard, Outcome, guard,
    layers::ambient::{CallDeadline, Clock, rounded},
};

/// A circuit breaker: the state that a [`BreakerLayer`](super::BreakerLayer), and whatever else calls
/// the same thing, shares. A clone is the same breaker.
///
/// ```
/// use rearguard::{ErrorKind, Outcome, layers::{BreakerOptions, CircuitBreaker}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rearguard::Error> {
/// let breaker = CircuitBreaker::new(BreakerOptions::new("stock").consecutive_failures(1))?;
/// breaker.acquire()?.finish(Outcome::Failed);
/// let refused = breaker.acquire().unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::CircuitOpen);
/// assert_eq!(refused.context("why"), Some("1 in a row failed"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Shared>);

struct Shared {
    machine: Mutex<(Machine, Counts)>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    permitted: u64,
    refused: u64,
    opened: u64,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// Of which breaker.
    pub breaker: String,
    /// What it was.
    pub from: BreakerState,
    /// What it is.
    pub to: BreakerState,
    /// Why it opened, if it did.
    pub reason: Option<OpenReason>,
}

/// What a breaker is like now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// Its name.
    pub breaker: String,
    /// Its state. One whose open time has passed becomes half-open by the next call.
    pub state: BreakerState,
    /// For how long.
    pub in_state_for: Duration,
    /// Why it opened last, unless it never did.
    pub reason: Option<OpenReason>,
    /// While it is open: in how long the next probe may come.
    pub next_probe_in: Option<Duration>,
    /// Probes that are on their way.
    pub probes_in_flight: u32,
    /// The calls of the window, while it is closed.
    pub tally: Tally,
    /// How many failed in a row.
    pub consecutive_failures: u32,
    /// Calls that it let through, since it was made.
    pub permitted: u64,
    /// Calls that it refused.
    pub refused: u64,
    /// How often it opened.
    pub opened: u64,
}

impl CircuitBreaker {
    /// A closed one.
    ///
    /// # Errors
    /// `invalid_input` says which option cannot be.
    pub fn new(options: BreakerOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Self::checked(options))
    }

    /// The options are known to be good.
    pub(super) fn checked(options: BreakerOptions) -> Self {
        let machine = Mutex::new((Machine::new(options), Counts::default()));
        Self(Arc::new(Shared { machine, clock: Clock::new() }))
    }

    /// Asks to be let through.
    ///
    /// # Errors
    /// `circuit_open`, with the context `breaker`, `state`, `since`, `why` and, while it is open,
    /// `next_probe`.
    pub fn acquire(&self) -> Result<BreakerPermit, Error> {
        let now = self.0.clock.now();
        let (acquired, transition) = {
            let (machine, counts) = &mut *self.lock();
            let chance = machine.options.chance.draw();
            let acquired = machine.acquire(now, chance);
            match acquired {
                Ok(_) => counts.permitted += 1,
                Err(_) => counts.refused += 1,
            }
            let acquired = acquired.map_err(|next_probe| refusal(machine, next_probe, now));
            (acquired, take_transition(machine, counts))
        };
        self.tell(transition);
        let ticket = acquired?;
        let deadline = CallDeadline::current();
        let held = Held { breaker: self.clone(), ticket, since: now, deadline };
        Ok(BreakerPermit(guard(held, Held::abandon)))
    }

    /// What it is like now.
    ///
    /// ```
    /// use rearguard::layers::{BreakerOptions, CircuitBreaker, breaker::BreakerState};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rearguard::Error> {
    /// let breaker = CircuitBreaker::new(BreakerOptions::new("stock"))?;
    /// assert_eq!(breaker.snapshot().state, BreakerState::Closed);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> BreakerSnapshot {
        let now = self.0.clock.now();
        let (machine, counts) = &mut *self.lock();
        BreakerSnapshot {
            breaker: machine.options.name.to_string(),
            state: machine.state.public(),
            in_state_for: now.saturating_sub(machine.since),
            reason: machine.reason,
            next_probe_in: machine.next_probe().map(|at| at.saturating_sub(now)),
            probes_in_flight: match machine.state {
                State::HalfOpen { in_flight, .. } => in_flight,
                State::Closed | State::Open { .. } => 0,
            },
            tally: machine.tally(now),
            consecutive_failures: machine.consecutive_failures,
            permitted: counts.permitted,
            refused: counts.refused,
            opened: counts.opened,
        }
    }

    /// Its state alone.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.lock().0.state.public()
    }

    /// Whether something would be lost with it: it is open, or probes are on their way.
    pub(super) fn holds_back(&self) -> bool {
        let now = self.0.clock.now();
        match self.lock().0.state {
            State::Closed => false,
            State::Open { until } => now < until,
            State::HalfOpen { in_flight, .. } => in_flight > 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Machine, Counts)> {
        // Nothing of a user's runs under the lock.
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without the lock, so that who is told may ask.
    fn tell(&self, transition: Option<(BreakerOptions, Transition)>) {
        if let Some((options, transition)) = transition {
            options.tell(&transition);
        }
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CircuitBreaker").field(&self.snapshot()).finish()
    }
}

fn take_transition(
    machine: &mut Machine,
    counts: &mut Counts,
) -> Option<(BreakerOptions, Transition)> {
    let (from, to) = machine.take_change()?;
    counts.opened += u64::from(to == BreakerState::Open);
    let reason = machine.reason.filter(|_| to == BreakerState::Open);
    let breaker = machine.options.name.to_string();
    Some((machine.options.clone(), Transition { breaker, from, to, reason }))
}

fn refusal(machine: &Machine, next_probe: Option<Duration>, now: Duration) -> Error {
    let error = Error::new(ErrorKind::CircuitOpen, "breaker.acquire")
        .with("breaker", machine.options.name.clone())
        .with("state", machine.state.public().as_str())
        .with("since", rounded(now.saturating_sub(machine.since)));
    let error = match machine.reason {
        Some(reason) => error.with("why", reason.to_string()),
        None => error,
    };
    match next_probe {
        Some(at) => error.with("next_probe", format!("in {}", rounded(at.saturating_sub(now)))),
        None => error.with("next_probe", "when those that are on their way are answered"),
    }
}

/// A call that was let through. Dropped, it tells nothing of what was called, and gives the place of
/// a probe back; dropped when its [`CallContext`](crate::CallContext)'s deadline has passed, it has
/// failed.
#[derive(Debug)]
pub struct BreakerPermit(Guard<Held, fn(Held)>);

#[derive(Debug)]
struct Held {
    breaker: CircuitBreaker,
    ticket: Ticket,
    since: Duration,
    deadline: CallDeadline,
}

impl BreakerPermit {
    /// Tells how the call went; [`Outcome::Cancelled`] does not count. How long it took is measured
    /// from [`CircuitBreaker::acquire`].
    pub fn finish(self, outcome: Outcome) {
        Guard::into_inner(self.0).release(match outcome {
            Outcome::Succeeded => Verdict::Succeeded,
            Outcome::Cancelled => Verdict::Uncounted,
            Outcome::Failed | Outcome::TimedOut | Outcome::Panicked | Outcome::Lost => {
                Verdict::Failed
            }
        });
    }
}

impl Held {
    fn abandon(self) {
        let was_too_slow = self.deadline.has_passed();
        self.release(if was_too_slow { Verdict::Failed } else { Verdict::Uncounted });
    }

    fn release(self, verdict: Verdict) {
        let now = self.breaker.0.clock.now();
        let transition = {
            let (machine, counts) = &mut *self.breaker.lock();
            let chance = machine.options.chance.draw();
            machine.release(self.ticket, verdict, now.saturating_sub(self.since), now, chance);
            take_transition(machine, counts)
        };
        self.breaker.tell(transition);
    }
}
