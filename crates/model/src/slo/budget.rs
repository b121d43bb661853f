use std::time::Duration;

use super::{Counts, Target};

/// What may be bad in a period, and how much of that was: in events or in seconds, as it was made.
///
/// Nothing is clamped: a negative remainder is what was overspent.
///
/// ```
/// use std::time::Duration;
///
/// use model::slo::Budget;
///
/// let budget = Budget::of_time(Duration::from_secs(300), Duration::from_secs(192));
/// assert_eq!(budget.used_ratio(), Some(0.64));
/// assert_eq!(budget.remaining_ratio(), Some(0.36));
/// assert_eq!(budget.remaining(), 108.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// How much may be bad.
    pub allowed: f64,
    /// How much was.
    pub used: f64,
}

impl Budget {
    /// By events: of all there were, this share may be bad. The more events, the more may be bad.
    #[must_use]
    pub fn of_events(counts: Counts, target: Target) -> Self {
        Self { allowed: counts.total() as f64 * target.budget_ratio(), used: counts.bad as f64 }
    }

    /// By time: so much of the period may be bad, and so much was.
    #[must_use]
    pub const fn of_time(allowed: Duration, used: Duration) -> Self {
        Self { allowed: allowed.as_secs_f64(), used: used.as_secs_f64() }
    }

    /// By slices of a period; what was idle or not looked at is not bad.
    #[must_use]
    pub fn of_slices(slices: Counts, width: Duration, period: Duration, target: Target) -> Self {
        Self {
            allowed: period.as_secs_f64() * target.budget_ratio(),
            used: slices.bad as f64 * width.as_secs_f64(),
        }
    }

    /// The share that is used: above 1 when overspent. `None` where nothing was allowed, as there
    /// were no events.
    #[must_use]
    pub fn used_ratio(self) -> Option<f64> {
        (self.allowed > 0.0).then(|| self.used / self.allowed)
    }

    /// The share that is left: negative when overspent.
    #[must_use]
    pub fn remaining_ratio(self) -> Option<f64> {
        (self.allowed > 0.0).then(|| (self.allowed - self.used) / self.allowed)
    }

    /// How much is left: negative when overspent.
    #[must_use]
    pub fn remaining(self) -> f64 {
        self.allowed - self.used
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn a_periods_budget_in_seconds_is_what_the_tables_say() {
        for (slo, days, seconds) in [
            ("0.999", 30, 2_592.0),
            ("0.999", 28, 2_419.2),
            ("0.9999", 30, 259.2),
            ("0.9995", 30, 1_296.0),
            ("0.99", 30, 25_920.0),
        ] {
            let period = Duration::from_secs(days * DAY);
            let minute = Duration::from_secs(60);
            let budget = Budget::of_slices(Counts::NONE, minute, period, target(slo));
            assert!((budget.allowed - seconds).abs() < 1e-6, "{slo} {days}: {}", budget.allowed);
        }
    }

    #[test]
    fn an_overspent_budget_is_negative() {
        let budget = Budget::of_events(Counts { good: 998, bad: 2 }, target("0.999"));
        assert_eq!(budget.remaining_ratio(), Some(-1.0));
        assert_eq!(budget.used_ratio(), Some(2.0));
    }

    #[test]
    fn without_events_nothing_is_known() {
        let budget = Budget::of_events(Counts::NONE, target("0.999"));
        assert_eq!(budget.remaining_ratio(), None);
    }

    proptest! {
        #[test]
        fn a_bad_event_never_makes_a_budget_grow(good in 0_u64..1_000_000, bad in 0_u64..1000) {
            let left = |bad| {
                Budget::of_events(Counts { good, bad }, target("0.999")).remaining_ratio()
            };
            prop_assert!(left(bad + 1) <= left(bad) || left(bad).is_none());
        }
    }
}
