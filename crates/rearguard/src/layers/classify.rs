//! How a call went, as the layers around it count it.

use http::Response;

use super::outcome::of_head;
use crate::{BoxError, Error, ErrorKind, Outcome};

/// Says how a call went. A closure is one: `|result: &Result<Reply, BoxError>| Outcome::Failed`.
///
/// [`Outcome::Cancelled`] is for a call that tells nothing of what was called: the breaker and the
/// limit do not count it.
///
/// ```
/// use http::Response;
/// use rearguard::{BoxError, Outcome, layers::{ByStatus, Classify}};
///
/// let teapots_fail = |result: &Result<Response<()>, BoxError>| match result {
///     Ok(response) if response.status() == 418 => Outcome::Failed,
///     _ => ByStatus.outcome(result),
/// };
/// let answer = Response::builder().status(418).body(()).unwrap();
/// assert_eq!(teapots_fail.outcome(&Ok(answer)), Outcome::Failed);
/// ```
pub trait Classify<R> {
    /// How it went.
    fn outcome(&self, result: &Result<R, BoxError>) -> Outcome;
}

impl<R, F: Fn(&Result<R, BoxError>) -> Outcome> Classify<R> for F {
    fn outcome(&self, result: &Result<R, BoxError>) -> Outcome {
        self(result)
    }
}

/// By the head of an HTTP answer: its `rearguard-outcome`, else its `grpc-status`, else its status
/// ([`Outcome::from_http_status`]). An error counts as [`ByError`] has it.
///
/// What a gRPC answer says in its trailers comes too late to be seen; one that has nothing but a
/// status says it in its head.
///
/// ```
/// use http::Response;
/// use rearguard::{Outcome, layers::{ByStatus, Classify}};
///
/// let unavailable = Response::builder().header("grpc-status", "14").body(()).unwrap();
/// assert_eq!(ByStatus.outcome(&Ok(unavailable)), Outcome::Failed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByStatus;

impl<B> Classify<Response<B>> for ByStatus {
    fn outcome(&self, result: &Result<Response<B>, BoxError>) -> Outcome {
        match result {
            Ok(response) => of_head(response.status(), response.headers()),
            Err(error) => of_error(error),
        }
    }
}

/// Whatever is `Ok` succeeded, for calls that are not HTTP. An error is as its
/// [`ErrorKind::outcome`] says, where a [`rearguard::Error`](Error) is among its sources, else it
/// failed. What a layer on this side refused (`circuit_open`, `overloaded`, `queue_full`) tells
/// nothing of what was to be called, and is `cancelled`.
///
/// ```
/// use rearguard::{Error, ErrorKind, Outcome, layers::{ByError, Classify}};
///
/// let late = Error::new(ErrorKind::ResponseTimedOut, "client.send");
/// assert_eq!(ByError.outcome(&Err::<(), _>(late.into())), Outcome::TimedOut);
/// assert_eq!(ByError.outcome(&Err::<(), _>("what".into())), Outcome::Failed);
/// let refused = Error::new(ErrorKind::Overloaded, "limit.acquire");
/// assert_eq!(ByError.outcome(&Err::<(), _>(refused.into())), Outcome::Cancelled);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByError;

impl<R> Classify<R> for ByError {
    fn outcome(&self, result: &Result<R, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Succeeded,
            Err(error) => of_error(error),
        }
    }
}

pub(super) fn of_error(error: &BoxError) -> Outcome {
    match kind_of(error) {
        Some(kind) if is_refusal(kind) => Outcome::Cancelled,
        Some(kind) => kind.outcome(),
        None => Outcome::Failed,
    }
}

/// The kind of the first error of ours among an error's sources.
pub(super) fn kind_of(error: &BoxError) -> Option<ErrorKind> {
    Error::find(&**error).map(Error::kind)
}

/// Whether it was a layer on this side that let nothing through.
pub(super) const fn is_refusal(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::CircuitOpen | ErrorKind::Overloaded | ErrorKind::QueueFull)
}
