//! A transaction on the thread that may block: begin, the body, commit or roll back.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::{TransactionOptions, handle::Transaction, job::Job, options::Access};
use crate::{Error, ErrorKind, scope};

/// How long SQLite waits for another process at a time. In between it is looked whether the future is
/// still there.
pub const BUSY_SLICE: Duration = Duration::from_millis(50);

/// Why a transaction was rolled back.
pub(super) enum Failure<E> {
    Body(E),
    Ours(Error),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Runs a body, and ends its transaction on every way out.
pub(super) fn run<T, E>(
    connection: &Connection,
    options: &TransactionOptions,
    deadline: Instant,
    job: &Job,
    body: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
) -> Result<T, Failure<E>> {
    connection.busy_timeout(BUSY_SLICE).map_err(Error::from)?;
    let read_only = options.access == Access::ReadOnly;
    connection.pragma_update(None, "query_only", read_only).map_err(Error::from)?;
    let begin = if read_only { "BEGIN DEFERRED" } else { "BEGIN IMMEDIATE" };
    while_busy(connection, begin, "transaction.begin", deadline, || job.left().is_some())?;
    scope(|s| {
        s.on_failure(|| {
            job.leave_body();
            roll_back(connection)
        });
        let value = body(&mut Transaction::new(connection)).map_err(Failure::Body)?;
        job.leave_body();
        if connection.is_autocommit() {
            return Err(failed(ErrorKind::RolledBack, "transaction.commit")
                .with("because", "an error, or the body itself, had ended the transaction")
                .into());
        }
        if job.left().is_some() {
            return Err(failed(ErrorKind::Cancelled, "transaction.commit").into());
        }
        while_busy(connection, "COMMIT", "transaction.commit", deadline, || false)?;
        Ok(value)
    })
}

/// Runs a statement until no other process is in the way, or the time is up.
fn while_busy(
    connection: &Connection,
    sql: &str,
    operation: &'static str,
    deadline: Instant,
    stopped: impl Fn() -> bool,
) -> Result<(), Error> {
    loop {
        if stopped() {
            return Err(failed(ErrorKind::Cancelled, operation));
        }
        let error = match connection.execute_batch(sql) {
            Ok(()) => return Ok(()),
            Err(error) => Error::from(error),
        };
        if error.kind() != ErrorKind::Conflict || Instant::now() >= deadline {
            return Err(error);
        }
    }
}

/// Not all errors leave the transaction open.
fn roll_back(connection: &Connection) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Ok(());
    }
    Ok(connection.execute_batch("ROLLBACK")?)
}

fn failed(kind: ErrorKind, operation: &'static str) -> Error {
    Error::new(kind, operation)
}
