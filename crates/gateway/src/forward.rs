//! The fields of heads as they are passed on: what is dropped, what is changed, what is added.

use std::time::Duration;

use config::routing::HeaderChange;
use http::HeaderMap;
use model::TraceContext;
use rearguard::timeout;

use crate::{
    message::{Fields, Known, RequestHead, list_members},
    peer::append,
};

/// Where fields are written to: lines of HTTP/1.1, or a map for HTTP/2.
pub(crate) trait FieldSink {
    fn field(&mut self, name: &[u8], value: &[u8]);
}

impl FieldSink for Vec<u8> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.reserve(name.len() + value.len() + 4);
        self.extend_from_slice(name);
        self.extend_from_slice(b": ");
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
    }
}

impl FieldSink for HeaderMap {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        append(self, name, value);
    }
}

/// What a request is passed on with.
#[derive(Debug)]
pub(crate) struct RequestContext<'a> {
    pub(crate) trace: TraceContext,
    /// Whether the trace began with the client.
    pub(crate) continues_trace: bool,
    /// The client's address.
    pub(crate) client: &'a str,
    /// Whether the client's own `X-Forwarded-*` and `Forwarded` are passed on.
    pub(crate) trusted: bool,
    pub(crate) scheme: &'static str,
    /// The name by which this gateway signs `Via`.
    pub(crate) pseudonym: &'a str,
    /// What is left of the deadline that is handed down.
    pub(crate) time_left: Option<Duration>,
    /// The route's and the destination's changes.
    pub(crate) changes: [&'a HeaderChange; 2],
}

/// Passes on a request's fields, but for `Host` and those that frame the body.
pub(crate) fn request_fields(
    out: &mut impl FieldSink,
    head: &RequestHead,
    context: &RequestContext<'_>,
) {
    let names_hops = names_hops(&head.fields);
    for (known, name, value) in head.fields.iter() {
        let keep = match known {
            Known::Other | Known::Cookie | Known::Accept | Known::ContentType => true,
            Known::Host | Known::ContentLength | Known::Traceparent | Known::ExpectedTimeout => {
                false
            }
            // Replaced below where there is a bound; a stranger's own is for the service to see.
            Known::GrpcTimeout => context.time_left.is_none(),
            Known::Forwarded | Known::ForwardedProto | Known::ForwardedHost => context.trusted,
            // Appended to below.
            Known::ForwardedFor | Known::Via => false,
            _ => !known.is_hop_by_hop(),
        };
        let tracestate = !context.continues_trace && name.eq_ignore_ascii_case(b"tracestate");
        if !keep
            || tracestate
            || (names_hops && head.fields.connection_names(name))
            || changed(&context.changes, name)
        {
            continue;
        }
        out.field(name, value);
    }
    add_own_fields(out, head, context);
    add_changes(out, &context.changes);
}

/// Whether `Connection` names fields that are not dropped anyway. Hardly any message does, so that
/// the names of its fields need not be looked for.
fn names_hops(fields: &Fields) -> bool {
    fields
        .iter()
        .filter(|(known, _, _)| *known == Known::Connection)
        .flat_map(|(_, _, value)| list_members(value))
        .any(|name| !Known::of(name).is_hop_by_hop() && !name.eq_ignore_ascii_case(b"close"))
}

