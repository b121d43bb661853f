//! One attempt to get a lock, and its end.

use std::{panic::Location, sync::Arc, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Answer, Claim, FencingToken, Lease, Release,
    lease::Granted,
    manager::Shared,
    metrics::{Holder, count},
    timing::{Tenure, validity},
    watchdog::Watchdog,
};
use crate::{
    Error, ErrorKind, Outcome, ScopeHandle,
    open::{self, Open, OpenKind},
};

/// The longest that a release waits for its answer; less where the lock expires sooner.
pub const MAX_RELEASE: Duration = Duration::from_secs(1);

/// Who asks for a lock.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) holder: Holder,
    pub(super) ttl: Duration,
    pub(super) place: Arc<OwnedSemaphorePermit>,
    pub(super) scope: ScopeHandle,
}

/// A lock that is held and renewed, until [`end`].
pub(super) struct Grant {
    pub(super) lease: Lease,
    claim: Claim,
    watchdog: Watchdog,
    shared: Arc<Shared>,
    key: u64,
    _place: Arc<OwnedSemaphorePermit>,
    _open: Open,
}

/// Why an attempt gave none. Nothing is held then.
#[derive(Debug)]
pub(super) enum Refusal {
    Taken { free_in: Option<Duration> },
    Failed(Error),
}

/// Asks once. It is run to its end even if nobody waits for it any more, so whatever is granted is
/// known here, and either returned or released.
pub(super) async fn attempt(request: Request) -> Result<Grant, Refusal> {
    let Request { shared, holder, ttl, place, scope } = request;
    let claim = Claim::new(Arc::clone(&holder.name), ttl);
    // Rule 1: the time before sending.
    let sent = (shared.clock)();
    // What comes later than this is of no use.
    let answer = timeout(validity(ttl), ask(&shared, &claim)).await;
    let token = match answer {
        Ok(Ok(Ok(token))) => token,
        Ok(Ok(Err(free_in))) => return Err(Refusal::Taken { free_in }),
        Ok(Err(error)) => return Err(unknown(&shared, &claim, error).await),
        Err(_) => {
            let error = failed(ErrorKind::ResponseTimedOut, &claim, &shared).retryable();
            return Err(unknown(&shared, &claim, error).await);
        }
    };
    let Some(tenure) = Tenure::granted(ttl, sent, (shared.clock)()) else {
        // Rule 1: a grant that arrives late is released, not used.
        count(&shared.counters.late_grants);
        release(&shared, &claim).await;
        let error = failed(ErrorKind::ResponseTimedOut, &claim, &shared);
        return Err(Refusal::Failed(error.with("the grant", "came too late").retryable()));
    };
    count(&shared.counters.acquired);
    Ok(begin(shared, claim, Holder { token, ..holder }, tenure, place, scope))
}

/// Asks the store, and draws a token where it has none of its own. A token is drawn while the lock
/// is held (rule 4): drawn before, an older holder could have a greater one.
async fn ask(
    shared: &Shared,
    claim: &Claim,
) -> Result<Result<Option<FencingToken>, Option<Duration>>, Error> {
    match (shared.store.acquire(claim).await?, &shared.tokens) {
        (Answer::Taken { free_in }, _) => Ok(Err(free_in)),
        (Answer::Granted(None), Some(tokens)) => Ok(Ok(Some(tokens.draw().await?))),
        (Answer::Granted(token), _) => Ok(Ok(token)),
    }
}

fn begin(
    shared: Arc<Shared>,
    claim: Claim,
    holder: Holder,
    tenure: Tenure,
    place: Arc<OwnedSemaphorePermit>,
    scope: ScopeHandle,
) -> Grant {
    let at: &'static Location<'static> = holder.at;
    let lease = Lease::new(Granted {
        name: Arc::clone(&claim.name),
        token: holder.token,
        at,
        clock: shared.clock,
        scope,
        counters: Arc::clone(&shared.counters),
        tenure,
    });
    let watchdog = Watchdog::start(
        Arc::clone(&shared.store),
        claim.clone(),
        lease.clone(),
        Arc::clone(&shared.counters),
    );
    let key = shared.holders.add(holder);
    let _open = open::register(OpenKind::Lock, || claim.name.to_string(), at);
    Grant { lease, claim, watchdog, shared, key, _place: place, _open }
}

/// Ends what an attempt began: the cleanup of a lock's scope, on every way out.
pub(super) async fn end(grant: Grant, _: Outcome) {
    let Grant { lease, claim, watchdog, shared, key, _place, _open } = grant;
    // Rule 3: first nobody renews any more, then it is released.
    watchdog.stop().await;
    let held = lease.released();
    if release(&shared, &claim).await == Some(Release::NotHeld) && held {
        count(&shared.counters.released_not_held);
    }
    shared.holders.remove(key);
}

/// Whether it was granted is unknown, so what may have been granted is released.
async fn unknown(shared: &Shared, claim: &Claim, error: Error) -> Refusal {
    count(&shared.counters.unknown_grants);
    release(shared, claim).await;
    Refusal::Failed(error)
}

/// Compares and deletes (rule 3). `None` where the answer is unknown: then the lock ends with its
/// time.
async fn release(shared: &Shared, claim: &Claim) -> Option<Release> {
    let within = claim.ttl.min(MAX_RELEASE);
    if let Ok(Ok(answer)) = timeout(within, shared.store.release(claim)).await {
        return Some(answer);
    }
    count(&shared.counters.unknown_releases);
    None
}

fn failed(kind: ErrorKind, claim: &Claim, shared: &Shared) -> Error {
    let error = Error::new(kind, "lock.acquire").with("lock", claim.name.to_string());
    error.with("store", shared.store.kind())
}
