//! How long a request may take: the route's word, the caller's word, and the default.

use std::time::Duration;

use crate::message::{Known, RequestHead};

/// The time that the caller gives a request: `grpc-timeout`, or the de-facto header
/// `x-envoy-expected-rq-timeout-ms`. A value that is not well-formed is no deadline.
pub(crate) fn of_caller(head: &RequestHead) -> Option<Duration> {
    let grpc = head.fields.get(Known::GrpcTimeout).and_then(parse_grpc_timeout);
    let expected = head.fields.get(Known::ExpectedTimeout).and_then(parse_milliseconds);
    match (grpc, expected) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// At most 8 digits and a unit (gRPC over HTTP/2, "Timeout").
fn parse_grpc_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

fn parse_milliseconds(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= 12)?;
    text.parse().ok().map(Duration::from_millis)
}

/// The `grpc-timeout` for what is left, in milliseconds, or in seconds where that needs more than
/// 8 digits.
pub(crate) fn grpc_timeout(left: Duration) -> String {
    let millis = left.as_millis();
    if millis < 100_000_000 {
        format!("{millis}m")
    } else {
        format!("{}S", left.as_secs().min(99_999_999))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read_in_every_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000m", None),
            ("-1m", None),
            ("1", None),
            ("m", None),
            ("", None),
        ] {
            assert_eq!(parse_grpc_timeout(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_left_is_written_within_eight_digits() {
        assert_eq!(grpc_timeout(Duration::from_millis(1500)), "1500m");
        assert_eq!(grpc_timeout(Duration::from_secs(200_000)), "200000S");
    }
}