fn add_own_fields(out: &mut impl FieldSink, head: &RequestHead, context: &RequestContext<'_>) {
    let fields = &head.fields;
    // What the rules remove or set is left to them.
    let mut own = |name: &[u8], value: &[u8]| {
        if !changed(&context.changes, name) {
            out.field(name, value);
        }
    };
    own(b"traceparent", &context.trace.to_header());
    // What `Connection` names has not been passed on, so that nothing can be taken away by it.
    let passed_on =
        |known, name: &[u8]| fields.get(known).is_some() && !fields.connection_names(name);
    if !passed_on(Known::RequestId, b"x-request-id") {
        own(b"x-request-id", &context.trace.trace_id.to_hex());
    }
    let mut value = Vec::with_capacity(64);
    extend_list(&mut value, fields, Known::Via);
    let version = match head.protocol {
        model::Protocol::Http10 => "1.0 ",
        model::Protocol::Http11 => "1.1 ",
        model::Protocol::Http2 | model::Protocol::Grpc => "2 ",
    };
    value.extend_from_slice(version.as_bytes());
    value.extend_from_slice(context.pseudonym.as_bytes());
    own(b"via", &value);
    value.clear();
    if context.trusted {
        extend_list(&mut value, fields, Known::ForwardedFor);
    }
    value.extend_from_slice(context.client.as_bytes());
    own(b"x-forwarded-for", &value);
    if !context.trusted || !passed_on(Known::ForwardedProto, b"x-forwarded-proto") {
        own(b"x-forwarded-proto", context.scheme.as_bytes());
    }
    if !context.trusted || !passed_on(Known::ForwardedHost, b"x-forwarded-host") {
        own(b"x-forwarded-host", head.authority().as_bytes());
    }
    if let Some(left) = context.time_left {
        if is_grpc(fields) {
            own(b"grpc-timeout", timeout::to_grpc(left).as_bytes());
        } else {
            own(b"x-envoy-expected-rq-timeout-ms", timeout::to_expected(left).as_bytes());
        }
    }
}

