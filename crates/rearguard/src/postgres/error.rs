//! Errors of the client library, in the project's words.

use std::io;

use super::sqlstate::{Policy, SqlState};
use crate::{Error, ErrorKind};

/// The kind by the SQLSTATE, else by what happened to the connection. What had no effect is
/// retryable: a conflict, and a connection that was refused.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let state = error.code().and_then(|code| SqlState::new(code.code()));
        let kind = state.map_or_else(|| kind_of(&error), |state| state.kind());
        let mut made = Self::new(kind, "postgres.query");
        if let Some(database) = error.as_db_error() {
            made = made
                .with("sqlstate", database.code().code().to_owned())
                .with("message", database.message().to_owned());
        }
        let retry = state.is_some_and(|state| {
            matches!(state.policy(), Policy::RunAgain | Policy::RunAgainInTime | Policy::BackOff)
        });
        if retry || kind == ErrorKind::ConnectRefused {
            made = made.retryable();
        }
        made.because(error)
    }
}

fn kind_of(error: &tokio_postgres::Error) -> ErrorKind {
    if error.is_closed() {
        return ErrorKind::ClosedBeforeResponse;
    }
    let source = std::error::Error::source(error).and_then(|it| it.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => ErrorKind::ConnectRefused,
        Some(io::ErrorKind::TimedOut) => ErrorKind::ConnectTimedOut,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) => ErrorKind::Reset,
        // A parameter or a column that does not fit is the caller's mistake.
        _ => ErrorKind::Failed,
    }
}

/// The SQLSTATE of an error, wherever in its chain of sources it stands.
///
/// ```
/// use rearguard::postgres::sqlstate_of;
///
/// assert_eq!(sqlstate_of(&std::io::Error::other("not of a database")), None);
/// ```
#[must_use]
pub fn sqlstate_of(error: &(dyn std::error::Error + 'static)) -> Option<SqlState> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<tokio_postgres::Error>()?.code())
        .and_then(|code| SqlState::new(code.code()))
}
