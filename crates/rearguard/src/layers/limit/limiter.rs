use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use super::{LimitOptions, gradient::Gradient};
use crate::{
    CallContext, Error, ErrorKind, Guard, Outcome, guard,
    layers::ambient::{CallDeadline, Clock, rounded},
};

/// How many calls may be in flight, by what they take: the state that a
/// [`LimitLayer`](super::LimitLayer), and whatever else calls the same thing, shares. A clone is the
/// same limiter.
///
/// ```
/// use rearguard::{ErrorKind, Outcome, layers::{LimitOptions, Limiter}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rearguard::Error> {
/// let limiter = Limiter::new(LimitOptions::new("api").limits(1, 1))?;
/// let permit = limiter.acquire().await?;
/// assert_eq!(limiter.acquire().await.unwrap_err().kind(), ErrorKind::Overloaded);
/// permit.finish(Outcome::Succeeded);
/// assert!(limiter.acquire().await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    options: LimitOptions,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    gradient: Gradient,
    in_flight: usize,
    /// While any waits that has not given up, there is no free place.
    queue: VecDeque<Waiting>,
    permitted: u64,
    refused: u64,
    gave_up: u64,
}

/// Who waits for a place.
struct Waiting {
    hand: oneshot::Sender<LimitPermit>,
    deadline: CallDeadline,
}

/// What a limiter is like now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitSnapshot {
    /// Its name.
    pub limiter: String,
    /// How many calls may be in flight.
    pub limit: usize,
    /// How many are.
    pub in_flight: usize,
    /// How many wait for a place.
    pub waiting: usize,
    /// What a call takes where nothing queues, when that is known.
    pub base_latency: Option<Duration>,
    /// Calls that were let through, since it was made.
    pub permitted: u64,
    /// Calls that were refused at once.
    pub refused: u64,
    /// Calls that waited too long.
    pub gave_up: u64,
}

impl Limiter {
    /// One with all places free.
    ///
    /// # Errors
    /// `invalid_input` says which option cannot be.
    pub fn new(options: LimitOptions) -> Result<Self, Error> {
        options.check()?;
        let state = Mutex::new(State {
            gradient: Gradient::new(options.bounds(), f64::from(options.initial)),
            in_flight: 0,
            queue: VecDeque::new(),
            permitted: 0,
            refused: 0,
            gave_up: 0,
        });
        Ok(Self(Arc::new(Shared { options, clock: Clock::new(), state })))
    }

    /// Asks for a place, and waits for one if the options say so. Dropped while it waits, it leaves the
    /// queue; a place that it was given meanwhile goes to the next.
    ///
    /// # Errors
    /// Without a queue, `overloaded`. With one, `queue_full`, `queue_timed_out`, or `deadline_passed`
    /// where the [`CallContext`]'s deadline came first.
    pub async fn acquire(&self) -> Result<LimitPermit, Error> {
        match self.enter()? {
            Entered::Permitted(permit) => Ok(permit),
            Entered::Queued(waiter) => waiter.await,
        }
    }

