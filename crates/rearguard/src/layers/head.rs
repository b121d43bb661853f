//! What a layer must know of a request once its handler has it: read in one pass over its headers.

use std::time::Duration;

use http::{HeaderMap, Method, Version};

use super::outcome::Protocol;
use crate::{CallContext, TRACEPARENT, TRACESTATE, read_timeout, timeout};

/// What the head of a request says.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) protocol: Protocol,
    /// The caller's trace, gone on with.
    pub(super) context: Option<CallContext>,
    /// How long the caller waits.
    pub(super) timeout: Option<Duration>,
    pub(super) trailers: Trailers,
    pub(super) body: AnswerBody,
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

impl RequestHead {
    pub(super) fn read<B>(request: &http::Request<B>) -> Self {
        Self::of(request.method(), request.version(), request.headers())
    }

    fn of(method: &Method, version: Version, headers: &HeaderMap) -> Self {
        let [mut trace, mut state, mut grpc, mut expected] = [None; 4];
        let mut protocol = Protocol::Http;
        let mut te = false;
        for (name, value) in headers {
            let value = value.as_bytes();
            match name.as_str() {
                "te" => te |= value.eq_ignore_ascii_case(b"trailers"),
                "content-type" => protocol = Protocol::of_content_type(value),
                TRACEPARENT => trace = trace.or(Some(value)),
                TRACESTATE => state = state.or(Some(value)),
                timeout::GRPC_TIMEOUT => grpc = grpc.or(Some(value)),
                timeout::EXPECTED_TIMEOUT => expected = expected.or(Some(value)),
                _ => {}
            }
        }
        let context = trace.and_then(|trace| {
            CallContext::extract(|name| if name == TRACEPARENT { Some(trace) } else { state })
        });
        let timeout = match (grpc, expected) {
            (None, None) => None,
            _ => read_timeout(|name| if name == timeout::GRPC_TIMEOUT { grpc } else { expected }),
        };
        Self {
            protocol,
            context,
            timeout,
            trailers: match version {
                Version::HTTP_09 | Version::HTTP_10 => Trailers::Never,
                Version::HTTP_11 if te => Trailers::Announced,
                Version::HTTP_11 => Trailers::Never,
                _ => Trailers::Always,
            },
            body: if method == Method::HEAD { AnswerBody::Dropped } else { AnswerBody::Sent },
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, request::Builder};

    use super::*;

    fn read(request: Builder) -> RequestHead {
        RequestHead::read(&request.body(()).unwrap())
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
        let head = read(request);
        assert_eq!(head.protocol, Protocol::Grpc);
        assert_eq!(head.timeout, Some(Duration::from_millis(1500)));
        assert_eq!(head.trailers, Trailers::Always);
        let context = head.context.unwrap();
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
        let of = |version, te| read(Request::builder().version(version).header("te", te)).trailers;
        assert_eq!(of(Version::HTTP_11, "trailers"), Trailers::Announced);
        assert_eq!(of(Version::HTTP_11, "gzip"), Trailers::Never);
        assert_eq!(of(Version::HTTP_10, "trailers"), Trailers::Never);
        assert_eq!(of(Version::HTTP_2, "gzip"), Trailers::Always);
    }

    #[test]
    fn a_request_that_says_nothing_has_no_trace_and_no_deadline() {
        let head = read(Request::builder().method(Method::HEAD));
        assert!(head.context.is_none() && head.timeout.is_none());
        assert_eq!(head.protocol, Protocol::Http);
        assert_eq!(head.body, AnswerBody::Dropped);
    }
}
