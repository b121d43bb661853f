use std::ops::Deref;

use super::{Lease, protected::Protected};
use crate::{Error, ErrorKind, Outcome, OwnedScope, Report, ScopeError};

/// A lock that is held, as a value. Dropped, it is cancelled: the [`Reaper`](crate::Reaper) runs what
/// was registered with it and releases it.
#[must_use = "a lock that is dropped at once is released at once"]
#[derive(Debug)]
pub struct OwnedLease {
    lease: Lease,
    scope: OwnedScope,
}

impl OwnedLease {
    pub(super) fn new(lease: Lease, scope: OwnedScope) -> Self {
        Self { lease, scope }
    }

    /// Runs `body` under the lock, and releases it: the second half of
    /// [`with_lock`](super::LockManager::with_lock).
    ///
    /// # Errors
    /// Those of `with_lock` once the body has begun.
    pub async fn run<T, E, B>(self, body: B) -> Result<T, E>
    where
        B: AsyncFnOnce(Lease) -> Result<T, E>,
        E: From<Error>,
    {
        let Self { lease, scope } = self;
        let given = lease.clone();
        let work = Protected::new(lease.clone(), async move { body(given).await });
        let ended = Box::pin(scope.run(work)).await;
        ended.into_result().map_err(|error| match error {
            ScopeError::Failed(error) => error,
            ScopeError::TimedOut => lease.error(ErrorKind::DeadlinePassed, "lock.hold").into(),
            ScopeError::Cleanup(failure) => {
                lease.error(ErrorKind::Failed, "lock.cleanup").because(failure).into()
            }
            ScopeError::Unfinished(count) => {
                let unfinished = ScopeError::<Error>::Unfinished(count);
                lease.error(ErrorKind::Failed, "lock.cleanup").because(unfinished).into()
            }
        })
    }

    /// Ends it: runs what was registered with it, and releases it. `outcome` is how the work went;
    /// undos run unless it [`Succeeded`](Outcome::Succeeded).
    pub async fn release(self, outcome: Outcome) -> Report {
        self.scope.end(outcome).await
    }
}

impl Deref for OwnedLease {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}
