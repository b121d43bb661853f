use std::{net::SocketAddr, sync::Arc, time::Duration};

use rearguard::{Cause, Outcome};

use crate::{
    TraceId,
    json::{JsonObject, push_integer},
};

/// The protocol a client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// gRPC over HTTP/2
    Grpc,
}

impl Protocol {
    /// The name used in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Grpc => "gRPC",
        }
    }
}

/// Which kind of upstream connection carried a request: that tells the idle race from a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionUse {
    /// Made for this request.
    Fresh,
    /// Taken from the pool.
    Reused {
        /// How long it had been idle.
        idle: Duration,
    },
}

/// Where the time of a request went; each `None` until that phase was reached.
///
/// `queue + connect + upstream + transfer`, as `docs/causes/` explains them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Waiting for a place in the connection pool.
    pub queue: Option<Duration>,
    /// Making a connection, TLS included; zero on a reused one.
    pub connect: Option<Duration>,
    /// From the request sent to the first byte of the answer, or to the failure.
    pub upstream: Option<Duration>,
    /// From the first byte of the answer to its end.
    pub transfer: Option<Duration>,
    /// From the request's head to the end, whatever the phases.
    pub total: Duration,
}

/// What the service said about itself in band (`Server-Timing: work;dur=…, cleanup;dur=…`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reported {
    /// How long the body took.
    pub work: Option<Duration>,
    /// How long what was deferred took.
    pub cleanup: Option<Duration>,
}

/// What is known about one user request once it has ended. Immutable from then on.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// When its head had arrived, in microseconds since the Unix epoch.
    pub time_unix_micros: u64,
    /// Its trace.
    pub trace_id: TraceId,
    /// `x-request-id`, where the client sent one of its own.
    pub request_id: Option<Box<str>>,
    /// The service that the route names; empty where no route matched.
    pub service: Arc<str>,
    /// The route; empty where none matched.
    pub route: Arc<str>,
    /// The subset (version) of the service; empty for the whole service.
    pub subset: Arc<str>,
    /// The endpoint that was last tried.
    pub endpoint: Option<SocketAddr>,
    /// The client's address.
    pub client: Option<SocketAddr>,
    /// What the client spoke.
    pub protocol: Protocol,
    /// The method; empty where the request could not be read.
    pub method: Box<str>,
    /// Host and port that were asked for.
    pub authority: Box<str>,
    /// Path and query.
    pub path: Box<str>,
    /// The status that was sent, or 499 where the client had left.
    pub status: u16,
    /// The gRPC status, where one was seen or made.
    pub grpc_status: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not served well.
    pub cause: Option<Cause>,
    /// What exactly happened, for people.
    pub detail: Option<Box<str>>,
    /// The upstream connection of the last try.
    pub connection: Option<ConnectionUse>,
    /// Where the time went.
    pub phases: Phases,
    /// What the service reported in band.
    pub reported: Reported,
    /// How often it was sent to an endpoint.
    pub tries: u32,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl RequestRecord {
    /// Appends the record as one JSON object, the form of the access log and of the failures API.
    /// `time` is RFC 3339 in UTC; durations end in `_ms`, sizes in `_bytes`.
    pub fn write_json(&self, out: &mut String) {
        let mut object = JsonObject::new(out);
        push_time(object.key("time"), self.time_unix_micros);
        let trace_id = self.trace_id.to_hex();
        object.string("trace_id", std::str::from_utf8(&trace_id).unwrap_or_default());
        object.optional_string("request_id", self.request_id.as_deref());
        object.string("method", &self.method);
        object.string("authority", &self.authority);
        object.string("path", &self.path);
        object.string("protocol", self.protocol.as_str());
        object.integer("status", u64::from(self.status));
        if let Some(status) = self.grpc_status {
            object.integer("grpc_status", u64::from(status));
        }
        object.string("outcome", self.outcome.as_str());
        if let Some(cause) = self.cause {
            object.string("cause", cause.code());
            object.optional_string("envoy_flag", cause.envoy_flag());
        }
        object.optional_string("detail", self.detail.as_deref());
        object.string("service", &self.service);
        object.string("route", &self.route);
        if !self.subset.is_empty() {
            object.string("subset", &self.subset);
        }
        if let Some(endpoint) = self.endpoint {
            push_address(object.key("endpoint"), endpoint);
        }
        if let Some(client) = self.client {
            push_address(object.key("client"), client);
        }
        self.write_connection(&mut object);
        self.write_phases(&mut object);
        object.integer("tries", u64::from(self.tries));
        object.integer("request_bytes", self.request_bytes);
        object.integer("response_bytes", self.response_bytes);
    }

    fn write_connection(&self, object: &mut JsonObject<'_>) {
        match self.connection {
            Some(ConnectionUse::Fresh) => object.string("connection", "fresh"),
            Some(ConnectionUse::Reused { idle }) => {
                object.string("connection", "reused");
                object.milliseconds("idle_ms", micros(idle));
            }
            None => {}
        }
    }

    fn write_phases(&self, object: &mut JsonObject<'_>) {
        for (name, phase) in [
            ("queue_ms", self.phases.queue),
            ("connect_ms", self.phases.connect),
            ("upstream_ms", self.phases.upstream),
            ("transfer_ms", self.phases.transfer),
            ("work_ms", self.reported.work),
            ("cleanup_ms", self.reported.cleanup),
        ] {
            if let Some(phase) = phase {
                object.milliseconds(name, micros(phase));
            }
        }
        object.milliseconds("total_ms", micros(self.phases.total));
    }

    /// Whether it stands among the failures: whatever has a cause.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        self.cause.is_some()
    }
}

