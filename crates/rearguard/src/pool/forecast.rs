//! When a pool will be exhausted, if it goes on as it does.
//!
//! A straight line by least squares through how many were in use (Draper and Smith, *Applied
//! Regression Analysis*, chapter 1). Pure arithmetic: times are arguments.

use std::{fmt, time::Duration};

/// Fewer samples make no forecast.
pub const FORECAST_MIN_SAMPLES: usize = 10;

/// A slope counts as a trend from this many of its standard errors on: about 95 % of lines through
/// mere noise stay below, if the samples' errors are independent.
pub const FORECAST_ERRORS: f64 = 2.0;

/// How many connections were in use at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, from any beginning that all samples share.
    pub at: Duration,
    /// How many.
    pub in_use: usize,
}

/// Where the use of a pool goes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// By how many the connections in use grow in a second; below zero where they shrink.
    pub slope_per_second: f64,
    /// The standard error of the slope.
    pub slope_error_per_second: f64,
    /// How many are in use by the line at the last sample.
    pub level: f64,
    /// What part of the samples' variance the line explains, 0 to 1: how far to trust it. 1 where they
    /// do not vary.
    pub confidence_ratio: f64,
    /// In how long the line reaches the limit. `None` where it does not rise by more than
    /// [`FORECAST_ERRORS`], or later than a [`Duration`] can say.
    pub exhausted_in: Option<Duration>,
    /// From how many samples.
    pub samples: usize,
}

/// There is too little for a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewSamples {
    /// How many there are, at different times.
    pub have: usize,
    /// How many it needs.
    pub need: usize,
}

impl fmt::Display for TooFewSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples of {} that a forecast needs", self.have, self.need)
    }
}

impl std::error::Error for TooFewSamples {}

