//! What transactions of every database have in common: how long to wait before another attempt, what
//! is counted, which are open.

mod backoff;
mod open;
mod stats;

pub(crate) use backoff::{pause, within};
pub use open::OpenTransaction;
pub(crate) use open::{Open, OpenTransactions};
pub(crate) use stats::Counters;
pub use stats::TransactionStats;

use std::time::Duration;

/// How long a transaction may take with all its attempts, unless its options say otherwise. An open
/// transaction holds locks, and keeps the database from clearing away what it may still see.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// How often a body is run at most, unless the options say otherwise.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 5;
