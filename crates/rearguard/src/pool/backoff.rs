//! How long to wait before the next attempt to connect.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::Error;

/// The pause after the first refusal, before jitter; it doubles with each further one.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The server refused. Until it takes one again, one attempt at a time is made, after a pause.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// How often in a row; attempts that were made at once count once.
    pub(super) times: u32,
    pub(super) at: Instant,
    pub(super) again_at: Instant,
    pub(super) error: Arc<Error>,
}

impl Refusal {
    /// What follows from an attempt that began at `began` and was refused. `random` is 0 to 1.
    pub(super) fn next(
        before: Option<&Self>,
        error: Error,
        began: Instant,
        now: Instant,
        longest: Duration,
        random: f64,
    ) -> Self {
        let error = Arc::new(error);
        match before {
            // It was under way already when the others were refused.
            Some(before) if began <= before.at => Self { error, ..before.clone() },
            _ => {
                let times = before.map_or(0, |before| before.times).saturating_add(1);
                let again_at = now + pause(times, longest, random);
                Self { times, at: now, again_at, error }
            }
        }
    }
}

/// The pause after so many refusals in a row: half of it is certain, half at random, so that many
/// clients of one server do not come back at once.
pub(super) fn pause(times: u32, longest: Duration, random: f64) -> Duration {
    let doublings = times.saturating_sub(1).min(31);
    let full = FIRST_BACKOFF.saturating_mul(1 << doublings).min(longest);
    full.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;

    fn refused(before: Option<&Refusal>, began: Instant, now: Instant) -> Refusal {
        let error = Error::new(ErrorKind::ConnectRefused, "pool.connect");
        Refusal::next(before, error, began, now, Duration::from_secs(2), 1.0)
    }

    #[test]
    fn attempts_that_were_made_at_once_count_once() {
        let now = Instant::now();
        let later = now + Duration::from_millis(5);
        let first = refused(None, now, later);
        let second = refused(Some(&first), now, later);
        assert_eq!((second.times, second.again_at), (1, later + FIRST_BACKOFF));
        let third = refused(Some(&second), second.again_at, second.again_at);
        assert_eq!((third.times, third.again_at), (2, second.again_at + 2 * FIRST_BACKOFF));
    }

    proptest! {
        #[test]
        fn a_pause_is_between_half_and_all_of_a_doubling_and_bounded(
            times in 1..u32::MAX, random in 0.0..=1.0_f64, longest in 1..100_000_u64,
        ) {
            let longest = Duration::from_millis(longest);
            let paused = pause(times, longest, random);
            prop_assert!(paused <= longest);
            let full = pause(times, longest, 1.0);
            prop_assert!(paused >= full / 2);
            prop_assert!(pause(times.saturating_add(1), longest, 1.0) >= full);
        }
    }
}
