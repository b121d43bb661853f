//! Answers that the gateway makes itself: errors, redirects, direct responses.

use std::fmt::Write as _;

use model::{Cause, JsonObject};

use crate::{
    failure::Failure,
    forward::is_grpc,
    message::{Fields, Known, RequestHead, list_members},
    record::Draft,
};

/// The gRPC status of a service that cannot be had.
const UNAVAILABLE: u32 = 14;

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The answer to a request that was not served well: the status, `Proxy-Status` (RFC 9209),
    /// the request's id, and a short body with the code, a sentence and the trace id, as JSON or as
    /// plain text by `Accept`; for gRPC a trailers-only 200.
    pub(crate) fn of_failure(failure: &Failure, head: Option<&RequestHead>, draft: &Draft) -> Self {
        let trace_id = draft.trace.trace_id.to_string();
        let request_id = head
            .and_then(|head| head.fields.get(Known::RequestId))
            .and_then(|value| String::from_utf8(value.to_vec()).ok())
            .unwrap_or_else(|| trace_id.clone());
        let status = failure.status();
        let cause = failure.cause;
        let reply = Self::new(status)
            .with("proxy-status", proxy_status(cause, failure.proxy_error, None))
            .with("x-request-id", request_id);
        let sentence = format!("{}: {}", cause.sentence(), failure.detail);
        if let Some(head) = head
            && is_grpc(&head.fields)
        {
            let mut reply = reply
                .with("content-type", "application/grpc")
                .with("grpc-status", cause.grpc_status().unwrap_or(UNAVAILABLE).to_string())
                .with("grpc-message", grpc_message(&format!("{cause}: {sentence}")));
            reply.status = 200;
            return reply;
        }
        let mut reply = match cause {
            Cause::GatewayDraining | Cause::GatewayOverloaded => reply.with("retry-after", "1"),
            _ => reply,
        };
        let service = draft.service();
        if head.is_some_and(wants_json) {
            reply = reply.with("content-type", "application/json");
            let mut body = String::new();
            let mut object = JsonObject::new(&mut body);
            object.integer("status", u64::from(status));
            object.string("cause", cause.code());
            object.string("explanation", &sentence);
            if !service.is_empty() {
                object.string("service", service);
            }
            object.string("trace_id", &trace_id);
            drop(object);
            body.push('\n');
            reply.body = body.into_bytes();
        } else {
            reply = reply.with("content-type", "text/plain; charset=utf-8");
            let mut body = format!("{status} {cause}\n{sentence}\n");
            if !service.is_empty() {
                // Writing to a string cannot fail.
                writeln!(body, "service: {service}").unwrap_or_default();
            }
            writeln!(body, "trace id: {trace_id}").unwrap_or_default();
            reply.body = body.into_bytes();
        }
        reply
    }
}

/// What a gRPC caller is told where the answer has begun already.
pub(crate) fn grpc_trailers(failure: &Failure) -> Fields {
    let cause = failure.cause;
    let status = cause.grpc_status().unwrap_or(UNAVAILABLE).to_string();
    let message = grpc_message(&format!("{cause}: {}: {}", cause.sentence(), failure.detail));
    let mut trailers = Fields::new();
    trailers.push(b"grpc-status", status.as_bytes());
    trailers.push(b"grpc-message", message.as_bytes());
    trailers
}

/// `rearguard; error=…; details="…"`, with the status that was received where one was.
pub(crate) fn proxy_status(
    cause: Cause,
    error: Option<&'static str>,
    received: Option<u16>,
) -> String {
    let mut value = String::from("rearguard");
    if let Some(error) = error.or(cause.proxy_error()) {
        value.push_str("; error=");
        value.push_str(error);
    }
    if let Some(received) = received {
        // Writing to a string cannot fail.
        write!(value, "; received-status={received}").unwrap_or_default();
    }
    value.push_str("; details=\"");
    value.push_str(cause.code());
    value.push('"');
    value
}

/// JSON is asked for by name; everything else gets plain text.
fn wants_json(head: &RequestHead) -> bool {
    head.fields.get(Known::Accept).is_some_and(|value| {
        list_members(value).any(|member| {
            let kind = member.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            kind.eq_ignore_ascii_case(b"application/json") || kind.ends_with(b"+json")
        })
    })
}

/// Percent-encoded as gRPC over HTTP/2 asks of `grpc-message`.
fn grpc_message(text: &str) -> String {
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
