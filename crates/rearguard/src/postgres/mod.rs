//! Transactions of PostgreSQL that end on every way out, over tokio-postgres.
//!
//! Its own transactions send a ROLLBACK when they are dropped, and leave the rest to whoever is next:
//! the query goes on, a COMMIT that was a ROLLBACK is a success, one that was not answered is an error
//! like any other. Here a scope owns the session until it is known to be idle.
//!
//! [`transaction`](transaction()) is the entry point; [`PgConnection`] is what it runs on, and
//! [`PgManager`] what opens those.

mod commit;
mod connection;
mod connector;
mod encryption;
mod error;
mod frames;
mod handle;
mod loan;
mod manager;
mod options;
mod session;
mod settle;
mod socket;
mod sqlstate;
mod stats;
mod transaction;
mod wire;

use std::time::Duration;

pub use commit::DEFAULT_COMMIT_TIMEOUT;
pub use connection::{PgConnection, Source};
pub use connector::{CLIENT_CHECK_INTERVAL, DEFAULT_CONNECT_TIMEOUT};
pub use encryption::PgStream;
pub use error::sqlstate_of;
pub use handle::{Sql, Transaction};
pub use manager::{PgManager, SessionState};
pub use options::{Isolation, TransactionOptions};
pub use session::{CANCEL_TIMEOUT, CLOSE_TIMEOUT, ROLLBACK_TIMEOUT};
pub use settle::SETTLE_TIMEOUT;
pub use sqlstate::{Policy, Row, SqlState, TABLE};
pub use stats::{open_transactions, stats};
pub use tokio_postgres;
pub use transaction::transaction;

pub use crate::transactions::{
    DEFAULT_DEADLINE, DEFAULT_MAX_ATTEMPTS, OpenTransaction, TransactionStats,
};

/// How long the server lets a session sit idle in a transaction, set when it is opened unless the
/// server has a bound of its own. It is for a client that hangs: it lies well behind
/// [`DEFAULT_DEADLINE`], which counts otherwise, and moves with a longer one.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
