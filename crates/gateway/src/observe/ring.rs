use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use model::RequestRecord;

use super::lock;

/// The most recent failures, bounded; the oldest makes room for the newest.
#[derive(Debug)]
pub(crate) struct FailureRing {
    capacity: usize,
    records: Mutex<VecDeque<Arc<RequestRecord>>>,
    overwritten: AtomicU64,
}

impl FailureRing {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            records: Mutex::new(VecDeque::with_capacity(capacity)),
            overwritten: AtomicU64::new(0),
        }
    }

    pub(crate) fn push(&self, record: Arc<RequestRecord>) {
        let mut records = lock(&self.records);
        let oldest = if records.len() == self.capacity { records.pop_front() } else { None };
        records.push_back(record);
        drop(records);
        if oldest.is_some() {
            self.overwritten.fetch_add(1, Relaxed);
        }
    }

    /// Newest first, those at or after `since_unix_micros`.
    pub(crate) fn recent(&self, since_unix_micros: u64, limit: usize) -> Vec<Arc<RequestRecord>> {
        let records = lock(&self.records);
        let recent = records.iter().rev();
        recent
            .filter(|record| record.time_unix_micros >= since_unix_micros)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(crate) fn overwritten(&self) -> u64 {
        self.overwritten.load(Relaxed)
    }
}
