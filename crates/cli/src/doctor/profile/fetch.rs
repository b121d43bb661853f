//! Asking a live service over HTTP, bounded in time and size.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use ureq::Agent;

/// So much is read before the bar is told.
const STEP_BYTES: usize = 64 * 1024;

/// A client for `/debug/pprof` and the like.
#[derive(Debug)]
pub(crate) struct Fetch {
    agent: Agent,
    timeout: Duration,
    max_bytes: u64,
}

impl Fetch {
    /// Gives up after `timeout`, the connection included, and after `max_bytes`.
    pub(crate) fn new(timeout: Duration, max_bytes: u64) -> Self {
        Self { agent: crate::slo::watch::agent_within(timeout).0, timeout, max_bytes }
    }

    /// The body of a 200.
    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        self.get_with(url, |_| {})
    }

    /// The same; `told` hears how many bytes have come so far.
    pub(crate) fn get_with(&self, url: &str, mut told: impl FnMut(u64)) -> anyhow::Result<Vec<u8>> {
        let started = Instant::now();
        let mut answer = self.agent.get(url).call().with_context(|| {
            format!("{url} could not be reached; is it up, and is this its port?")
        })?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{url} answered {status}{}", advice(status.as_u16()));
        }
        let limit = self.max_bytes.saturating_add(1);
        let mut body = answer.body_mut().with_config().limit(limit).reader().take(limit);
        let mut bytes = Vec::new();
        let mut step = vec![0; STEP_BYTES];
        loop {
            let read = body.read(&mut step).with_context(|| {
                format!("{url} broke off after {} bytes and {:?}", bytes.len(), started.elapsed())
            })?;
            if read == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&step[..read]);
            let so_far = bytes.len() as u64;
            if so_far > self.max_bytes {
                bail!("{url} is more than {} MiB, the most that is read", self.max_bytes >> 20);
            }
            if started.elapsed() > self.timeout {
                bail!("{url} was not whole within {:?}, after {so_far} bytes", self.timeout);
            }
            told(so_far);
        }
    }
}

/// What to do about a refusal.
fn advice(status: u16) -> &'static str {
    match status {
        404 | 405 | 501 => {
            ": the service does not expose this profile there. A Go service exposes its profiles by \
             `import _ \"net/http/pprof\"` and a server of its own on a local port: \
             `go http.ListenAndServe(\"127.0.0.1:6060\", nil)`"
        }
        401 | 403 => {
            ": it wants to know who asks; ask from where it allows it, or save a profile to \
                      a file and name that"
        }
        300..=399 => ": it points elsewhere; name that address",
        500 => ": another CPU profile may be running; try again after it",
        _ => "",
    }
}
