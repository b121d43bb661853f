use super::{BadEvents, EValue, TrafficShare, special::ln_beta};

/// Whether the canary makes another share of the bad events than it has of the traffic, in either
/// direction.
///
/// Of n bad events k are the canary's, whose share of the traffic is θ₀:
/// `E = B(1+k, 1+n−k) / (B(1,1) · θ₀ᵏ · (1−θ₀)ⁿ⁻ᵏ)` (Lindon and Malek, *Anytime-valid inference for
/// multinomial count data*, NeurIPS 2022), with a uniform prior over the share. Where θ₀ changes, each
/// event counts with the share of its own time.
///
/// A *better* canary is rejected too, so this is not the test that decides: [`OneSided`](super::OneSided)
/// is.
///
/// ```
/// use model::canary::{BadEvents, TrafficShare, TwoSided};
///
/// let mut test = TwoSided::default();
/// test.observe(TrafficShare::new(0.1).unwrap(), BadEvents { canary: 2, stable: 0 });
/// assert!((test.e_value().value() - 33.333).abs() < 1e-3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TwoSided {
    seen: BadEvents,
    /// The logarithm of how likely they were if the sides are alike.
    ln_alike: f64,
}

impl TwoSided {
    /// Adds bad events of a time in which the canary had this share of the traffic.
    pub fn observe(&mut self, share: TrafficShare, bad: BadEvents) {
        self.seen.canary += bad.canary;
        self.seen.stable += bad.stable;
        self.ln_alike +=
            bad.canary as f64 * share.of_canary().ln() + bad.stable as f64 * share.of_stable().ln();
    }

    /// The evidence so far.
    #[must_use]
    pub fn e_value(&self) -> EValue {
        // B(1, 1) is 1.
        let differ = ln_beta(1.0 + self.seen.canary as f64, 1.0 + self.seen.stable as f64);
        EValue::from_ln(differ - self.ln_alike)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn e_value(share: f64, canary: u64, total: u64) -> f64 {
        let mut test = TwoSided::default();
        let bad = BadEvents { canary, stable: total - canary };
        test.observe(TrafficShare::new(share).unwrap(), bad);
        test.e_value().value()
    }

    #[test]
    fn it_is_worth_what_the_formula_says() {
        for (share, canary, total, expected) in [
            (0.5, 7, 7, 16.0),
            (0.5, 8, 8, 28.444),
            (0.5, 0, 8, 28.444),
            (0.2, 18, 40, 111.214),
            (0.2, 16, 40, 12.539),
            (0.2, 3, 3, 31.25),
            (0.1, 2, 2, 33.333),
        ] {
            let value = e_value(share, canary, total);
            assert!((value - expected).abs() < 1e-3, "{canary} of {total} at {share}: {value}");
        }
    }

    proptest! {
        /// What the next event may bring is worth, on average, what there is: so nobody can expect to
        /// win, whatever the share is at that time.
        #[test]
        fn it_is_a_fair_bet_where_the_sides_are_alike(
            before in prop::collection::vec((0.01_f64..0.99, any::<bool>()), 0..30),
            next in 0.01_f64..0.99,
        ) {
            let mut test = TwoSided::default();
            for (share, canary) in before {
                let bad = if canary { BadEvents::CANARY } else { BadEvents::STABLE };
                test.observe(TrafficShare::new(share).unwrap(), bad);
            }
            let now = test.e_value().value();
            let after = |bad| {
                let mut test = test;
                test.observe(TrafficShare::new(next).unwrap(), bad);
                test.e_value().value()
            };
            let expected = next * after(BadEvents::CANARY) + (1.0 - next) * after(BadEvents::STABLE);
            prop_assert!((expected - now).abs() < 1e-9 * now);
        }
    }
}
