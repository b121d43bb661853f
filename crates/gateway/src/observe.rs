//! What the gateway shows to whoever watches it: counters, histograms and recent failures.

use std::sync::Arc;

use model::{Cause, Outcome};

/// A cumulative count of requests with the same labels, summed over the workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// The service; empty where no route matched.
    pub service: Arc<str>,
    /// The route; empty where none matched.
    pub route: Arc<str>,
    /// The subset; empty for the whole service.
    pub subset: Arc<str>,
    /// How the requests ended.
    pub outcome: Outcome,
    /// Why they were not served well.
    pub cause: Option<Cause>,
    /// How many.
    pub requests: u64,
}
