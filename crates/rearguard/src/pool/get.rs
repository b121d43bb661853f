//! How one gets a connection: at once, or when its turn has come, or not.
//!
//! Who gets never opens, tests or closes one itself: that is done in the background. So it may be dropped
//! at any point: it leaves the queue, and what was on its way to it is the next one's.

use std::{panic::Location, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    ConnectionState, Counters, Discard, Lease, Manager,
    core::Core,
    state::{LONGEST_SLEEP, Take, Who},
};
use crate::{CallContext, Error, ErrorKind};

/// An error names this many holders, the longest ones.
pub const HOLDERS_IN_ERROR: usize = 3;

pub(super) async fn get<M: Manager>(
    core: &Arc<Core<M>>,
    borrower: Option<&'static str>,
    at: &'static Location<'static>,
) -> Result<Lease<M>, Error> {
    let began = Instant::now();
    let context = CallContext::current();
    let deadline = context.as_ref().and_then(CallContext::deadline);
    if deadline.is_some_and(|deadline| deadline <= began) {
        return Err(core.error(ErrorKind::DeadlinePassed));
    }
    let trace_id = context.map(|context| context.trace().trace_id);
    match ask(core, Who { borrower, trace_id, at }, began)? {
        Asked::Lent(lease) => Ok(lease),
        Asked::Waiting(waiting) => waiting.turn(began, deadline).await,
    }
}

enum Asked<'a, M: Manager> {
    Lent(Lease<M>),
    Waiting(Waiting<'a, M>),
}

fn ask<M: Manager>(core: &Arc<Core<M>>, who: Who, now: Instant) -> Result<Asked<'_, M>, Error> {
    loop {
        let mut state = core.state();
        match state.take(who, now) {
            Take::Lent(mut parked) => {
                let wanting = state.is_wanting();
                drop(state);
                if wanting {
                    core.wake.notify_one();
                }
                match core.judge(&mut parked.connection) {
                    ConnectionState::Idle => return Ok(Asked::Lent(Lease::new(core, parked))),
                    ConnectionState::Busy(_) => core.reset(parked),
                    ConnectionState::Broken(_) => core.discard(parked, Discard::Broken),
                }
            }
            Take::Expired(parked) => {
                drop(state);
                core.discard(parked, Discard::TooOld);
            }
            Take::Wait => {
                let (token, receiver) = oneshot::channel();
                let id = state.wait(who, token, now);
                let waiting = Waiting { core, id, receiver };
                let tested = state.begin_test(now);
                let wanting = state.is_wanting();
                drop(state);
                if let Some(parked) = tested {
                    core.begin_reset(parked);
                }
                if wanting {
                    core.wake.notify_one();
                }
                return Ok(Asked::Waiting(waiting));
            }
            Take::QueueFull => {
                drop(state);
                let error = explained(core, core.error(ErrorKind::QueueFull));
                return Err(error.with("bound", core.options.max_waiters.to_string()).retryable());
            }
            Take::Closed => return Err(core.error(ErrorKind::Closed)),
        }
    }
}

/// One in the queue. Dropped, it leaves.
struct Waiting<'a, M: Manager> {
    core: &'a Arc<Core<M>>,
    id: u64,
    receiver: oneshot::Receiver<Result<Lease<M>, Error>>,
}

impl<M: Manager> Waiting<'_, M> {
    async fn turn(mut self, began: Instant, deadline: Option<Instant>) -> Result<Lease<M>, Error> {
        let bound = self.core.options.wait_timeout.min(LONGEST_SLEEP);
        let until = deadline.map_or(began + bound, |deadline| deadline.min(began + bound));
        let told = match timeout_at(until, &mut self.receiver).await {
            Ok(told) => told,
            Err(_) => {
                if self.leave(|counters| &mut counters.timeouts) {
                    let by_call = deadline == Some(until);
                    return Err(self.timed_out(began.elapsed(), by_call));
                }
                // Its turn came at the same moment, and it is being told.
                (&mut self.receiver).await
            }
        };
        told.unwrap_or_else(|_| Err(self.core.error(ErrorKind::Closed)))
    }

    /// Leaves the queue and counts it; false if its turn had come.
    fn leave(&self, counter: fn(&mut Counters) -> &mut u64) -> bool {
        let token = {
            let mut state = self.core.state();
            let token = state.leave(self.id);
            *counter(&mut state.counters) += u64::from(token.is_some());
            token
        };
        // Dropped, it wakes its receiver: not while the state is locked.
        token.is_some()
    }

    fn timed_out(&self, waited: Duration, by_call: bool) -> Error {
        let bound = if by_call { "the deadline of the call" } else { "the pool's wait_timeout" };
        let error = self.core.error(ErrorKind::QueueTimedOut);
        let error = error.with("waited", format!("{waited:?}")).with("bound", bound);
        explained(self.core, error).retryable()
    }
}

impl<M: Manager> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        self.leave(|counters| &mut counters.cancelled_waits);
    }
}

/// Says where the connections are.
fn explained<M: Manager>(core: &Core<M>, error: Error) -> Error {
    let (state, now) = (core.state(), Instant::now());
    let mut error = error
        .with("in use", format!("{} of {}", state.in_use(), core.options.max_size))
        .with("idle", state.idle().to_string())
        .with("connecting", state.connecting().to_string())
        .with("resetting", state.resetting().to_string())
        .with("closing", state.closing().to_string())
        .with("waiting", state.waiting().to_string());
    let longest: Vec<_> = state
        .holders(now)
        .iter()
        .take(HOLDERS_IN_ERROR)
        .map(|holder| format!("[{holder}]"))
        .collect();
    if !longest.is_empty() {
        error = error.with("longest holders", longest.join(" "));
    }
    match &state.refusal {
        Some(refusal) => error.because(Arc::clone(&refusal.error)),
        None => error,
    }
}