    /// What it is like now.
    ///
    /// ```
    /// use rearguard::layers::{LimitOptions, Limiter};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rearguard::Error> {
    /// let limiter = Limiter::new(LimitOptions::new("api"))?;
    /// let _permit = limiter.acquire().await?;
    /// assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().limit), (1, 20));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> LimitSnapshot {
        let state = self.lock();
        LimitSnapshot {
            limiter: self.0.options.name.to_string(),
            limit: state.gradient.limit(),
            in_flight: state.in_flight,
            waiting: state.queue.iter().filter(|waiting| !waiting.hand.is_closed()).count(),
            base_latency: state.gradient.base(),
            permitted: state.permitted,
            refused: state.refused,
            gave_up: state.gave_up,
        }
    }

    pub(super) fn enter(&self) -> Result<Entered, Error> {
        let mut state = self.lock();
        if state.in_flight < state.gradient.limit() {
            state.begin();
            drop(state);
            return Ok(Entered::Permitted(self.permit(CallDeadline::current())));
        }
        let queue = self.0.options.queue;
        if state.queue.len() >= queue {
            state.queue.retain(|waiting| !waiting.hand.is_closed());
        }
        if state.queue.len() >= queue {
            state.refused += 1;
            let limit = state.gradient.limit();
            drop(state);
            let kind = if queue == 0 { ErrorKind::Overloaded } else { ErrorKind::QueueFull };
            return Err(self.refusal(kind).with("in_flight", limit.to_string()).retryable());
        }
        let (hand, place) = oneshot::channel();
        state.queue.push_back(Waiting { hand, deadline: CallDeadline::current() });
        drop(state);
        let left = CallContext::current().and_then(|context| context.remaining());
        let longest = self.0.options.wait;
        let bounded_by = match left {
            Some(left) if left < longest => ErrorKind::DeadlinePassed,
            _ => ErrorKind::QueueTimedOut,
        };
        let wait = left.map_or(longest, |left| left.min(longest));
        let limiter = self.clone();
        Ok(Entered::Queued(Waiter { place, sleep: sleep(wait), wait, bounded_by, limiter }))
    }

    fn refusal(&self, kind: ErrorKind) -> Error {
        Error::new(kind, "limit.acquire").with("limit", self.0.options.name.clone())
    }

    /// For a call that is counted already.
    fn permit(&self, deadline: CallDeadline) -> LimitPermit {
        let held = Held { limiter: self.clone(), began: self.0.clock.now(), deadline };
        LimitPermit(guard(held, Held::abandon))
    }

    /// Gives free places to those who wait. Until the lock is given back, nobody else can take them.
    fn hand_on<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while state.in_flight < state.gradient.limit() {
            let Some(Waiting { hand, deadline }) = state.queue.pop_front() else { return };
            state.begin();
            drop(state);
            let unsent = hand.send(self.permit(deadline)).err();
            let gave_up = unsent.map(|permit| drop(Guard::into_inner(permit.0)));
            state = self.lock();
            if gave_up.is_some() {
                // Nothing has begun.
                state.unbegin();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of a user's runs under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self) {
        self.in_flight += 1;
        self.permitted += 1;
        self.gradient.began(self.in_flight);
    }

    const fn unbegin(&mut self) {
        self.in_flight -= 1;
        self.permitted -= 1;
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.snapshot()).finish()
    }
}

/// A place of a [`Limiter`]. Dropped, it is free again, and what the call took does not count; dropped
/// when the [`CallContext`]'s deadline has passed, it has timed out.
#[derive(Debug)]
pub struct LimitPermit(Guard<Held, fn(Held)>);

#[derive(Debug)]
struct Held {
    limiter: Limiter,
    began: Duration,
    deadline: CallDeadline,
}

impl LimitPermit {
    /// Tells how the call went. What it took counts if it succeeded; that it timed out lowers the
    /// limit. What failed otherwise may have failed at once, and tells nothing.
    pub fn finish(self, outcome: Outcome) {
        Guard::into_inner(self.0).release(outcome);
    }
}

impl Held {
    fn abandon(self) {
        let was_too_slow = self.deadline.has_passed();
        self.release(if was_too_slow { Outcome::TimedOut } else { Outcome::Cancelled });
    }

    fn release(self, outcome: Outcome) {
        let now = self.limiter.0.clock.now();
        let mut state = self.limiter.lock();
        state.in_flight -= 1;
        match outcome {
            Outcome::Succeeded => state.gradient.ended(self.began, now, false),
            Outcome::TimedOut => state.gradient.ended(self.began, now, true),
            _ => {}
        }
        self.limiter.hand_on(state);
    }
}

pub(super) enum Entered {
    Permitted(LimitPermit),
    Queued(Waiter),
}

pin_project! {
    /// A call that waits for a place.
    pub(super) struct Waiter {
        #[pin]
        place: oneshot::Receiver<LimitPermit>,
        #[pin]
        sleep: Sleep,
        wait: Duration,
        bounded_by: ErrorKind,
        limiter: Limiter,
    }
}

impl Future for Waiter {
    type Output = Result<LimitPermit, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(Ok(permit)) = this.place.poll(context) {
            return Poll::Ready(Ok(permit));
        }
        std::task::ready!(this.sleep.poll(context));
        this.limiter.lock().gave_up += 1;
        let error = this.limiter.refusal(*this.bounded_by).with("waited", rounded(*this.wait));
        Poll::Ready(Err(error.retryable()))
    }
}
