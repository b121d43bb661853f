//! Whether a transaction was committed whose COMMIT was not answered: the server is asked for the
//! status of its number, over another connection.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::SimpleQueryMessage;

use super::{connector::Connector, error::sqlstate_of, session::Session};
use crate::{Error, ErrorKind};

/// How long it is asked for: a server that has crashed must come up first.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long between two questions.
const INTERVAL: Duration = Duration::from_millis(50);

/// What the server answers (invalid_parameter_value) of a number that it has not given out yet. Then
/// it has crashed since, and nothing of the transaction was on its disk.
const FUTURE: &str = "22023";

/// What the server says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Committed,
    RolledBack,
    /// It is in progress: its session has not noticed yet. Or a standby was asked.
    NotYet,
    /// It is too old, and its status was cleared away.
    Forgotten,
}

/// Whether it was committed.
///
/// # Errors
/// Where that cannot be told within [`SETTLE_TIMEOUT`].
pub(super) async fn settle(connector: &Connector, xid: u64) -> Result<bool, Error> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let mut last = failed(ErrorKind::ResponseTimedOut);
    loop {
        match timeout_at(deadline, ask(connector, xid)).await {
            Err(_) => return Err(last),
            Ok(Ok(Known::Committed)) => return Ok(true),
            Ok(Ok(Known::RolledBack)) => return Ok(false),
            Ok(Ok(Known::NotYet)) => last = failed(ErrorKind::ResponseTimedOut),
            Ok(Ok(Known::Forgotten)) => {
                return Err(
                    failed(ErrorKind::Failed).with("because", "the server has forgotten it")
                );
            }
            Ok(Err(error)) => last = error,
        }
        if timeout_at(deadline, sleep(INTERVAL)).await.is_err() {
            return Err(last);
        }
    }
}

/// Asks until the status is final or the connection fails.
async fn ask(connector: &Connector, xid: u64) -> Result<Known, Error> {
    let session = connector.open().await?;
    let standby = first(&session, "SELECT pg_catalog.pg_is_in_recovery()").await?;
    let question = format!("SELECT pg_catalog.pg_xact_status('{xid}'::xid8)");
    loop {
        let status = match first(&session, &question).await {
            Ok(status) => status,
            Err(error) if sqlstate_of(&error).is_some_and(|state| state.as_str() == FUTURE) => {
                Some("future".to_owned())
            }
            Err(error) => return Err(error),
        };
        match read(standby.as_deref(), status.as_deref()) {
            Known::NotYet if standby.as_deref() != Some("t") => sleep(INTERVAL).await,
            // A standby: connecting again may find the primary.
            known => return Ok(known),
        }
    }
}

/// The first column of the first row.
async fn first(session: &Session, sql: &str) -> Result<Option<String>, Error> {
    let answer = session.client().simple_query(sql).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

fn read(standby: Option<&str>, status: Option<&str>) -> Known {
    match (standby, status) {
        // What a standby has not seen yet may be on its way.
        (Some("t"), Some("committed")) => Known::Committed,
        (Some("t"), _) => Known::NotYet,
        (_, Some("committed")) => Known::Committed,
        (_, Some("aborted" | "future")) => Known::RolledBack,
        (_, Some("in progress")) => Known::NotYet,
        _ => Known::Forgotten,
    }
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "transaction.settle")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_read() {
        for (standby, status, expected) in [
            ("f", Some("committed"), Known::Committed),
            ("f", Some("aborted"), Known::RolledBack),
            ("f", Some("future"), Known::RolledBack),
            ("f", Some("in progress"), Known::NotYet),
            ("f", None, Known::Forgotten),
            ("t", Some("committed"), Known::Committed),
            ("t", Some("aborted"), Known::NotYet),
            ("t", None, Known::NotYet),
        ] {
            assert_eq!(read(Some(standby), status), expected, "{standby} {status:?}");
        }
    }
}
