//! How a deadline travels where a message may wait: as a moment, not as what is left.
//!
//! `grpc-timeout` and its like say what is left when they are written, and lose their meaning in a queue.
//! So the header has the name and the unit of AMQP 1.0's property `absolute-expiry-time` (OASIS AMQP
//! 1.0, part 3, section 3.2.4): milliseconds since the Unix epoch.
//!
//! That compares two machines' clocks. They are assumed to differ by no more than [`CLOCK_SKEW`], which
//! NTP keeps by far: a deadline counts as passed only when it is that long ago, so that a fast clock
//! drops no message that is still wanted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The header with the moment at which a message is no longer wanted.
pub const EXPIRY: &str = "absolute-expiry-time";

/// How far the clocks of a producer and of a consumer may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_millis(500);

pub(super) fn write(left: Duration, now: SystemTime) -> Option<String> {
    let expiry = now.checked_add(left)?.duration_since(UNIX_EPOCH).ok()?;
    Some(expiry.as_millis().to_string())
}

/// What is left of it, with the skew as a bonus; zero when it has passed. `None` for what is no such moment.
pub(super) fn read(value: &[u8], now: SystemTime) -> Option<Duration> {
    let millis: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let expiry = UNIX_EPOCH.checked_add(Duration::from_millis(millis))?.checked_add(CLOCK_SKEW)?;
    Some(expiry.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_shrinks_by_the_time_in_the_queue(
            now_ms in 0..4_000_000_000_000_u64,
            left_ms in 0..1_000_000_000_u64,
            queued_ms in 0..1_000_000_000_u64,
        ) {
            let now = UNIX_EPOCH + Duration::from_millis(now_ms);
            let sent = write(Duration::from_millis(left_ms), now).unwrap();
            let read = read(sent.as_bytes(), now + Duration::from_millis(queued_ms)).unwrap();
            let expected = (left_ms + CLOCK_SKEW.as_millis() as u64).saturating_sub(queued_ms);
            prop_assert_eq!(read, Duration::from_millis(expected));
        }

        #[test]
        fn anything_can_be_read(value: Vec<u8>) {
            prop_assert!(read(&value, UNIX_EPOCH).is_none_or(|left| left >= CLOCK_SKEW));
        }
    }

    #[test]
    fn what_is_no_moment_is_no_deadline() {
        for text in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(read(text.as_bytes(), UNIX_EPOCH), None, "{text}");
        }
        assert_eq!(write(Duration::MAX, UNIX_EPOCH), None);
    }
}
