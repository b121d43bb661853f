//! What may be sent again: RFC 9110, section 9.2.2, and what a route declares.

use http::{HeaderMap, Method, Response, StatusCode};

use crate::{BoxError, Error, ErrorKind, layers::classify::is_refusal};

/// What a try's result says of a further one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands: a success, or what would fail again.
    Final,
    /// It failed, and may have been done all the same: only what may be repeated is sent again.
    Repeatable,
    /// It failed, and was not done: anything may be sent again.
    Unprocessed,
}

/// Says what a try's result says of a further one. A closure is one.
pub trait RetryRule<B> {
    /// The verdict.
    fn verdict(&self, result: &Result<Response<B>, BoxError>) -> Verdict;
}

impl<B, F: Fn(&Result<Response<B>, BoxError>) -> Verdict> RetryRule<B> for F {
    fn verdict(&self, result: &Result<Response<B>, BoxError>) -> Verdict {
        self(result)
    }
}

/// The rule unless told otherwise.
///
/// | result | verdict |
/// |---|---|
/// | an error that says so ([`Error::is_retryable`]: for one, HTTP/2 REFUSED_STREAM); `dns_failed`, `connect_refused`, `connect_timed_out`, `unreachable`, `tls_failed` | unprocessed |
/// | `closed_before_response`, `reset`, `response_timed_out`, `failed` | repeatable |
/// | 429, 502, 503, 504; gRPC UNAVAILABLE | repeatable |
/// | refused by a breaker or a limit on this side; any other error or answer | final |
///
/// The statuses are Envoy's `gateway-error`, and 429 (RFC 6585, section 4).
///
/// ```
/// use http::Response;
/// use rearguard::{BoxError, layers::{retry::{DefaultRetryRule, RetryRule, Verdict}}};
///
/// let teapots_too = |result: &Result<Response<()>, BoxError>| match result {
///     Ok(response) if response.status() == 418 => Verdict::Repeatable,
///     _ => DefaultRetryRule.verdict(result),
/// };
/// let answer = Response::builder().status(503).body(()).unwrap();
/// assert_eq!(teapots_too.verdict(&Ok(answer)), Verdict::Repeatable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefaultRetryRule;

impl<B> RetryRule<B> for DefaultRetryRule {
    fn verdict(&self, result: &Result<Response<B>, BoxError>) -> Verdict {
        match result {
            Ok(response) => of_head(response.status(), response.headers()),
            Err(error) => Error::find(&**error).map_or(Verdict::Final, of_error),
        }
    }
}

fn of_head(status: StatusCode, headers: &HeaderMap) -> Verdict {
    // UNAVAILABLE is the status that the gRPC documentation says may be retried.
    let unavailable = headers.get("grpc-status").is_some_and(|value| value == "14");
    if unavailable || matches!(status.as_u16(), 429 | 502..=504) {
        Verdict::Repeatable
    } else {
        Verdict::Final
    }
}

fn of_error(error: &Error) -> Verdict {
    match error.kind() {
        kind if is_refusal(kind) => Verdict::Final,
        _ if error.is_retryable() => Verdict::Unprocessed,
        ErrorKind::DnsFailed
        | ErrorKind::ConnectRefused
        | ErrorKind::ConnectTimedOut
        | ErrorKind::Unreachable
        | ErrorKind::TlsFailed => Verdict::Unprocessed,
        ErrorKind::ClosedBeforeResponse
        | ErrorKind::Reset
        | ErrorKind::ResponseTimedOut
        | ErrorKind::Failed => Verdict::Repeatable,
        _ => Verdict::Final,
    }
}

/// Which requests may be repeated although they may have been done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Those whose method is idempotent (RFC 9110, section 9.2.2): GET, HEAD, OPTIONS, TRACE, PUT,
    /// DELETE.
    #[default]
    Idempotent,
    /// Those, and those with an `Idempotency-Key`, which the other side must honour.
    IdempotentOrKeyed,
    /// All. For gRPC, whose requests are all POST, where every method called is idempotent.
    All,
}

impl Repeat {
    pub(super) fn allows(self, method: &Method, headers: &HeaderMap) -> bool {
        match self {
            Self::All => true,
            Self::Idempotent => method.is_idempotent(),
            Self::IdempotentOrKeyed => {
                method.is_idempotent() || headers.contains_key("idempotency-key")
            }
        }
    }
}

/// In the extensions of a request: this one may be repeated, whatever its method.
///
/// ```
/// use http::Request;
/// use rearguard::layers::retry::MayRepeat;
///
/// let request = Request::post("/search").extension(MayRepeat).body(())?;
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayRepeat;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(result: Result<Response<()>, Error>) -> Verdict {
        DefaultRetryRule.verdict(&result.map_err(Into::into))
    }

    #[test]
    fn what_was_not_processed_is_told_from_what_may_have_been() {
        let error = |kind| Error::new(kind, "test");
        assert_eq!(of(Err(error(ErrorKind::ConnectRefused))), Verdict::Unprocessed);
        assert_eq!(of(Err(error(ErrorKind::Reset))), Verdict::Repeatable);
        assert_eq!(of(Err(error(ErrorKind::Reset).retryable())), Verdict::Unprocessed);
        assert_eq!(of(Err(error(ErrorKind::CircuitOpen).retryable())), Verdict::Final);
        assert_eq!(of(Err(error(ErrorKind::ConstraintViolated))), Verdict::Final);
        let answer = |status: u16| Response::builder().status(status).body(()).unwrap();
        for (status, verdict) in [
            (200, Verdict::Final),
            (404, Verdict::Final),
            (429, Verdict::Repeatable),
            (500, Verdict::Final),
            (503, Verdict::Repeatable),
        ] {
            assert_eq!(of(Ok(answer(status))), verdict, "{status}");
        }
        let grpc = |code| Response::builder().header("grpc-status", code).body(()).unwrap();
        assert_eq!(of(Ok(grpc(14))), Verdict::Repeatable);
        assert_eq!(of(Ok(grpc(13))), Verdict::Final);
    }

    #[test]
    fn a_key_makes_a_post_repeatable_only_where_that_is_opted_in() {
        let keyed = HeaderMap::from_iter([(
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderValue::from_static("1"),
        )]);
        for (repeat, method, headers, allowed) in [
            (Repeat::Idempotent, Method::PUT, &HeaderMap::new(), true),
            (Repeat::Idempotent, Method::POST, &keyed, false),
            (Repeat::Idempotent, Method::PATCH, &keyed, false),
            (Repeat::IdempotentOrKeyed, Method::POST, &keyed, true),
            (Repeat::IdempotentOrKeyed, Method::POST, &HeaderMap::new(), false),
            (Repeat::All, Method::POST, &HeaderMap::new(), true),
        ] {
            assert_eq!(repeat.allows(&method, headers), allowed, "{repeat:?} {method}");
        }
    }
}
