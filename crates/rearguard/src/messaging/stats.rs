//! What a consumer has done, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of the messages of a [`Consumer`](super::Consumer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStats {
    /// Begun: the body ran.
    pub begun: u64,
    /// Done, and acknowledged.
    pub acknowledged: u64,
    /// Returned, to be delivered again.
    pub returned: u64,
    /// Put aside by the dead-letter function, and acknowledged.
    pub dead_lettered: u64,
    /// Discarded: there is no dead-letter function. Whether the broker keeps them is its own setting.
    pub discarded: u64,
    /// Not begun, as their deadline had passed.
    pub late: u64,
    /// Delivered too often.
    pub poison: u64,
    /// Those that had no trace context that can be read: their trace begins at the consumer.
    pub without_context: u64,
    /// The dead-letter function failed; the message was returned.
    pub dead_letter_failed: u64,
    /// The broker could not be told. It delivers the message again.
    pub settle_failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) begun: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) returned: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) discarded: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) poison: AtomicU64,
    pub(super) without_context: AtomicU64,
    pub(super) dead_letter_failed: AtomicU64,
    pub(super) settle_failed: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self) -> ConsumerStats {
        ConsumerStats {
            begun: self.begun.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            returned: self.returned.load(Relaxed),
            dead_lettered: self.dead_lettered.load(Relaxed),
            discarded: self.discarded.load(Relaxed),
            late: self.late.load(Relaxed),
            poison: self.poison.load(Relaxed),
            without_context: self.without_context.load(Relaxed),
            dead_letter_failed: self.dead_letter_failed.load(Relaxed),
            settle_failed: self.settle_failed.load(Relaxed),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
