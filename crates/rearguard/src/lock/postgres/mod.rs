//! Locks in PostgreSQL 13 or later: leases in a table, by the database's clock.
//!
//! Not advisory locks: those have no time to live and no token, end with a session that a pooler may
//! give to somebody else, and stay while the server has not noticed that the session is gone.

mod connection;
mod schema;
mod store;

pub(super) use schema::{failed, install};
pub use store::PostgresStore;
