//! What a client has done, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a [`Client`](super::Client) has, and has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Connections that are open.
    pub connections: usize,
    /// Of these, those with nothing in flight.
    pub idle: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// Connections opened so far.
    pub opened: u64,
    /// Requests that found a connection open.
    pub reused: u64,
    /// Connections that could not be used again when a request looked: closed by the server, or idle
    /// for too long.
    pub stale: u64,
    /// Requests sent a second time by the client.
    pub resent: u64,
    /// Bodies that were dropped unread, and whose short rest was read.
    pub drained: u64,
    /// Bodies that were dropped unread, and whose connection was closed, as the rest was long or slow.
    pub cut_short: u64,
    /// Requests that were refused, as too many waited.
    pub queue_full: u64,
    /// Requests that waited too long.
    pub queue_timed_out: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) opened: AtomicU64,
    pub(super) reused: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) resent: AtomicU64,
    pub(super) drained: AtomicU64,
    pub(super) cut_short: AtomicU64,
    pub(super) queue_full: AtomicU64,
    pub(super) queue_timed_out: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self) -> ClientStats {
        ClientStats {
            opened: self.opened.load(Relaxed),
            reused: self.reused.load(Relaxed),
            stale: self.stale.load(Relaxed),
            resent: self.resent.load(Relaxed),
            drained: self.drained.load(Relaxed),
            cut_short: self.cut_short.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            queue_timed_out: self.queue_timed_out.load(Relaxed),
            ..ClientStats::default()
        }
    }
}
