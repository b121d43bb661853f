use crate::transactions::{Counters, OpenTransaction, OpenTransactions, TransactionStats};

pub(super) static STATS: Counters = Counters::new();

pub(super) static OPEN: OpenTransactions = OpenTransactions::new();

/// What became of the transactions of this process so far.
///
/// ```
/// let stats = rearguard::postgres::stats();
/// assert_eq!(stats.unknown_unsettled, 0);
/// ```
#[must_use]
pub fn stats() -> TransactionStats {
    STATS.read()
}

/// The transactions that are open, the oldest first: also those whose caller is gone, until they are
/// rolled back.
///
/// ```
/// for open in rearguard::postgres::open_transactions() {
///     println!("{} has been open for {:?}", open.name, open.age());
/// }
/// ```
#[must_use]
pub fn open_transactions() -> Vec<OpenTransaction> {
    OPEN.list()
}