/// Appends every member of the fields of that kind, each with a comma behind it.
fn extend_list(out: &mut Vec<u8>, fields: &Fields, wanted: Known) {
    for (_, _, value) in fields.iter().filter(|(known, _, _)| *known == wanted) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

/// Whether the request has been through the gateway with this pseudonym.
pub(crate) fn came_through(fields: &Fields, pseudonym: &str) -> bool {
    fields
        .iter()
        .filter(|(known, _, _)| *known == Known::Via)
        .flat_map(|(_, _, value)| list_members(value))
        .any(|member| member.split(|byte| *byte == b' ').nth(1) == Some(pseudonym.as_bytes()))
}

/// Whether the content type is gRPC's.
pub(crate) fn is_grpc(fields: &Fields) -> bool {
    fields.get(Known::ContentType).is_some_and(|value| {
        let rest = value.strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    })
}

/// Passes on a response's fields, but for those that frame the body. `Content-Length` is passed on
/// where `keep_length` says so.
pub(crate) fn response_fields(
    out: &mut impl FieldSink,
    fields: &Fields,
    keep_length: bool,
    expose_outcome: bool,
    changes: &[&HeaderChange; 2],
) {
    let names_hops = names_hops(fields);
    let mut keep_length = keep_length;
    for (known, name, value) in fields.iter() {
        let keep = match known {
            // The same length twice becomes one (RFC 9110 section 8.6).
            Known::ContentLength => std::mem::take(&mut keep_length),
            Known::RearguardOutcome => expose_outcome,
            _ => !known.is_hop_by_hop(),
        };
        if keep && !(names_hops && fields.connection_names(name)) && !changed(changes, name) {
            out.field(name, value);
        }
    }
    add_changes(out, changes);
}

/// Passes on an interim response's fields. It has no body, so that it says no length either.
pub(crate) fn interim_fields(out: &mut impl FieldSink, fields: &Fields) {
    response_fields(out, fields, false, false, &[&UNCHANGED; 2]);
}

static UNCHANGED: HeaderChange =
    HeaderChange { set: Vec::new(), add: Vec::new(), remove: Vec::new() };

/// The trailers of a response as they are passed on.
pub(crate) fn response_trailers(trailers: &Fields) -> Option<Fields> {
    let mut kept = Fields::new();
    for (known, name, value) in trailers.iter() {
        if known != Known::RearguardOutcome {
            kept.push(name, value);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// The trailers of a request as they are passed on.
pub(crate) fn request_trailers(trailers: &Fields) -> Option<Fields> {
    let mut kept = Fields::new();
    for (_, name, value) in trailers.iter() {
        kept.push(name, value);
    }
    (!kept.is_empty()).then_some(kept)
}

fn changed(changes: &[&HeaderChange; 2], name: &[u8]) -> bool {
    changes.iter().any(|change| {
        change.remove.iter().any(|removed| name.eq_ignore_ascii_case(removed.as_bytes()))
            || change.set.iter().any(|(set, _)| name.eq_ignore_ascii_case(set.as_bytes()))
    })
}

fn add_changes(out: &mut impl FieldSink, changes: &[&HeaderChange; 2]) {
    for (place, change) in changes.iter().enumerate() {
        for (name, value) in &change.set {
            // The destination's word comes after the route's, and wins.
            let overridden = changes[place + 1..]
                .iter()
                .any(|later| later.set.iter().any(|(other, _)| other == name));
            if !overridden {
                out.field(name.as_bytes(), value.as_bytes());
            }
        }
        for (name, value) in &change.add {
            out.field(name.as_bytes(), value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{SpanId, TraceId};

    use super::*;
    use crate::h1::{HeadLimits, HostRule, parse_request};

    /// The fields that a request is passed on with.
    fn passed_on(text: &str, trusted: bool) -> String {
        let head = parse_request(text.as_bytes(), &HeadLimits::default(), HostRule::TargetWins);
        let trace = TraceContext {
            trace_id: TraceId::from_random(1),
            span_id: SpanId::from_random(2),
            flags: 1,
        };
        let context = RequestContext {
            trace,
            continues_trace: false,
            client: "192.0.2.1",
            trusted,
            scheme: "http",
            pseudonym: "gateway",
            time_left: None,
            changes: [&UNCHANGED; 2],
        };
        let mut out = Vec::new();
        request_fields(&mut out, &head.unwrap(), &context);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_connection_names_ends_here_but_nothing_of_the_gateways_own_goes_with_it() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nX-Request-Id: mine\r\n\
            X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\
            X-Forwarded-Host: b\r\nContent-Length: 5\r\nKeep-Alive: 1\r\n\
            Connection: x-hop, host, content-length, x-request-id\r\n\
            Connection: X-Forwarded-For,x-forwarded-proto , x-forwarded-host, via, traceparent\r\n\
            \r\n";
        for trusted in [false, true] {
            let fields = passed_on(text, trusted);
            for line in [
                "x-request-id: 00000000000000000000000000000001\r\n",
                "x-forwarded-proto: http\r\n",
                "x-forwarded-host: a\r\n",
                "via: 1.1 gateway\r\n",
                "traceparent: 00-",
            ] {
                assert!(fields.contains(line), "{line:?} in {fields}");
            }
            let lower = fields.to_ascii_lowercase();
            for gone in ["x-hop", "connection", "keep-alive", "content-length", "\nhost"] {
                assert!(!lower.contains(gone), "{gone:?} in {fields}");
            }
            assert_eq!(lower.matches("x-forwarded-for: ").count(), 1, "{fields}");
        }
    }

    #[test]
    fn a_client_is_believed_only_where_it_is_trusted() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\
            X-Forwarded-Proto: https\r\nForwarded: for=x\r\n\r\n";
        let fields = passed_on(text, false);
        assert!(fields.contains("x-forwarded-for: 192.0.2.1\r\n"), "{fields}");
        assert!(!fields.contains("203.0.113.9") && !fields.contains("https"), "{fields}");
        assert!(!fields.contains("for=x"), "{fields}");
        let fields = passed_on(text, true);
        assert!(fields.contains("x-forwarded-for: 203.0.113.9, 192.0.2.1\r\n"), "{fields}");
        assert!(fields.contains("X-Forwarded-Proto: https\r\n"), "{fields}");
    }

    #[test]
    fn an_interim_response_says_nothing_of_a_body_or_of_the_connection() {
        let mut fields = Fields::new();
        for (name, value) in [
            ("Link", "</a.css>"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "x-hop"),
            ("X-Hop", "1"),
            ("rearguard-outcome", "panicked"),
        ] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let mut out = Vec::new();
        interim_fields(&mut out, &fields);
        assert_eq!(String::from_utf8(out).unwrap(), "Link: </a.css>\r\n");
    }
}