/// Forecasts when `limit` connections are in use.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::pool::{Sample, forecast};
///
/// // One more in use each second.
/// let samples: Vec<_> =
///     (0..10).map(|n| Sample { at: Duration::from_secs(n), in_use: n as usize }).collect();
/// let forecast = forecast(&samples, 20)?;
/// assert!((forecast.slope_per_second - 1.0).abs() < 1e-9);
/// assert_eq!(forecast.exhausted_in.map(|left| left.as_secs_f64().round()), Some(11.0));
/// # Ok::<(), rearguard::pool::TooFewSamples>(())
/// ```
///
/// # Errors
/// Where there are fewer than [`FORECAST_MIN_SAMPLES`], or all are of one time.
pub fn forecast(samples: &[Sample], limit: usize) -> Result<Forecast, TooFewSamples> {
    let too_few = |have| TooFewSamples { have, need: FORECAST_MIN_SAMPLES };
    let (Some(first), count) = (samples.first(), samples.len() as f64) else {
        return Err(too_few(0));
    };
    if samples.len() < FORECAST_MIN_SAMPLES {
        return Err(too_few(samples.len()));
    }
    // From the first sample on, so that a late beginning costs no digits.
    let points = || {
        samples.iter().map(|sample| {
            let (at, from) = (sample.at.as_secs_f64(), first.at.as_secs_f64());
            (at - from, sample.in_use as f64)
        })
    };
    let mean_x = points().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points().map(|(_, y)| y).sum::<f64>() / count;
    let sum_xx = points().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let sum_xy = points().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let sum_yy = points().map(|(_, y)| (y - mean_y).powi(2)).sum::<f64>();
    if sum_xx <= 0.0 {
        return Err(too_few(1));
    }
    let slope = sum_xy / sum_xx;
    let left_over = (sum_yy - slope * sum_xy).max(0.0);
    let slope_error = (left_over / (count - 2.0) / sum_xx).sqrt();
    let last_x = points().map(|(x, _)| x).fold(f64::MIN, f64::max);
    let level = mean_y + slope * (last_x - mean_x);
    let rises = slope > 0.0 && slope > FORECAST_ERRORS * slope_error;
    let left = ((limit as f64 - level) / slope).max(0.0);
    Ok(Forecast {
        slope_per_second: slope,
        slope_error_per_second: slope_error,
        level,
        confidence_ratio: if sum_yy > 0.0 { 1.0 - left_over / sum_yy } else { 1.0 },
        exhausted_in: if rises { Duration::try_from_secs_f64(left).ok() } else { None },
        samples: samples.len(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn line(start: f64, slope: f64, from: u64, count: u64) -> Vec<Sample> {
        (0..count)
            .map(|n| Sample {
                at: Duration::from_secs(from + n),
                in_use: (start + slope * n as f64).round().max(0.0) as usize,
            })
            .collect()
    }

    #[test]
    fn too_few_samples_or_all_of_one_time_are_no_forecast() {
        assert_eq!(forecast(&[], 5), Err(TooFewSamples { have: 0, need: 10 }));
        assert_eq!(forecast(&line(0.0, 1.0, 0, 9), 5), Err(TooFewSamples { have: 9, need: 10 }));
        let at_once = [Sample { at: Duration::from_secs(3), in_use: 2 }; 20];
        assert_eq!(forecast(&at_once, 5), Err(TooFewSamples { have: 1, need: 10 }));
    }

    #[test]
    fn a_pool_that_is_past_its_limit_is_exhausted_now() {
        let forecast = forecast(&line(0.0, 1.0, 0, 20), 5).unwrap();
        assert_eq!(forecast.exhausted_in, Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn a_rising_line_is_told_to_the_second(
            start in 0_u32..50, slope in 1_u32..20, from in 0..10_000_000_u64, count in 10..60_u64,
        ) {
            let samples = line(f64::from(start), f64::from(slope), from, count);
            let limit = 5_000;
            let forecast = forecast(&samples, limit).unwrap();
            prop_assert!((forecast.slope_per_second - f64::from(slope)).abs() < 1e-6);
            prop_assert!((forecast.confidence_ratio - 1.0).abs() < 1e-6);
            let last = samples[samples.len() - 1].in_use;
            let expected = (limit - last) as f64 / f64::from(slope);
            prop_assert!((forecast.exhausted_in.unwrap().as_secs_f64() - expected).abs() < 1e-3);
        }

        #[test]
        fn a_line_that_does_not_rise_exhausts_nothing(
            start in 0_u32..50, fall in 0_u32..3, count in 10..60_u64,
        ) {
            let samples = line(f64::from(start), -f64::from(fall), 0, count);
            prop_assert_eq!(forecast(&samples, 100).unwrap().exhausted_in, None);
        }

        #[test]
        fn any_samples_give_finite_numbers(
            points in vec((0..u64::MAX / 2, 0..usize::MAX / 2), 10..80), limit in 0..usize::MAX / 2,
        ) {
            let samples: Vec<_> = points
                .into_iter()
                .map(|(nanos, in_use)| Sample { at: Duration::from_nanos(nanos), in_use })
                .collect();
            if let Ok(forecast) = forecast(&samples, limit) {
                prop_assert!(forecast.slope_per_second.is_finite());
                prop_assert!(forecast.slope_error_per_second.is_finite());
                prop_assert!(forecast.level.is_finite());
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&forecast.confidence_ratio));
            }
        }

        #[test]
        fn another_beginning_of_time_changes_nothing(
            counts in vec(0..100_usize, 10..60), from in 0..1_000_000_u64,
        ) {
            let samples = |from: u64| -> Vec<_> {
                (from..).zip(&counts)
                    .map(|(at, in_use)| Sample { at: Duration::from_secs(at), in_use: *in_use })
                    .collect()
            };
            let (one, other) = (forecast(&samples(0), 200).unwrap(), forecast(&samples(from), 200).unwrap());
            prop_assert!((one.slope_per_second - other.slope_per_second).abs() < 1e-9);
            prop_assert!((one.level - other.level).abs() < 1e-6);
        }

        #[test]
        fn noise_around_a_level_is_seldom_a_trend(seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let trends = (0..200).filter(|_| {
                let samples: Vec<_> = (0..60)
                    .map(|at| Sample { at: Duration::from_secs(at), in_use: random.usize(40..60) })
                    .collect();
                forecast(&samples, 100).unwrap().exhausted_in.is_some()
            });
            // 2.5 % are expected: the other 2.5 % fall.
            prop_assert!(trends.count() < 20);
        }
    }
}
