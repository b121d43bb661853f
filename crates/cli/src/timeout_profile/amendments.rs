//! What was found out about requests after they had ended, bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{RequestRecord, TraceId};

/// So many are kept; the oldest makes room for the newest.
const MAX_AMENDMENTS: usize = 1024;

/// What a profile says of a request's wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// A sentence for people: where, why, deferred or not, how sure.
    pub(crate) sentence: String,
    /// `path:line` of the line that it is blocked in, where that was found.
    pub(crate) blocked_at: Option<String>,
    /// Whether it is blocked in a deferred call.
    pub(crate) in_deferred_call: bool,
    /// `path:line` of the `defer` statement.
    pub(crate) deferred_at: Option<String>,
}

/// Amendments by request.
#[derive(Debug, Default)]
pub(crate) struct Amendments {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    list: VecDeque<(TraceId, u64, Arc<Amendment>)>,
    taken: u64,
    failed: u64,
    skipped: u64,
}

/// What became of a request that timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// A profile was taken.
    Taken,
    /// The service showed none.
    Failed,
    /// The service had been asked a moment ago.
    Skipped,
}

impl Amendments {
    pub(super) fn keep(&self, record: &RequestRecord, amendment: Amendment) {
        let mut kept = self.lock();
        if kept.list.len() == MAX_AMENDMENTS {
            kept.list.pop_front();
        }
        kept.list.push_back((record.trace_id, record.time_unix_micros, Arc::new(amendment)));
    }

    pub(super) fn count(&self, attempt: Attempt) {
        let mut kept = self.lock();
        match attempt {
            Attempt::Taken => kept.taken += 1,
            Attempt::Failed => kept.failed += 1,
            Attempt::Skipped => kept.skipped += 1,
        }
    }

    pub(super) fn counts(&self) -> [(&'static str, u64); 3] {
        let kept = self.lock();
        [("taken", kept.taken), ("failed", kept.failed), ("skipped", kept.skipped)]
    }

    pub(super) fn of(&self, record: &RequestRecord) -> Option<Arc<Amendment>> {
        let kept = self.lock();
        let found = kept.list.iter().rev().find(|(trace_id, time, _)| {
            (*trace_id, *time) == (record.trace_id, record.time_unix_micros)
        });
        found.map(|(_, _, amendment)| Arc::clone(amendment))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
