//! What a layer must know of a request once its handler has it: read in one pass over its headers.

use std::time::Duration;

use http::{HeaderMap, Method, Version};

use super::outcome::Protocol;
use crate::{CallContext, TRACEPARENT, TRACESTATE, timeout};

/// What the head of a request says.
#[derive(Debug)]
pub(super) struct RequestHead<'r> {
    pub(super) protocol: Protocol,
    pub(super) trailers: Trailers,
    pub(super) body: AnswerBody,
    trace: Option<&'r [u8]>,
    state: Option<&'r [u8]>,
    grpc_timeout: Option<&'r [u8]>,
    expected_timeout: Option<&'r [u8]>,
}

/// Whether fields after the body of an answer reach the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    /// HTTP/2 and later.
    Always,
    /// HTTP/1.1 with `TE: trailers`: where the body is chunked and `Trailer` names them.
    Announced,
    Never,
}

/// Whether the body of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerBody {
    Sent,
    /// The request was a `HEAD`.
    Dropped,
}

impl<'r> RequestHead<'r> {
    #[inline]
    pub(super) fn read<B>(request: &'r http::Request<B>) -> Self {
        Self::of(request.method(), request.version(), request.headers())
    }

    #[inline]
    fn of(method: &Method, version: Version, headers: &'r HeaderMap) -> Self {
        let [mut trace, mut state, mut grpc_timeout, mut expected_timeout] = [None; 4];
        let mut protocol = Protocol::Http;
        let mut te = false;
        for (name, value) in headers {
            let (name, value) = (name.as_str(), value.as_bytes());
            // By its length first: most are then known to be another's without a look at them.
            match name.len() {
                2 if name == "te" => te |= value.eq_ignore_ascii_case(b"trailers"),
                10 if name == TRACESTATE => state = state.or(Some(value)),
                11 if name == TRACEPARENT => trace = trace.or(Some(value)),
                12 if name == "content-type" => protocol = Protocol::of_content_type(value),
                12 if name == timeout::GRPC_TIMEOUT => {
                    grpc_timeout = grpc_timeout.or(Some(value));
                }
                30 if name == timeout::EXPECTED_TIMEOUT => {
                    expected_timeout = expected_timeout.or(Some(value));
                }
                _ => {}
            }
        }
        let trailers = match version {
            Version::HTTP_09 | Version::HTTP_10 => Trailers::Never,
            Version::HTTP_11 if te => Trailers::Announced,
            Version::HTTP_11 => Trailers::Never,
            _ => Trailers::Always,
        };
        let body = if method == Method::HEAD { AnswerBody::Dropped } else { AnswerBody::Sent };
        Self { protocol, trailers, body, trace, state, grpc_timeout, expected_timeout }
    }

    /// The caller's trace, gone on with.
    #[inline]
    pub(super) fn context(&self) -> Option<CallContext> {
        let trace = self.trace?;
        CallContext::extract(|name| if name == TRACEPARENT { Some(trace) } else { self.state })
    }

    /// How long the caller waits.
    #[inline]
    pub(super) fn timeout(&self) -> Option<Duration> {
        timeout::of_caller(self.grpc_timeout, self.expected_timeout)
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, request::Builder};

    use super::*;

    fn read<R>(request: Builder, check: impl FnOnce(RequestHead<'_>) -> R) -> R {
        check(RequestHead::read(&request.body(()).unwrap()))
    }

    #[test]
    fn the_trace_the_deadline_and_the_protocol_are_read_among_other_headers() {
        let request = Request::builder()
            .version(Version::HTTP_2)
            .header("accept", "*/*")
            .header("content-type", "application/grpc+proto")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .header("tracestate", "vendor=1")
            .header("grpc-timeout", "2S")
            .header("x-envoy-expected-rq-timeout-ms", "1500");
        let context = read(request, |head| {
            assert_eq!(head.protocol, Protocol::Grpc);
            assert_eq!(head.timeout(), Some(Duration::from_millis(1500)));
            assert_eq!(head.trailers, Trailers::Always);
            head.context().unwrap()
        });
        let trace_id = context.trace().trace_id.to_string();
        assert_eq!(trace_id, "0af7651916cd43dd8448eb211c80319c");
        let mut state = None;
        context.inject(timeout::GRPC_TIMEOUT, |name, value| {
            if name == TRACESTATE {
                state = Some(value.to_owned());
            }
        });
        assert_eq!(state.as_deref(), Some("vendor=1"));
    }

    #[test]
    fn trailers_reach_a_caller_by_http_1_only_where_it_asks_for_them() {
        let of = |version, te| {
            let request = Request::builder().version(version).header("te", te);
            read(request, |head| head.trailers)
        };
        assert_eq!(of(Version::HTTP_11, "trailers"), Trailers::Announced);
        assert_eq!(of(Version::HTTP_11, "gzip"), Trailers::Never);
        assert_eq!(of(Version::HTTP_10, "trailers"), Trailers::Never);
        assert_eq!(of(Version::HTTP_2, "gzip"), Trailers::Always);
    }

    #[test]
    fn a_request_that_says_nothing_has_no_trace_and_no_deadline() {
        read(Request::builder().method(Method::HEAD), |head| {
            assert!(head.context().is_none() && head.timeout().is_none());
            assert_eq!(head.protocol, Protocol::Http);
            assert_eq!(head.body, AnswerBody::Dropped);
        });
    }
}
