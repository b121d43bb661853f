use std::time::Duration;

use super::Budget;

/// The quantile of the normal distribution for an interval of 90 %.
const Z: f64 = 1.644_853_626_951_472_2;

/// When a budget will be spent if things go on as in a window that was looked at, with an interval
/// that holds the truth in 90 % of cases if bad events come independently.
///
/// The rate of bad events has Garwood's exact Poisson interval (*Fiducial limits for the Poisson
/// distribution*, Biometrika 1936), by Wilson and Hilferty's approximation of χ² (*The distribution
/// of chi-square*, PNAS 1931), which is within 1 % from 3 events on. What a rolling window forgets
/// meanwhile is not counted: it would only make the budget last longer.
///
/// `None` is never.
///
/// ```
/// use std::time::Duration;
///
/// use model::slo::{Budget, Forecast};
///
/// let budget = Budget { allowed: 100.0, used: 40.0 };
/// let hour = Duration::from_secs(3600);
/// let forecast = Forecast::of(budget, 20.0, hour);
/// assert_eq!(forecast.likely, Some(3 * hour));
/// assert!(forecast.earliest < forecast.likely && forecast.likely < forecast.latest);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// At the rate that was seen.
    pub likely: Option<Duration>,
    /// At the highest rate of the interval.
    pub earliest: Option<Duration>,
    /// At the lowest.
    pub latest: Option<Duration>,
}

impl Forecast {
    /// From what is left, and how much was bad in a window, both in the budget's unit.
    #[must_use]
    pub fn of(budget: Budget, bad: f64, window: Duration) -> Self {
        if budget.allowed <= 0.0 {
            // Nothing has counted, so there is nothing to spend.
            return Self { likely: None, earliest: None, latest: None };
        }
        let remaining = budget.remaining();
        if remaining <= 0.0 {
            let now = Some(Duration::ZERO);
            return Self { likely: now, earliest: now, latest: now };
        }
        let after = |bad: f64| {
            let seconds = remaining / bad * window.as_secs_f64();
            Duration::try_from_secs_f64(seconds).ok().filter(|_| bad > 0.0)
        };
        // χ² with 2k degrees of freedom, halved, below; with 2k + 2, above.
        let lowest = if bad < 1.0 { 0.0 } else { chi_square(2.0 * bad, -Z) / 2.0 };
        let highest = chi_square(2.0 * bad + 2.0, Z) / 2.0;
        Self { likely: after(bad), earliest: after(highest), latest: after(lowest) }
    }
}

/// The quantile of χ² at that of the normal distribution.
fn chi_square(freedom: f64, z: f64) -> f64 {
    let ninth = 2.0 / (9.0 * freedom);
    freedom * (1.0 - ninth + z * ninth.sqrt()).powi(3).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn hours(time: Option<Duration>) -> f64 {
        time.unwrap().as_secs_f64() / 3600.0
    }

    #[test]
    fn what_nothing_was_allowed_of_is_not_spent() {
        let none = Budget { allowed: 0.0, used: 0.0 };
        assert_eq!(Forecast::of(none, 0.0, Duration::from_secs(3_600)).likely, None);
    }

    #[test]
    fn the_interval_is_garwoods() {
        // Exact 90 % limits for 10 events: 5.425 to 16.962 (Garwood's table).
        let forecast = Forecast::of(Budget { allowed: 100.0, used: 0.0 }, 10.0, HOUR);
        assert!((hours(forecast.likely) - 10.0).abs() < 1e-9);
        assert!((hours(forecast.earliest) - 100.0 / 16.962).abs() < 0.02);
        assert!((hours(forecast.latest) - 100.0 / 5.425).abs() < 0.1);
    }

    #[test]
    fn without_bad_events_there_is_only_an_earliest() {
        let forecast = Forecast::of(Budget { allowed: 100.0, used: 0.0 }, 0.0, HOUR);
        assert_eq!((forecast.likely, forecast.latest), (None, None));
        // Three events are not excluded by having seen none: −ln(0.05).
        assert!((hours(forecast.earliest) - 100.0 / 2.996).abs() < 0.7);
    }

    #[test]
    fn what_is_spent_is_spent_now() {
        let forecast = Forecast::of(Budget { allowed: 1.0, used: 2.0 }, 1.0, HOUR);
        assert_eq!(forecast.earliest, Some(Duration::ZERO));
        assert_eq!(forecast.latest, Some(Duration::ZERO));
    }
}
