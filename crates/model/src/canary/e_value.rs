/// The chance of a wrong decision that is accepted, over all looks together: above 0 and below 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Level(f64);

impl Level {
    /// 0.05: decisions are taken from an e-value of 20 on.
    pub const FIVE_PER_CENT: Self = Self(0.05);

    /// `None` where it is no such chance.
    #[must_use]
    pub fn new(chance: f64) -> Option<Self> {
        (chance > 0.0 && chance < 1.0).then_some(Self(chance))
    }

    /// The chance.
    #[must_use]
    pub const fn chance(self) -> f64 {
        self.0
    }

    /// `ln(1/α)`: the logarithm of the e-value at which is decided.
    pub(super) fn ln_threshold(self) -> f64 {
        -self.0.ln()
    }
}

/// Evidence against "the canary is no worse": a bet that is worth 1 at first, and that nobody can
/// expect to win where that is true. So it ever reaches 1/α with a chance of at most α (Ville's
/// inequality), however often one looks.
///
/// Kept as its logarithm, as thousands of events take it out of the range of floating point.
///
/// ```
/// use model::canary::{EValue, Level};
///
/// // The value of one test; another has seen nothing. Together they are worth half.
/// let [errors, slowness] = [EValue::new(30.0), EValue::new(1.0)];
/// assert!(errors.rejects_at(Level::FIVE_PER_CENT));
/// assert!(!EValue::mean(&[errors, slowness]).rejects_at(Level::FIVE_PER_CENT));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct EValue {
    ln: f64,
}

impl EValue {
    /// That of a test that has seen nothing.
    pub const NONE: Self = Self { ln: 0.0 };

    /// From its value, at least 0.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self::from_ln(value.ln())
    }

    /// From its logarithm.
    #[must_use]
    pub const fn from_ln(ln: f64) -> Self {
        Self { ln }
    }

    /// Its natural logarithm.
    #[must_use]
    pub const fn ln(self) -> f64 {
        self.ln
    }

    /// The value: infinite where it is above what floating point holds.
    #[must_use]
    pub fn value(self) -> f64 {
        self.ln.exp()
    }

    /// Whether it is 1/α or more. Once it was, that stands: evidence that shrinks later does not
    /// undo a decision.
    #[must_use]
    pub fn rejects_at(self, level: Level) -> bool {
        self.ln >= level.ln_threshold()
    }

    /// What several tests are worth together: their mean, which keeps the level whatever depends on
    /// what (Vovk and Wang, *E-values: calibration, combination and applications*, Annals of
    /// Statistics 2021). To reject where any of them does would add their levels up.
    ///
    /// Without tests it is [`NONE`](Self::NONE).
    #[must_use]
    pub fn mean(tests: &[Self]) -> Self {
        if tests.is_empty() {
            return Self::NONE;
        }
        let sum = ln_sum_exp(tests.iter().map(|test| test.ln));
        Self::from_ln(sum - (tests.len() as f64).ln())
    }
}

/// `ln Σ exp(xᵢ)`, without leaving the range of floating point.
pub(super) fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let greatest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if greatest.is_infinite() {
        return greatest;
    }
    greatest + terms.map(|term| (term - greatest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_five_per_cent_it_takes_twenty() {
        assert!(EValue::new(20.0).rejects_at(Level::FIVE_PER_CENT));
        assert!(!EValue::new(19.9).rejects_at(Level::FIVE_PER_CENT));
        assert_eq!([Level::new(0.0), Level::new(1.0), Level::new(f64::NAN)], [None; 3]);
    }

    #[test]
    fn several_tests_are_worth_their_mean_also_out_of_range() {
        let mean = EValue::mean(&[EValue::new(40.0), EValue::new(2.0)]);
        assert!((mean.value() - 21.0).abs() < 1e-9);
        assert_eq!(EValue::mean(&[]), EValue::NONE);
        let huge = EValue::from_ln(5_000.0);
        assert!((EValue::mean(&[huge, EValue::NONE]).ln() - (5_000.0 - 2.0_f64.ln())).abs() < 1e-9);
        assert_eq!(EValue::mean(&[EValue::new(0.0), EValue::new(0.0)]).value(), 0.0);
    }
}
