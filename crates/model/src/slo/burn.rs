//! How fast a budget is spent, and what follows from it.

use std::time::Duration;

use super::{Counts, Target};

/// How many times faster than allowed the budget is spent: 1 spends all of it in just its period.
/// `None` without events.
///
/// `burn = (bad / total) / (1 − SLO)` (Site Reliability Workbook, chapter 5).
///
/// ```
/// use model::slo::{Counts, Target, burn};
///
/// let target: Target = "0.999".parse().unwrap();
/// // 10 requests with one failure burn at 100.
/// assert_eq!(burn(Counts { good: 9, bad: 1 }, target), Some(100.0));
/// assert_eq!(burn(Counts::NONE, target), None);
/// ```
#[must_use]
pub fn burn(counts: Counts, target: Target) -> Option<f64> {
    counts.bad_ratio().map(|ratio| ratio / target.budget_ratio())
}

/// The share of a period's budget that burning so fast for so long spends.
#[must_use]
pub fn spent(burn: f64, window: Duration, period: Duration) -> f64 {
    burn * window.as_secs_f64() / period.as_secs_f64()
}

/// How long after everything was well an alert over `window` fires, if from then on this share of
/// events is bad. `None` where it never does, as its window forgets faster.
#[must_use]
pub fn time_to_detect(
    error_ratio: f64,
    target: Target,
    window: Duration,
    threshold: f64,
) -> Option<Duration> {
    if error_ratio <= 0.0 {
        return None;
    }
    let seconds = target.budget_ratio() / error_ratio * window.as_secs_f64() * threshold;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= window).then_some(time)
}

/// How long after the last bad event an alert over `window` clears, if this share was bad for
/// `lasted`, and everything was well before. Zero if it did not fire.
#[must_use]
pub fn time_to_reset(
    error_ratio: f64,
    target: Target,
    window: Duration,
    threshold: f64,
    lasted: Duration,
) -> Duration {
    let Some(needed) = time_to_detect(error_ratio, target, window, threshold) else {
        return Duration::ZERO;
    };
    if lasted < needed {
        return Duration::ZERO;
    }
    // So much of the bad time must still be inside of the window.
    window - needed
}

/// How long a whole budget lasts at this burn. `None` where it never ends.
#[must_use]
pub fn time_to_exhaust(burn: f64, period: Duration) -> Option<Duration> {
    if burn <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(period.as_secs_f64() / burn).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const HOUR: Duration = Duration::from_secs(3600);
    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn about(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6 * other.abs().max(1.0)
    }

    #[test]
    fn the_workbooks_alerts_spend_two_five_and_ten_per_cent() {
        for (burn, hours, share) in
            [(14.4, 1, 0.02), (6.0, 6, 0.05), (1.0, 72, 0.10), (3.0, 24, 0.10)]
        {
            assert!(about(spent(burn, HOUR * hours, DAY * 30), share), "{burn}");
        }
    }

    #[test]
    fn a_budget_of_thirty_days_lasts_as_long_as_the_workbook_says() {
        for (burn, seconds) in
            [(1.0, 2_592_000.0), (2.0, 1_296_000.0), (10.0, 259_200.0), (1000.0, 2_592.0)]
        {
            let lasts = time_to_exhaust(burn, DAY * 30).unwrap().as_secs_f64();
            assert!(about(lasts, seconds), "{burn}: {lasts}");
        }
        assert_eq!(time_to_exhaust(0.0, DAY), None);
    }

    #[test]
    fn a_total_failure_is_found_within_a_minute() {
        let found = time_to_detect(1.0, target("0.999"), HOUR, 14.4).unwrap().as_secs_f64();
        assert!(about(found, 51.84), "{found}");
    }

    #[test]
    fn fifteen_per_cent_for_ten_minutes_fire_and_clear_when_the_formula_says() {
        let slo = target("0.999");
        let lasted = Duration::from_secs(600);
        for (window, fires, clears) in [(FIVE_MINUTES, 28.8, 271.2), (HOUR, 345.6, 3254.4)] {
            let fired = time_to_detect(0.15, slo, window, 14.4).unwrap().as_secs_f64();
            let cleared = time_to_reset(0.15, slo, window, 14.4, lasted).as_secs_f64();
            assert!(about(fired, fires) && about(cleared, clears), "{fired} {cleared}");
        }
    }

    #[test]
    fn an_alert_that_its_window_forgets_never_fires() {
        assert_eq!(time_to_detect(0.014, target("0.999"), HOUR, 14.4), None);
        assert_eq!(time_to_detect(1.0, target("0.9"), HOUR, 14.4), None);
        assert_eq!(time_to_detect(0.0, target("0.9"), HOUR, 1.0), None);
    }

    #[test]
    fn other_periods_have_other_thresholds() {
        // The burn that spends this share of the period's budget in that many hours.
        for (days, share, hours, burn) in [
            (28, 0.02, 1, 13.44),
            (28, 0.05, 6, 5.6),
            (28, 0.10, 24, 2.8),
            (28, 0.10, 72, 0.933_333),
            (7, 0.10, 1, 16.8),
            (7, 0.20, 6, 5.6),
            (7, 0.40, 24, 2.8),
            (90, 0.01, 1, 21.6),
            (90, 0.03, 6, 10.8),
            (90, 0.05, 24, 4.5),
        ] {
            assert!(about(spent(burn, HOUR * hours, DAY * days), share), "{days} {burn}");
        }
    }
}
