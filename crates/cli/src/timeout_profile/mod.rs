//! `rearguard up --profile-on-timeout`: what a service was doing when a request waited in vain.
//!
//! The gateway tells of each `upstream.response_timed_out` through a bounded channel; one thread of its
//! own, none of the data plane's, asks that service for a goroutine profile, at most one in
//! [`PROFILE_EVERY`] and one at a time, finds the goroutine that probably serves the request, and
//! keeps what it found as an amendment of the request's record. Entry point: [`TimeoutProfiler::start`].

mod amendments;
mod pattern;
mod taker;

use std::{
    fmt::Write as _,
    sync::{Arc, mpsc},
    time::Duration,
};

use gateway::FailureListener;
use model::{Cause, RequestRecord};

pub(crate) use amendments::{Amendment, Amendments};
pub(crate) use pattern::UrlPattern;

use taker::Taker;

/// A service is asked at most once in this time.
pub(crate) const PROFILE_EVERY: Duration = Duration::from_secs(30);

/// So many requests may wait to be looked at.
const MAX_WAITING: usize = 64;

/// Looks at requests that timed out; ends with the program.
#[derive(Debug)]
pub(crate) struct TimeoutProfiler {
    amendments: Arc<Amendments>,
}

impl TimeoutProfiler {
    /// Starts the thread, and returns what the gateway tells it by. The Go files of `source`, each a
    /// path and its text, name the deferred calls.
    pub(crate) fn start(
        pattern: UrlPattern,
        source: Vec<(String, String)>,
    ) -> std::io::Result<(Self, FailureListener)> {
        let (sender, receiver) = mpsc::sync_channel::<Arc<RequestRecord>>(MAX_WAITING);
        let amendments = Arc::new(Amendments::default());
        let kept = Arc::clone(&amendments);
        std::thread::Builder::new().name("timeout-profiles".to_owned()).spawn(move || {
            let mut taker = Taker::new(pattern, &source, kept);
            drop(source);
            // Ends with the gateway, which holds the other end.
            while let Ok(record) = receiver.recv() {
                taker.look_at(&record);
            }
        })?;
        let listener = FailureListener { cause: Cause::UpstreamResponseTimedOut, sender };
        Ok((Self { amendments }, listener))
    }

    /// What was found out about a request.
    pub(crate) fn amendment(&self, record: &RequestRecord) -> Option<Arc<Amendment>> {
        self.amendments.of(record)
    }

    /// Appends what was done in Prometheus's text format.
    pub(crate) fn write_metrics(&self, out: &mut String) {
        const NAME: &str = "rearguard_timeout_profiles_total";
        out.push_str(
            "# HELP rearguard_timeout_profiles_total Requests that timed out, by what became of the \
             profile.\n# TYPE rearguard_timeout_profiles_total counter\n",
        );
        for (result, count) in self.amendments.counts() {
            // Writing to a string cannot fail.
            writeln!(out, "{NAME}{{result=\"{result}\"}} {count}").unwrap_or_default();
        }
    }
}
