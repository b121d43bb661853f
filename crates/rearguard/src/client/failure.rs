//! What went wrong with a request, in the project's words.

use std::{error, io};

use super::{limit::Limit, options::Repeat, turn::Turn};
use crate::{Error, ErrorKind};

const SEND: &str = "client.send";
const BODY: &str = "client.body";

/// Why a request failed, and what is known of its effect.
#[derive(Debug)]
pub(super) struct Failure {
    error: Error,
    pub(super) effect: Effect,
}

/// What a request that failed may have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it was never sent, or the server said that it had not begun it.
    Nothing,
    /// Most likely nothing: a connection that had been idle was closed as the request went out, and
    /// no byte of an answer came. A panic in the server looks just the same.
    Race,
    /// It cannot be told.
    Unknown,
}

impl Failure {
    /// Before the head of the response was there.
    pub(super) fn of(error: &hyper::Error, sent: Sent, turn: &Turn, request_failed: bool) -> Self {
        let http1 = turn.connection.is_http1();
        let began = http1 && turn.saw_bytes();
        let (mut kind, mut effect) = classify(error);
        if turn.connection.was_cut() || request_failed {
            kind = ErrorKind::Cancelled;
        } else if sent == Sent::No {
            (kind, effect) = (ErrorKind::ClosedBeforeResponse, Effect::Nothing);
        } else if kind == ErrorKind::ClosedBeforeResponse && began {
            kind = ErrorKind::ClosedMidResponse;
        } else if turn.found.served > 0
            && !began
            && effect == Effect::Unknown
            && matches!(kind, ErrorKind::ClosedBeforeResponse | ErrorKind::Reset)
        {
            effect = Effect::Race;
        }
        let mut failed = with_turn(Error::new(kind, SEND), turn).because(told(error));
        if request_failed {
            failed = failed.with("failed", "the request's body");
        }
        if effect == Effect::Nothing {
            failed = failed.retryable();
        }
        Self { error: failed, effect }
    }

    /// No status line came in time.
    pub(super) fn timed_out(limit: Limit, turn: &Turn) -> Self {
        let error = Error::new(ErrorKind::ResponseTimedOut, SEND).with("limit", limit.name);
        Self { error: with_turn(error, turn), effect: Effect::Unknown }
    }

    /// Nothing was sent.
    pub(super) fn unsent(kind: ErrorKind, turn: &Turn) -> Self {
        let error = with_turn(Error::new(kind, SEND), turn);
        let error = if kind == ErrorKind::DeadlinePassed { error } else { error.retryable() };
        Self { error, effect: Effect::Nothing }
    }

    pub(super) fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    pub(super) fn into_error(self) -> Error {
        self.error
    }

    /// The error, which may be tried again where the request may.
    pub(super) fn into_error_of(self, may_repeat: bool) -> Error {
        let repeatable = matches!(
            self.error.kind(),
            ErrorKind::ClosedBeforeResponse
                | ErrorKind::Reset
                | ErrorKind::ClosedMidResponse
                | ErrorKind::ResponseTimedOut
        );
        if may_repeat && repeatable { self.error.retryable() } else { self.error }
    }
}

/// Whether hyper had begun to send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    No,
    Perhaps,
}

/// After the head of the response was there.
pub(super) fn in_body(error: &hyper::Error, turn: &Turn) -> Error {
    let kind = match classify(error).0 {
        _ if turn.connection.was_cut() => ErrorKind::Cancelled,
        ErrorKind::ProtocolError => ErrorKind::ProtocolError,
        _ => ErrorKind::ClosedMidResponse,
    };
    with_turn(Error::new(kind, BODY), turn).because(told(error))
}

pub(super) fn body_timed_out(limit: &'static str, turn: &Turn) -> Error {
    with_turn(Error::new(ErrorKind::BodyTimedOut, BODY).with("limit", limit), turn)
}

/// Whether a method may be sent twice (RFC 9110, section 9.2.2), unless the caller said so.
pub(super) fn may_repeat(method: &http::Method, repeat: Repeat) -> bool {
    match repeat {
        Repeat::ByMethod => method.is_idempotent(),
        Repeat::Allowed => true,
        Repeat::Never => false,
    }
}

/// Tells the idle race from a server that died: a connection that was fresh, or idle for a moment,
/// was not closed because it was idle.
fn with_turn(error: Error, turn: &Turn) -> Error {
    let error = error.with("authority", turn.connection.authority().to_string());
    if turn.found.served == 0 {
        return error.with("connection", "fresh");
    }
    error.with("connection", "reused").with("idle_ms", turn.found.idle.as_millis().to_string())
}

fn classify(error: &hyper::Error) -> (ErrorKind, Effect) {
    if let Some(error) = find::<h2::Error>(error) {
        return of_http2(error);
    }
    let kind = if let Some(error) = find::<io::Error>(error) {
        match error.kind() {
            io::ErrorKind::ConnectionReset => ErrorKind::Reset,
            // A chunk that is none.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => ErrorKind::ProtocolError,
            _ => ErrorKind::ClosedBeforeResponse,
        }
    } else if error.is_parse() {
        ErrorKind::ProtocolError
    } else if error.is_user() {
        ErrorKind::InvalidInput
    } else {
        ErrorKind::ClosedBeforeResponse
    };
    (kind, Effect::Unknown)
}

fn of_http2(error: &h2::Error) -> (ErrorKind, Effect) {
    let reason = error.reason();
    if error.is_remote() && error.is_reset() {
        let refused = reason == Some(h2::Reason::REFUSED_STREAM);
        return (ErrorKind::Reset, if refused { Effect::Nothing } else { Effect::Unknown });
    }
    if error.is_remote() && error.is_go_away() {
        // h2 gives a GOAWAY without an error only to streams above its last one (RFC 9113, 6.8).
        let unprocessed = reason == Some(h2::Reason::NO_ERROR);
        let effect = if unprocessed { Effect::Nothing } else { Effect::Unknown };
        return (ErrorKind::ClosedBeforeResponse, effect);
    }
    let kind = match error.get_io() {
        Some(error) if error.kind() == io::ErrorKind::ConnectionReset => ErrorKind::Reset,
        Some(_) => ErrorKind::ClosedBeforeResponse,
        None => ErrorKind::ProtocolError,
    };
    (kind, Effect::Unknown)
}

fn find<'a, E: error::Error + 'static>(error: &'a (dyn error::Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref())
}

/// What hyper says, with what it says of the reason.
fn told(error: &hyper::Error) -> String {
    match error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