/// Appends a quoted address. IPv4 is written by hand: it stands twice in every line of the log.
fn push_address(out: &mut String, address: SocketAddr) {
    use std::fmt::Write as _;
    let SocketAddr::V4(address) = address else {
        // Writing to a string cannot fail.
        return write!(out, "\"{address}\"").unwrap_or_default();
    };
    for (place, octet) in address.ip().octets().into_iter().enumerate() {
        out.push(if place == 0 { '"' } else { '.' });
        push_integer(out, octet.into());
    }
    out.push(':');
    push_integer(out, address.port().into());
    out.push('"');
}

/// Appends a quoted RFC 3339 time in UTC with microseconds.
///
/// The civil date is worked out by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for years from 1970.
fn push_time(out: &mut String, unix_micros: u64) {
    let seconds = unix_micros / 1_000_000;
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let of_day = seconds % 86_400;
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    let mut put = |at: usize, width: usize, mut value: u64| {
        for place in (at..at + width).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(1, 4, year);
    put(6, 2, month);
    put(9, 2, day);
    put(12, 2, of_day / 3600);
    put(15, 2, of_day / 60 % 60);
    put(18, 2, of_day % 60);
    put(21, 6, unix_micros % 1_000_000);
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(unix_micros: u64) -> String {
        let mut out = String::new();
        push_time(&mut out, unix_micros);
        out
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(0), "\"1970-01-01T00:00:00.000000Z\"");
        assert_eq!(time(951_827_696_000_001), "\"2000-02-29T12:34:56.000001Z\"");
        assert_eq!(time(1_795_132_799_999_999), "\"2026-11-19T23:59:59.999999Z\"");
        assert_eq!(time(4_102_444_800_000_000), "\"2100-01-01T00:00:00.000000Z\"");
    }

    #[test]
    fn a_failure_shows_who_and_why_and_where_the_time_went() {
        let record = RequestRecord {
            time_unix_micros: 0,
            trace_id: TraceId::from_random(1),
            request_id: None,
            service: "payment-service".into(),
            route: "pay".into(),
            subset: "v2".into(),
            endpoint: Some(([127, 0, 0, 1], 3000).into()),
            client: None,
            protocol: Protocol::Http11,
            method: "POST".into(),
            authority: "shop".into(),
            path: "/pay?a=\"b\"".into(),
            status: 502,
            grpc_status: None,
            outcome: Outcome::Failed,
            cause: Some(Cause::UpstreamClosedBeforeResponse),
            detail: Some("closed after 3 ms".into()),
            connection: Some(ConnectionUse::Reused { idle: Duration::from_millis(40) }),
            phases: Phases {
                connect: Some(Duration::ZERO),
                upstream: Some(Duration::from_micros(3100)),
                total: Duration::from_micros(3200),
                ..Phases::default()
            },
            reported: Reported::default(),
            tries: 1,
            request_bytes: 5,
            response_bytes: 0,
        };
        let mut out = String::new();
        record.write_json(&mut out);
        assert_eq!(
            out,
            concat!(
                r#"{"time":"1970-01-01T00:00:00.000000Z","trace_id":"00000000000000000000000000000001","#,
                r#""method":"POST","authority":"shop","path":"/pay?a=\"b\"","protocol":"HTTP/1.1","#,
                r#""status":502,"outcome":"failed","cause":"upstream.closed_before_response","#,
                r#""envoy_flag":"UC","detail":"closed after 3 ms","service":"payment-service","#,
                r#""route":"pay","subset":"v2","endpoint":"127.0.0.1:3000","connection":"reused","#,
                r#""idle_ms":40,"connect_ms":0,"upstream_ms":3.100,"total_ms":3.200,"tries":1,"#,
                r#""request_bytes":5,"response_bytes":0}"#,
            )
        );
    }
}
