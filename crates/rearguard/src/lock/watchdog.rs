//! Renews a lock while it is held.

use std::sync::Arc;

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    Claim, Lease, Renewal, Store,
    metrics::{Counters, count},
    timing::Step,
};

/// The task that renews a lock. It is a task of its own so that it goes on while the work blocks its
/// thread, and while undos run in the reaper.
#[derive(Debug)]
pub(super) struct Watchdog(JoinHandle<()>);

impl Watchdog {
    pub(super) fn start(
        store: Arc<dyn Store>,
        claim: Claim,
        lease: Lease,
        counters: Arc<Counters>,
    ) -> Self {
        Self(tokio::spawn(async move { watch(&*store, &claim, &lease, &counters).await }))
    }

    /// Ends it. When this returns, it sends nothing more.
    pub(super) async fn stop(self) {
        self.0.abort();
        // That it was aborted is what was asked for, and it has no value.
        drop(self.0.await);
    }
}

/// Until the lock is lost, which cancels the work.
async fn watch(store: &dyn Store, claim: &Claim, lease: &Lease, counters: &Counters) {
    while let Some(step) = lease.next() {
        match step {
            Step::Lost(_) => return,
            Step::Wait(wait) => sleep(wait).await,
            Step::Renew { within } => {
                let sent = lease.now();
                let answer = match timeout(within, store.renew(claim)).await {
                    Ok(Ok(answer)) => Some(answer),
                    // Rule 2: neither a failure nor a silence says anything about the lock.
                    Ok(Err(_)) | Err(_) => None,
                };
                match answer {
                    Some(Renewal::Renewed) => count(&counters.renewals),
                    Some(Renewal::Refused) => {}
                    None => count(&counters.unknown_renewals),
                }
                lease.renewed(sent, answer);
            }
        }
    }
}
