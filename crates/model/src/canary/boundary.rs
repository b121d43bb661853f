use super::{
    Level,
    failure_rate::{boundary, ln_evidence},
};

/// A bound on a sum of independent deviations that holds at every moment: Robbins' normal mixture.
///
/// `u(v) = √((v + ρ) · ln((v + ρ) / (ρ·α²)))`, where v is the variance that has come together, and ρ
/// says where the bound is tight (Howard, Ramdas, McAuliffe and Sekhon, *Time-uniform, nonparametric,
/// nonasymptotic confidence sequences*, Annals of Statistics 2021, equation 14). Two-sided: the sum
/// leaves ±u(v) ever with a chance of at most α.
///
/// ```
/// use model::canary::{Level, NormalMixture};
///
/// let mixture = NormalMixture::tuned(100.0, Level::FIVE_PER_CENT);
/// assert!((mixture.boundary(100.0, Level::FIVE_PER_CENT) - 30.35209).abs() < 1e-5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalMixture {
    rho: f64,
}

impl NormalMixture {
    /// Tight where so much variance, above 0, has come together:
    /// `ρ = v / (2·ln(1/α) + ln(1 + 2·ln(1/α)))` (the same paper, section 3.5).
    #[must_use]
    pub fn tuned(variance: f64, level: Level) -> Self {
        let twice = 2.0 * level.ln_threshold();
        Self { rho: variance / (twice + twice.ln_1p()) }
    }

    /// The parameter ρ.
    #[must_use]
    pub const fn rho(self) -> f64 {
        self.rho
    }

    /// The bound when so much variance has come together.
    #[must_use]
    pub fn boundary(self, variance: f64, level: Level) -> f64 {
        let sum = variance + self.rho;
        (sum * ((sum / self.rho).ln() + 2.0 * level.ln_threshold())).sqrt()
    }
}

/// Between which two the rate of a yes-or-no event is, at every moment: from `yes` of `total`, tight
/// after about `tuned_for` events.
///
/// For each rate p it is the evidence of a beta mixture around p itself: Beta(cp, c(1−p)) with c
/// chosen as [`NormalMixture::tuned`] does (the same paper, proposition 7). With no events it is all
/// of 0 to 1.
#[must_use]
pub fn bernoulli_interval(yes: u64, total: u64, tuned_for: f64, level: Level) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let (hits, misses) = (yes.min(total) as f64, (total - yes.min(total)) as f64);
    // ρ for the variance of the events, less that of one; at least a thousandth of an event.
    let weight = (NormalMixture::tuned(tuned_for, level).rho() - 1.0).max(1e-3);
    let refuted = |rate: f64| {
        // At the very ends there is no mixture: they are refuted by a single event.
        let rate = rate.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        let evidence = ln_evidence(weight * rate, weight * (1.0 - rate), hits, misses);
        evidence(rate) >= level.ln_threshold()
    };
    let seen = hits / total as f64;
    (boundary(seen, 0.0, refuted), boundary(seen, 1.0, refuted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Level = Level::FIVE_PER_CENT;

    #[test]
    fn the_normal_mixture_is_that_of_the_paper() {
        let mixture = NormalMixture::tuned(100.0, FIVE);
        assert!((mixture.rho() - 12.60056).abs() < 1e-5, "{}", mixture.rho());
        let bound = mixture.boundary(100.0, FIVE);
        assert!((bound - 30.35209).abs() < 1e-5, "{bound}");
    }

    #[test]
    fn seven_hundred_of_a_thousand_are_between_these() {
        let (low, high) = bernoulli_interval(700, 1_000, 100.0, FIVE);
        assert!((low - 0.651_629).abs() < 2e-6 && (high - 0.745_949).abs() < 2e-6, "{low} {high}");
    }

    #[test]
    fn an_interval_narrows_and_holds_what_was_seen() {
        assert_eq!(bernoulli_interval(0, 0, 100.0, FIVE), (0.0, 1.0));
        let (low, high) = bernoulli_interval(0, 100, 100.0, FIVE);
        assert!(low == 0.0 && high < 0.1, "{low} {high}");
        let (low, high) = bernoulli_interval(100, 100, 100.0, FIVE);
        assert!(low > 0.9 && high == 1.0, "{low} {high}");
        let mut width = 1.0;
        for events in [10, 100, 1_000, 10_000] {
            let (low, high) = bernoulli_interval(events / 2, events, 100.0, FIVE);
            assert!(low < 0.5 && high > 0.5 && high - low < width, "{low} {high}");
            width = high - low;
        }
    }
}
