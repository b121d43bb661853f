use crate::{Error, ErrorKind};

/// The kind by the result code. Busy and locked had no effect, and are retryable.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let kind = match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => ErrorKind::Conflict,
            Some(Code::ConstraintViolation) => ErrorKind::ConstraintViolated,
            Some(Code::OperationInterrupted) => ErrorKind::Cancelled,
            Some(Code::DiskFull | Code::OutOfMemory) => ErrorKind::Overloaded,
            Some(Code::CannotOpen | Code::NotADatabase | Code::DatabaseCorrupt) => {
                ErrorKind::InvalidInput
            }
            _ => ErrorKind::Failed,
        };
        let made = Self::new(kind, "sqlite.query");
        let made = if kind == ErrorKind::Conflict { made.retryable() } else { made };
        made.because(error)
    }
}
