use std::sync::LazyLock;

use super::{BadEvents, EValue, TrafficShare, e_value::ln_sum_exp};

/// The greatest rate ratio that is thought of. A canary that is worse still is found all the same.
const GREATEST_RATIO: f64 = 30.0;

/// How many rate ratios are thought of, and so how much work an event is: at 128 they are 2.7 % apart.
///
/// The mixture of any finite number of them is a fair bet itself, so too few would cost power and
/// never the level. With these the value is within 1 % of the integral's for the first ten thousand
/// events, and within a factor of 3 for the first hundred thousand.
const NODES: usize = 128;

/// The rate ratios that are thought of, as ln r and r − 1: the middles of equal parts of (0, ln 30].
static RATIOS: LazyLock<[(f64, f64); NODES]> = LazyLock::new(|| {
    std::array::from_fn(|node| {
        let ln_ratio = (node as f64 + 0.5) / NODES as f64 * GREATEST_RATIO.ln();
        (ln_ratio, ln_ratio.exp_m1())
    })
});

/// Whether the canary is **worse**: whether it makes more of the bad events than its share of the
/// traffic explains.
///
/// If bad events come r times as often from a canary's request as from a stable one's, its part of them
/// is `θ(r) = θ₀r / (1 − θ₀ + θ₀r)`. The evidence is how much more likely the events are under r than
/// under 1, averaged over ln r, uniform in (0, ln 30]. (The method of mixtures, as in Lindon and
/// Malek, NeurIPS 2022, with the prior on one side; what it is worth per event is Wald's likelihood
/// ratio.) A canary that is better than the other side is never rejected for that.
///
/// Each event costs 128 logarithms; memory is 1 KB.
///
/// ```
/// use model::canary::{BadEvents, Level, OneSided, TrafficShare};
///
/// let mut test = OneSided::default();
/// let tenth = TrafficShare::new(0.1).unwrap();
/// // A canary with a tenth of the traffic made both of the first two bad events.
/// test.observe(tenth, BadEvents::CANARY);
/// assert!(!test.e_value().rejects_at(Level::FIVE_PER_CENT));
/// test.observe(tenth, BadEvents::CANARY);
/// assert!(test.e_value().rejects_at(Level::FIVE_PER_CENT));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OneSided {
    /// For each rate ratio, how much more likely the events are under it than under 1, as a logarithm.
    ln_likelihood_ratios: Box<[f64; NODES]>,
}

impl Default for OneSided {
    fn default() -> Self {
        Self { ln_likelihood_ratios: Box::new([0.0; NODES]) }
    }
}

impl OneSided {
    /// Adds bad events of a time in which the canary had this share of the traffic.
    pub fn observe(&mut self, share: TrafficShare, bad: BadEvents) {
        for (sum, (ln_ratio, excess)) in self.ln_likelihood_ratios.iter_mut().zip(&*RATIOS) {
            // θ(r)/θ₀ = r/d and (1−θ(r))/(1−θ₀) = 1/d, with d = 1 − θ₀ + θ₀r = 1 + θ₀(r − 1).
            let ln_divisor = (share.of_canary() * excess).ln_1p();
            *sum += bad.canary as f64 * ln_ratio - bad.total() * ln_divisor;
        }
    }

    /// The evidence so far.
    #[must_use]
    pub fn e_value(&self) -> EValue {
        let sum = ln_sum_exp(self.ln_likelihood_ratios.iter().copied());
        EValue::from_ln(sum - (NODES as f64).ln())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(share: f64) -> TrafficShare {
        TrafficShare::new(share).unwrap()
    }

    fn ln_e_value(theta: f64, canary: u64, total: u64) -> f64 {
        let mut test = OneSided::default();
        test.observe(share(theta), BadEvents { canary, stable: total - canary });
        test.e_value().ln()
    }

    /// The integral, with so many nodes that it has settled.
    fn ln_integral(theta: f64, canary: u64, total: u64) -> f64 {
        const FINE: u32 = 100_000;
        let terms = (0..FINE).map(|node| {
            let ln_ratio = (f64::from(node) + 0.5) / f64::from(FINE) * 30.0_f64.ln();
            let divisor = 1.0 - theta + theta * ln_ratio.exp();
            canary as f64 * ln_ratio - total as f64 * divisor.ln()
        });
        ln_sum_exp(terms) - f64::from(FINE).ln()
    }

    #[test]
    fn two_of_two_at_a_tenth_are_worth_just_over_twenty() {
        let value = ln_e_value(0.1, 2, 2).exp();
        assert!((value - 20.34).abs() < 0.01, "{value}");
    }

    #[test]
    fn a_better_canary_is_not_rejected() {
        assert!(ln_e_value(0.5, 0, 8).exp() < 0.1);
        assert!(ln_e_value(0.5, 0, 10_000).exp() < 0.1);
    }

    #[test]
    fn so_many_nodes_are_as_good_as_the_integral() {
        for (theta, canary, total, within) in [
            (0.1, 2, 2, 1e-3),
            (0.5, 7, 7, 1e-3),
            (0.2, 18, 40, 1e-3),
            (0.1, 170, 1_000, 1e-3),
            (0.5, 600, 1_000, 1e-3),
            (0.1, 1_000, 10_000, 1e-2),
            (0.5, 5_000, 10_000, 1e-2),
            (0.5, 5_300, 10_000, 1e-2),
            (0.1, 16_000, 100_000, 1.1),
            (0.5, 52_000, 100_000, 1.1),
        ] {
            let off = ln_e_value(theta, canary, total) - ln_integral(theta, canary, total);
            assert!(off.abs() < within, "{canary} of {total} at {theta}: {off}");
        }
    }

    #[test]
    fn a_million_events_stay_in_range() {
        let certain = ln_e_value(0.5, 1_000_000, 1_000_000);
        assert!(certain.is_finite() && certain > 100_000.0, "{certain}");
        let never = ln_e_value(0.5, 0, 1_000_000);
        assert!(never.is_finite() && never < 0.0, "{never}");
    }

    proptest! {
        #[test]
        fn it_is_a_fair_bet_where_the_sides_are_alike(
            before in prop::collection::vec((0.01_f64..0.99, any::<bool>()), 0..30),
            next in 0.01_f64..0.99,
        ) {
            let mut test = OneSided::default();
            for (theta, canary) in before {
                test.observe(share(theta), if canary { BadEvents::CANARY } else { BadEvents::STABLE });
            }
            let now = test.e_value().value();
            let after = |bad| {
                let mut test = test.clone();
                test.observe(share(next), bad);
                test.e_value().value()
            };
            let expected = next * after(BadEvents::CANARY) + (1.0 - next) * after(BadEvents::STABLE);
            prop_assert!((expected - now).abs() < 1e-9 * now);
        }

        #[test]
        fn one_by_one_and_together_are_the_same(events in prop::collection::vec(any::<bool>(), 0..200)) {
            let mut one_by_one = OneSided::default();
            let mut sum = BadEvents::default();
            for canary in events {
                let bad = if canary { BadEvents::CANARY } else { BadEvents::STABLE };
                one_by_one.observe(share(0.2), bad);
                sum = BadEvents { canary: sum.canary + bad.canary, stable: sum.stable + bad.stable };
            }
            let mut together = OneSided::default();
            together.observe(share(0.2), sum);
            prop_assert!((one_by_one.e_value().ln() - together.e_value().ln()).abs() < 1e-9);
        }
    }
}
