//! Answers that layers make themselves: a status and a sentence, or for gRPC a trailers-only 200.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Frame;

use super::outcome::{GRPC_STATUS, Protocol, REARGUARD_OUTCOME};
use crate::{BoxError, CallContext, Error, ErrorKind, Outcome};

pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Why a layer answers in the handler's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reason {
    pub(crate) status: StatusCode,
    /// The number of the gRPC status, as text.
    pub(crate) grpc_status: &'static str,
    pub(crate) outcome: Outcome,
    /// What happened, as a lower-case sentence without its full stop, for people.
    pub(crate) sentence: &'static str,
}

impl Reason {
    /// The handler panicked: 500, INTERNAL.
    pub(crate) const PANICKED: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        grpc_status: "13",
        outcome: Outcome::Panicked,
        sentence: "the handler panicked",
    };
    /// The deadline passed: 504, DEADLINE_EXCEEDED.
    pub(crate) const TIMED_OUT: Self = Self {
        status: StatusCode::GATEWAY_TIMEOUT,
        grpc_status: "4",
        outcome: Outcome::TimedOut,
        sentence: "the deadline passed",
    };

    /// The whole answer, with `rearguard-outcome` and the trace id, where there is a trace.
    pub(crate) fn answer(
        self,
        protocol: Protocol,
        context: Option<&CallContext>,
    ) -> Response<Bytes> {
        let (status, body) = match protocol {
            Protocol::Http => (self.status, Bytes::from(self.text(context))),
            Protocol::Grpc => (StatusCode::OK, Bytes::new()),
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        match protocol {
            Protocol::Http => {
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                let length = HeaderValue::from(answer.body().len());
                answer.headers_mut().insert(CONTENT_TYPE, plain);
                answer.headers_mut().insert(CONTENT_LENGTH, length);
                answer.headers_mut().insert(&REARGUARD_OUTCOME, name_of(self.outcome));
            }
            Protocol::Grpc => {
                *answer.headers_mut() = self.grpc_trailers(context);
                let grpc = HeaderValue::from_static("application/grpc");
                answer.headers_mut().insert(CONTENT_TYPE, grpc);
            }
        }
        answer
    }

    /// What a gRPC caller is told where the answer has begun already.
    pub(crate) fn grpc_trailers(self, context: Option<&CallContext>) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(4);
        let message = match context {
            Some(context) => format!("{}, trace id {}", self.sentence, context.trace().trace_id),
            None => self.sentence.to_owned(),
        };
        trailers.insert(&GRPC_STATUS, HeaderValue::from_static(self.grpc_status));
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&message)) {
            trailers.insert(GRPC_MESSAGE, message);
        }
        trailers.insert(&REARGUARD_OUTCOME, name_of(self.outcome));
        trailers
    }

    /// How an answer ends that has begun already, so that nobody takes it for whole: trailers for
    /// gRPC, else an error of the body.
    pub(crate) fn cut(
        self,
        protocol: Protocol,
        context: Option<&CallContext>,
    ) -> Result<Frame<Bytes>, BoxError> {
        match protocol {
            Protocol::Grpc => Ok(Frame::trailers(self.grpc_trailers(context))),
            Protocol::Http => {
                let kind = match self.outcome {
                    Outcome::Panicked => ErrorKind::Panicked,
                    Outcome::TimedOut => ErrorKind::DeadlinePassed,
                    _ => ErrorKind::Failed,
                };
                Err(Error::new(kind, "response.body").into())
            }
        }
    }

    fn text(self, context: Option<&CallContext>) -> String {
        let mut text = format!("{} {}\n{}\n", self.status.as_u16(), self.outcome, self.sentence);
        if let Some(context) = context {
            // Writing to a string cannot fail.
            writeln!(text, "trace id: {}", context.trace().trace_id).unwrap_or_default();
        }
        text
    }
}

/// The value of `rearguard-outcome`.
pub(crate) const fn name_of(outcome: Outcome) -> HeaderValue {
    HeaderValue::from_static(outcome.as_str())
}

/// As gRPC over HTTP/2 asks of `grpc-message`: what is not printable ASCII, and `%`, by its bytes.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x20..=0x7e).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_happened_and_in_which_trace() {
        let context = CallContext::new();
        let trace_id = context.trace().trace_id;
        let answer = Reason::PANICKED.answer(Protocol::Http, Some(&context));
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["rearguard-outcome"], "panicked");
        let text = format!("500 panicked\nthe handler panicked\ntrace id: {trace_id}\n");
        assert_eq!(answer.headers()["content-length"], text.len().to_string());
        assert_eq!(*answer.body(), text);
    }

    #[test]
    fn grpc_is_answered_by_a_200_with_a_status_and_nothing_else() {
        let answer = Reason::TIMED_OUT.answer(Protocol::Grpc, None);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        assert_eq!(answer.headers()["grpc-status"], "4");
        assert_eq!(answer.headers()["grpc-message"], "the deadline passed");
        assert_eq!(answer.headers()["rearguard-outcome"], "timed_out");
        assert!(answer.body().is_empty());
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(percent_encoded("50 % of ü\n"), "50 %25 of %C3%BC%0A");
    }
}
