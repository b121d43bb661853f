//! Whether and when a request is sent again. Time and chance are arguments.

use std::{fmt, time::Duration};

use super::{backoff::Pushback, options::RetryOptions, rule::Verdict};

/// Why a request that failed was not sent again, although it might have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// Every attempt that was allowed was made.
    Attempts,
    /// The budget had no retry left.
    Budget,
    /// It could not have ended before the deadline.
    Deadline,
    /// More of its body was sent than is kept.
    Body,
    /// The other side forbade it, or told to wait longer than is allowed.
    Pushback,
}

impl StopReason {
    pub(super) const ALL: [Self; 5] =
        [Self::Attempts, Self::Budget, Self::Deadline, Self::Body, Self::Pushback];

    /// The name used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::Body => "body",
            Self::Pushback => "pushback",
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known when a try has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// How many were made.
    pub(super) tries: u32,
    pub(super) verdict: Verdict,
    /// It may be repeated although it may have been done.
    pub(super) may_repeat: bool,
    /// All of its body can be sent again.
    pub(super) body_is_whole: bool,
    pub(super) pushback: Pushback,
    /// Until the deadline.
    pub(super) left: Option<Duration>,
    /// From 0 to 1.
    pub(super) chance: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The result stands.
    Stand,
    /// It would be sent again but for this.
    Stop(StopReason),
    /// It is sent again after this long, if the budget has a retry left.
    Again(Duration),
}

pub(super) fn decide(options: &RetryOptions, it: Situation) -> Decision {
    let allowed = match it.verdict {
        Verdict::Final => false,
        Verdict::Repeatable => it.may_repeat,
        Verdict::Unprocessed => true,
    };
    if !allowed {
        return Decision::Stand;
    }
    if it.tries >= options.attempts {
        return Decision::Stop(StopReason::Attempts);
    }
    if !it.body_is_whole {
        return Decision::Stop(StopReason::Body);
    }
    let backoff = options.backoff.after(it.tries, it.chance);
    let wait = match it.pushback {
        Pushback::None => backoff,
        // With jitter on top, so that those who were told the same do not come at once.
        Pushback::After(told) if told <= options.pushback_at_most => told + backoff,
        Pushback::After(_) | Pushback::Never => return Decision::Stop(StopReason::Pushback),
    };
    if it.left.is_some_and(|left| wait.saturating_add(options.least_time) > left) {
        return Decision::Stop(StopReason::Deadline);
    }
    Decision::Again(wait)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failed(tries: u32) -> Situation {
        Situation {
            tries,
            verdict: Verdict::Repeatable,
            may_repeat: true,
            body_is_whole: true,
            pushback: Pushback::None,
            left: None,
            chance: 0.5,
        }
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_it_may_be() {
        let options = RetryOptions::new();
        let post = Situation { may_repeat: false, ..failed(1) };
        assert_eq!(decide(&options, post), Decision::Stand);
        let unprocessed = Situation { verdict: Verdict::Unprocessed, ..post };
        assert!(matches!(decide(&options, unprocessed), Decision::Again(_)));
        let done = Situation { verdict: Verdict::Final, ..failed(1) };
        assert_eq!(decide(&options, done), Decision::Stand);
    }

    #[test]
    fn what_the_other_side_tells_is_waited_for_within_a_bound() {
        let options = RetryOptions::new().pushback_at_most(2 * SECOND);
        let told = |pushback| decide(&options, Situation { pushback, chance: 0.0, ..failed(1) });
        assert_eq!(told(Pushback::After(2 * SECOND)), Decision::Again(2 * SECOND));
        assert_eq!(told(Pushback::After(3 * SECOND)), Decision::Stop(StopReason::Pushback));
        assert_eq!(told(Pushback::Never), Decision::Stop(StopReason::Pushback));
    }

    proptest! {
        #[test]
        fn a_retry_is_within_the_attempts_and_can_end_before_the_deadline(
            attempts in 1_u32..=5,
            tries in 1_u32..8,
            left in 0_u64..1_000,
            told in prop::option::of(0_u64..2_000),
            chance in 0.0_f64..1.0,
        ) {
            let options = RetryOptions::new().attempts(attempts);
            let left = Duration::from_millis(left);
            let pushback =
                told.map_or(Pushback::None, |it| Pushback::After(Duration::from_millis(it)));
            let it = Situation { pushback, left: Some(left), chance, ..failed(tries) };
            if let Decision::Again(wait) = decide(&options, it) {
                prop_assert!(tries < attempts);
                prop_assert!(wait + options.least_time <= left);
            }
        }
    }
}
