//! How a deadline travels: as the time that is left, in a header.
//!
//! gRPC has `grpc-timeout` (gRPC over HTTP/2, "Timeout"); HTTP the de-facto
//! `x-envoy-expected-rq-timeout-ms`, which Envoy and Istio set and read.

use core::time::Duration;

/// The header of gRPC: at most 8 digits and a unit.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The header of HTTP: whole milliseconds.
pub const EXPECTED_TIMEOUT: &str = "x-envoy-expected-rq-timeout-ms";

/// Reads a `grpc-timeout`. A value that is not well-formed is no timeout.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(rearguard::timeout::parse_grpc(b"250m"), Some(Duration::from_millis(250)));
/// assert_eq!(rearguard::timeout::parse_grpc(b"soon"), None);
/// ```
#[must_use]
pub fn parse_grpc(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
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

/// Reads an `x-envoy-expected-rq-timeout-ms`: at most 12 digits. Anything else is no timeout.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(rearguard::timeout::parse_expected(b"1500"), Some(Duration::from_millis(1500)));
/// ```
#[must_use]
pub fn parse_expected(value: &[u8]) -> Option<Duration> {
    let text = core::str::from_utf8(value).ok().filter(|text| text.len() <= 12)?;
    text.parse().ok().map(Duration::from_millis)
}

/// The time that a caller gives, by the values of the two headers: the lesser of both. A value that is
/// not well-formed is no timeout.
///
/// ```
/// use std::time::Duration;
///
/// let both = rearguard::timeout::of_caller(Some(b"1S"), Some(b"250"));
/// assert_eq!(both, Some(Duration::from_millis(250)));
/// assert_eq!(rearguard::timeout::of_caller(Some(b"soon"), None), None);
/// ```
#[must_use]
#[inline]
pub fn of_caller(grpc: Option<&[u8]>, expected: Option<&[u8]>) -> Option<Duration> {
    match (grpc.and_then(parse_grpc), expected.and_then(parse_expected)) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The `grpc-timeout` for what is left, in milliseconds, or in seconds where that needs more than
/// 8 digits.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(rearguard::timeout::to_grpc(Duration::from_secs(2)), "2000m");
/// ```
#[cfg(feature = "std")]
#[must_use]
pub fn to_grpc(left: Duration) -> String {
    let millis = left.as_millis();
    if millis < 100_000_000 {
        format!("{millis}m")
    } else {
        format!("{}S", left.as_secs().min(99_999_999))
    }
}

/// The `x-envoy-expected-rq-timeout-ms` for what is left; at least 1, as 0 is no timeout at all to
/// who reads it.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(rearguard::timeout::to_expected(Duration::from_secs(2)), "2000");
/// ```
#[cfg(feature = "std")]
#[must_use]
pub fn to_expected(left: Duration) -> String {
    left.as_millis().clamp(1, 999_999_999_999).to_string()
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
            assert_eq!(parse_grpc(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    #[cfg(feature = "std")]
    fn what_is_left_is_written_within_eight_digits() {
        assert_eq!(to_grpc(Duration::from_millis(1500)), "1500m");
        assert_eq!(to_grpc(Duration::from_secs(200_000)), "200000S");
    }

    #[test]
    #[cfg(feature = "std")]
    fn what_is_written_is_read_back() {
        let longest = Duration::MAX;
        assert_eq!(
            parse_expected(to_expected(longest).as_bytes()).map(|it| it.as_secs()),
            Some(999_999_999)
        );
        assert_eq!(
            parse_grpc(to_grpc(longest).as_bytes()).map(|it| it.as_secs()),
            Some(99_999_999)
        );
    }
}
