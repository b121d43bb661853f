//! What a service says of a request in band, to the gateway and to browsers: `Server-Timing` with
//! the time of work and of cleanup, and `rearguard-outcome` where it did not succeed.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::TRAILER};

use super::{answer::name_of, outcome::REARGUARD_OUTCOME};
use crate::Outcome;

/// W3C Server Timing; durations in milliseconds.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A request that took less, succeeded and had nothing to clean up says nothing: there is nothing to
/// tell apart, and to say it would cost more than all else that a layer does.
pub(super) const UNREPORTED_WORK: Duration = Duration::from_millis(1);

/// How a request ended, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) outcome: Outcome,
    pub(super) work: Duration,
    pub(super) cleanup: Duration,
}

impl Measured {
    /// Whether there is anything to say.
    #[inline]
    pub(super) fn is_notable(&self) -> bool {
        self.outcome != Outcome::Succeeded
            || !self.cleanup.is_zero()
            || self.work >= UNREPORTED_WORK
    }

    /// Adds what is known to the headers, or trailers, of an answer.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let mut text = Text::new();
        text.push(b"work;dur=");
        text.push_millis(self.work);
        text.push(b", cleanup;dur=");
        text.push_millis(self.cleanup);
        if let Ok(value) = HeaderValue::from_bytes(text.written()) {
            headers.append(SERVER_TIMING, value);
        }
        if self.outcome != Outcome::Succeeded {
            headers.insert(&REARGUARD_OUTCOME, name_of(self.outcome));
        }
    }
}

/// Says by HTTP/1.1 which fields may come after the body.
pub(super) fn announce(headers: &mut HeaderMap) {
    headers.append(TRAILER, HeaderValue::from_static("server-timing, rearguard-outcome"));
}

/// Longest: two names of 23 bytes together, and two durations of 20 digits and 4 more.
const TEXT_BYTES: usize = 80;

/// A short text, written where it stays: formatting a float costs more than the whole layer.
struct Text {
    bytes: [u8; TEXT_BYTES],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; TEXT_BYTES], length: 0 }
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        self.bytes[self.length..end].copy_from_slice(text);
        self.length = end;
    }

    /// Milliseconds, with microseconds after the point where there are any.
    fn push_millis(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.push_number(micros / 1000, 1);
        if micros % 1000 != 0 {
            self.push(b".");
            self.push_number(micros % 1000, 3);
        }
    }

    /// A number of so many digits at least.
    fn push_number(&mut self, number: u64, digits: usize) {
        let mut text = [b'0'; 20];
        let (mut rest, mut begin) = (number, text.len());
        while rest > 0 {
            begin -= 1;
            // Below ten.
            text[begin] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.push(&text[begin.min(text.len() - digits)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(outcome: Outcome, work: Duration, cleanup: Duration) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(SERVER_TIMING, HeaderValue::from_static("db;dur=5"));
        Measured { outcome, work, cleanup }.write(&mut headers);
        headers
    }

    fn timing(work: Duration, cleanup: Duration) -> String {
        let headers = written(Outcome::Succeeded, work, cleanup);
        let last = headers.get_all(SERVER_TIMING).into_iter().next_back();
        last.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn durations_are_milliseconds_with_three_digits_after_the_point_or_none() {
        let micros = Duration::from_micros;
        assert_eq!(timing(micros(12_100), micros(300_400)), "work;dur=12.100, cleanup;dur=300.400");
        assert_eq!(timing(micros(7), micros(0)), "work;dur=0.007, cleanup;dur=0");
        assert_eq!(timing(micros(5_000), micros(1_000_020)), "work;dur=5, cleanup;dur=1000.020");
        let longest = timing(Duration::MAX, Duration::MAX);
        assert!(longest.starts_with("work;dur=18446744073709551.615, "), "{longest}");
    }

    #[test]
    fn what_the_handler_said_stays_and_success_is_not_said() {
        let headers = written(Outcome::Succeeded, Duration::ZERO, Duration::ZERO);
        assert_eq!(headers.get_all(SERVER_TIMING).into_iter().count(), 2);
        assert!(!headers.contains_key(&REARGUARD_OUTCOME));
        let headers = written(Outcome::TimedOut, Duration::ZERO, Duration::ZERO);
        assert_eq!(headers[&REARGUARD_OUTCOME], "timed_out");
    }
}
