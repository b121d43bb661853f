//! The admin server: the page for people, metrics for Prometheus, and the failures API.
//!
//! It runs on a thread of its own, because the data plane's cores run nothing else, and sees the
//! gateway only through [`Observed`]. Entry point: [`start`].
//!
//! * `server`: accepting connections within bounds.
//! * `router`: which path answers what, the check of `Host`, security headers.
//! * `history`, `summary`: counters sampled once a second, and what is worked out from them.
//! * `query`, `failures`: the failures API.
//! * `objectives`: error budgets as JSON and as metrics.
//! * `help`: the pages of the causes as HTML.
//! * `page`: the first page; its script and style are in `assets/`.

mod assets;
mod failures;
#[cfg(test)]
pub(crate) mod fake;
mod help;
mod history;
mod objectives;
mod page;
mod query;
mod router;
mod server;
mod summary;

#[cfg(test)]
mod api_tests;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod slo_tests;

use std::sync::Arc;

use gateway::observe::RequestCount;
use model::RequestRecord;

use crate::{slo::watch::Standing, timeout_profile::Amendment};

pub(crate) use server::start;

/// What the admin server sees of the gateway.
///
/// Every method is called on the admin thread and must return without waiting for the data plane.
pub(crate) trait Observed: Send + Sync + 'static {
    /// Appends the gateway's metrics in Prometheus's text format.
    fn metrics(&self, out: &mut String);

    /// Cumulative counters, one for each set of labels.
    fn counts(&self) -> Vec<RequestCount>;

    /// At most `limit` of the latest failures, newest first, none older than `since_unix_micros`.
    fn failures(&self, since_unix_micros: Option<u64>, limit: usize) -> Vec<Arc<RequestRecord>>;

    /// Why the gateway is not ready for traffic, where it is not.
    fn ready(&self) -> Result<(), String>;

    /// How objectives stand.
    fn objectives(&self) -> Standing {
        Standing::default()
    }

    /// What was found out about a failure after it had ended.
    fn amendment(&self, _failure: &RequestRecord) -> Option<Arc<Amendment>> {
        None
    }

    /// Where the gateway takes traffic, as a caller on this machine writes it; shown as an example.
    fn traffic_url(&self) -> String {
        "http://127.0.0.1:8080".to_owned()
    }

    /// A path whose answer is a failure, where one is known; shown as an example.
    fn failing_path(&self) -> Option<String> {
        None
    }
}
