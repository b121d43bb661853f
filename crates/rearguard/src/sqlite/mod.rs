//! Transactions of SQLite that end on every way out, over rusqlite.
//!
//! rusqlite blocks, so a body runs on a thread for that, and a future that is dropped does not reach it:
//! here the statement that runs is interrupted, and the thread rolls back. SQLite has one writer at a
//! time, so a [`Connection`] lets in one transaction after the other, in order of arrival, and each
//! begins as a writer (`BEGIN IMMEDIATE`): what it has read cannot be changed by others before it writes,
//! so that no body has to be run again.
//!
//! [`transaction`](transaction()) is the entry point.

mod body;
mod connection;
mod error;
mod handle;
mod job;
mod options;
mod stats;
mod transaction;

pub use body::BUSY_SLICE;
pub use connection::Connection;
pub use handle::Transaction;
pub use job::INTERRUPT_INTERVAL;
pub use options::TransactionOptions;
pub use rusqlite;
pub use stats::{open_transactions, stats};
pub use transaction::transaction;

pub use crate::transactions::{DEFAULT_DEADLINE, OpenTransaction, TransactionStats};
