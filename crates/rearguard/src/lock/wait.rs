//! Waiting for a lock that is another's: to be told, and asking again all the same (rule 6).

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Lease, MAX_POLL,
    acquire::{Grant, Refusal, Request, attempt, end},
    metrics::count,
    timing::poll_pause,
};
use crate::{CallContext, Error, ErrorKind, Held, OwnedScope};

/// The pauses between tries at a store that fails: from this, doubled each time, to
/// [`MAX_POLL`].
pub const FIRST_RETRY: Duration = Duration::from_millis(20);

/// How often the pause between tries at a store that fails is doubled.
const DOUBLINGS: u32 = 6;

/// Whether one waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    No,
    /// At most this long, and no longer than the task's deadline.
    AtMost(Duration),
}

/// Gets a lock into a scope, which releases it when it ends. `None` where it is another's and is not
/// waited for.
pub(super) async fn lock(
    scope: &mut OwnedScope,
    request: Request,
    waiting: Waiting,
) -> Result<Option<Lease>, Error> {
    let begun = Instant::now();
    let limit = Limit::new(begun, waiting, &request)?;
    match ask(scope, &request).await {
        Ok(grant) => return Ok(Some(grant.lease.clone())),
        Err(Refusal::Taken { .. }) if waiting == Waiting::No => return Ok(None),
        Err(Refusal::Failed(error)) if waiting == Waiting::No || !error.is_retryable() => {
            return Err(error);
        }
        Err(_) => {}
    }
    let (store, name) = (Arc::clone(&request.shared.store), Arc::clone(&request.holder.name));
    let (ending, ended) = (Arc::clone(&store), Arc::clone(&name));
    let watch = scope
        .acquire(async move { Ok::<_, Infallible>(store.watch(&name).await) }, |_, _| async move {
            ending.unwatch(&ended).await
        });
    let Ok(mut told) = watch.await;
    let mut failures = 0;
    loop {
        // Asked for again before the first pause: it may have been freed before it was watched.
        told.mark_unchanged();
        let refusal = match ask(scope, &request).await {
            Ok(grant) => {
                request.shared.counters.waited(begun.elapsed());
                return Ok(Some(grant.lease.clone()));
            }
            Err(Refusal::Failed(error)) if !error.is_retryable() => return Err(error),
            Err(refusal) => refusal,
        };
        let pause = match &refusal {
            Refusal::Taken { free_in } => {
                failures = 0;
                poll_pause(request.ttl, *free_in, fastrand::f64())
            }
            Refusal::Failed(_) => {
                failures += 1;
                let doubled = FIRST_RETRY * 2_u32.pow(DOUBLINGS.min(failures - 1));
                poll_pause(MAX_POLL, Some(doubled), fastrand::f64())
            }
        };
        let now = Instant::now();
        if now >= limit.at {
            request.shared.counters.waited(begun.elapsed());
            count(&request.shared.counters.timed_out);
            return Err(limit.passed(refusal, &request));
        }
        let until = now.checked_add(pause).unwrap_or(limit.at).min(limit.at);
        // Told, or not told in time: both ask again. A store that is gone tells nothing.
        match timeout_at(until, told.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => sleep_until(until).await,
        }
    }
}

/// One attempt, shielded: dropped half way, it goes on in the reaper, and what it is granted is
/// released there.
async fn ask(scope: &mut OwnedScope, request: &Request) -> Result<Held<Grant>, Refusal> {
    scope.acquire(attempt(request.clone()), end).await
}

/// Until when one waits.
struct Limit {
    at: Instant,
    kind: ErrorKind,
}

impl Limit {
    fn new(begun: Instant, waiting: Waiting, request: &Request) -> Result<Self, Error> {
        let wait = match waiting {
            Waiting::No => Duration::ZERO,
            Waiting::AtMost(wait) => wait,
        };
        // One that is too far off to be told is as good as none.
        let far = Duration::from_hours(24 * 365);
        let own = begun + wait.min(far);
        let Some(deadline) = CallContext::current().and_then(|context| context.deadline()) else {
            return Ok(Self { at: own, kind: ErrorKind::QueueTimedOut });
        };
        if deadline <= begun {
            count(&request.shared.counters.timed_out);
            return Err(error(ErrorKind::DeadlinePassed, request));
        }
        let nearer = deadline < own;
        let kind = if nearer { ErrorKind::DeadlinePassed } else { ErrorKind::QueueTimedOut };
        Ok(Self { at: deadline.min(own), kind })
    }

    fn passed(self, refusal: Refusal, request: &Request) -> Error {
        let error = error(self.kind, request).retryable();
        match refusal {
            Refusal::Taken { .. } => error,
            Refusal::Failed(source) => error.because(source),
        }
    }
}

fn error(kind: ErrorKind, request: &Request) -> Error {
    Error::new(kind, "lock.acquire")
        .with("lock", request.holder.name.to_string())
        .with("store", request.shared.store.kind())
        .with("asked for at", request.holder.at.to_string())
}
