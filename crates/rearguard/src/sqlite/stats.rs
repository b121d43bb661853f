use crate::transactions::{Counters, OpenTransaction, OpenTransactions, TransactionStats};

pub(super) static STATS: Counters = Counters::new();

pub(super) static OPEN: OpenTransactions = OpenTransactions::new();

/// What became of the transactions of this process so far. The counts of what only a server can do stay
/// zero.
///
/// ```
/// assert_eq!(rearguard::sqlite::stats().unknown_committed, 0);
/// ```
#[must_use]
pub fn stats() -> TransactionStats {
    STATS.read()
}

/// The transactions that are open, the oldest first.
///
/// ```
/// for open in rearguard::sqlite::open_transactions() {
///     println!("{} has been open for {:?}", open.name, open.age());
/// }
/// ```
#[must_use]
pub fn open_transactions() -> Vec<OpenTransaction> {
    OPEN.list()
}
