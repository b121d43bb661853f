//! Errors as answers: the one place that says which status a failure has.

use std::fmt;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rearguard::{Error, ErrorKind};

/// Why a request was not served.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn missing(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {name:?}"))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            // A rule of the tables: not enough money, not enough in stock.
            ErrorKind::ConstraintViolated => StatusCode::CONFLICT,
            ErrorKind::DeadlinePassed | ErrorKind::ResponseTimedOut | ErrorKind::BodyTimedOut => {
                StatusCode::GATEWAY_TIMEOUT
            }
            ErrorKind::QueueFull
            | ErrorKind::QueueTimedOut
            | ErrorKind::Overloaded
            | ErrorKind::CircuitOpen
            | ErrorKind::Closed
            | ErrorKind::LockLost => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::ConnectRefused
            | ErrorKind::ConnectTimedOut
            | ErrorKind::ClosedBeforeResponse
            | ErrorKind::Reset
            | ErrorKind::ProtocolError => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.status)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, format!("{}\n", self.message)).into_response()
    }
}
