//! The pause before another attempt: "full jitter", any time up to a bound that doubles (Marc Brooker,
//! "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::time::Duration;

use tokio::time::Instant;

use crate::{CallContext, Error, ErrorKind};

/// The longest pause before the second attempt.
const FIRST: Duration = Duration::from_millis(10);

/// The longest pause at all.
const LONGEST: Duration = Duration::from_secs(1);

/// The pause after an attempt, counted from 1, by a random number from 0 to 1.
pub(crate) fn pause(attempt: u32, random: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    (FIRST * 2_u32.pow(doublings)).min(LONGEST).mul_f64(random.clamp(0.0, 1.0))
}

/// When work must be done that has this long for itself: then, or when the request must be.
///
/// # Errors
/// Where that has passed.
pub(crate) fn within(own: Duration, operation: &'static str) -> Result<Instant, Error> {
    let now = Instant::now();
    // One that is too far off to be told is in a year.
    let own = now.checked_add(own).unwrap_or(now + Duration::from_secs(31_536_000));
    let deadline = match CallContext::current().and_then(|context| context.deadline()) {
        Some(deadline) => deadline.min(own),
        None => own,
    };
    if deadline <= now {
        return Err(Error::new(ErrorKind::DeadlinePassed, operation));
    }
    Ok(deadline)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_within_a_bound_that_doubles(attempt in 1..100_u32, random in 0.0..1.0) {
            let pause = pause(attempt, random);
            let bound = FIRST.as_secs_f64() * 2_f64.powi(attempt.min(30) as i32 - 1);
            prop_assert!(pause.as_secs_f64() <= bound.min(LONGEST.as_secs_f64()) + 1e-9);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearer_deadline_counts() {
        let own = Duration::from_secs(10);
        let left = |deadline: Instant| deadline - Instant::now();
        assert_eq!(left(within(own, "test").unwrap()), own);
        let near = CallContext::new().within(Duration::from_secs(1));
        let found = near.sync_scope(|| within(own, "test").unwrap());
        assert_eq!(left(found), Duration::from_secs(1));
        let passed = CallContext::new().within(Duration::ZERO);
        let error = passed.sync_scope(|| within(own, "test").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::DeadlinePassed);
    }
}
