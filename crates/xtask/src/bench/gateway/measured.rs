//! What was measured, before anything is made of it.

use super::{load::Seen, proxy::Proxy};

/// One turn of one proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) processor_us_per_request: f64,
    pub(super) seen: Seen,
    /// User and kernel instructions a request.
    pub(super) instructions: Option<(f64, f64)>,
}

/// All turns of one proxy in one variant.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) proxy: Proxy,
    pub(super) turns: Vec<Turn>,
    pub(super) resident_bytes: u64,
    pub(super) proportional_bytes: Option<u64>,
    /// Lines in its access log for each request that was answered: 1, or the comparison is unfair.
    pub(super) logged_ratio: f64,
}

/// Memory with many idle connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) proxy: Proxy,
    pub(super) connections: usize,
    pub(super) before_bytes: u64,
    pub(super) after_bytes: u64,
}
