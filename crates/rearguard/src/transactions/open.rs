use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{CallContext, TraceId};

/// A transaction that is open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenTransaction {
    /// What its options name it; empty if nothing.
    pub name: &'static str,
    /// The trace of the request that it serves.
    pub trace_id: Option<TraceId>,
    /// Since when.
    pub since: Instant,
}

impl OpenTransaction {
    /// How long it has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// The open ones of one kind of database, by number, so in the order in which they were opened. There
/// are no more than there are connections.
#[derive(Debug)]
pub(crate) struct OpenTransactions(Mutex<(u64, BTreeMap<u64, OpenTransaction>)>);

impl OpenTransactions {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((0, BTreeMap::new())))
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, OpenTransaction>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists one until what is returned is dropped.
    pub(crate) fn open(&'static self, name: &'static str) -> Open {
        let trace_id = CallContext::current().map(|context| context.trace().trace_id);
        let since = Instant::now();
        let mut all = self.lock();
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, OpenTransaction { name, trace_id, since });
        Open { all: self, number }
    }

    /// The oldest first.
    pub(crate) fn list(&self) -> Vec<OpenTransaction> {
        self.lock().1.values().cloned().collect()
    }
}

#[derive(Debug)]
pub(crate) struct Open {
    all: &'static OpenTransactions,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all.lock().1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_listed_first_and_what_ended_no_more() {
        static ALL: OpenTransactions = OpenTransactions::new();
        let first = ALL.open("first");
        let _second = ALL.open("second");
        let names = || ALL.list().iter().map(|open| open.name).collect::<Vec<_>>();
        assert_eq!(names(), ["first", "second"]);
        drop(first);
        assert_eq!(names(), ["second"]);
    }
}
