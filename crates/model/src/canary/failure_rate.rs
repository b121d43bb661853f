use super::{Level, special::ln_beta};
use crate::slo::Counts;

/// Halvings of an interval within (0, 1): more than floating point has digits.
const HALVINGS: u32 = 60;

/// What is believed about a failure rate before anything was seen, as a beta distribution, and thereby
/// a bound on it that holds **at every moment**: a confidence sequence.
///
/// A rate p is refuted once `B(a+k, b+n−k) / (B(a,b) · pᵏ · (1−p)ⁿ⁻ᵏ)` reaches 1/α, for k failures
/// of n (Robbins, *Statistical methods related to the law of the iterated logarithm*, Annals of
/// Mathematical Statistics 1970; Howard, Ramdas, McAuliffe and Sekhon, *Time-uniform,
/// nonparametric, nonasymptotic confidence sequences*, Annals of Statistics 2021). The prior says
/// where the bound is tight, never whether it holds.
///
/// The bound of one look, 3/n after n requests without a failure ("the rule of three"), does **not** hold
/// while looking: it needs 2,995 requests to show 0.1 %, and errs more often than in 5 %.
///
/// ```
/// use model::{canary::{Level, Prior}, slo::Counts};
///
/// let clean = Counts { good: 100, bad: 0 };
/// let bound = Prior::UNIFORM.upper_bound(clean, Level::FIVE_PER_CENT);
/// assert!((bound - 0.073).abs() < 0.001); // 7.3 / n
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    failures: f64,
    successes: f64,
}

impl Prior {
    /// Every rate is as likely: Beta(1, 1). 7.3/n after 100 requests without a failure.
    pub const UNIFORM: Self = Self { failures: 1.0, successes: 1.0 };

    /// Most rates are small: Beta(0.13, 1), whose density falls with p^−0.87. 3.6/n after 100 requests
    /// without a failure. Tighter than [`UNIFORM`](Self::UNIFORM) for rates below about 10 %, and wider
    /// above.
    pub const RARE_FAILURES: Self = Self { failures: 0.13, successes: 1.0 };

    /// As if so many failures and successes, both above 0, had been seen before. `None` where one is
    /// not.
    #[must_use]
    pub fn new(failures: f64, successes: f64) -> Option<Self> {
        let counts = |it: f64| it > 0.0 && it.is_finite();
        (counts(failures) && counts(successes)).then_some(Self { failures, successes })
    }

    /// The highest failure rate that these requests do not refute; 1 where there are none.
    #[must_use]
    pub fn upper_bound(self, requests: Counts, level: Level) -> f64 {
        let (failed, served) = (requests.bad as f64, requests.good as f64);
        let Some(seen) = requests.bad_ratio() else { return 1.0 };
        let evidence = ln_evidence(self.failures, self.successes, failed, served);
        boundary(seen, 1.0, |rate| evidence(rate) >= level.ln_threshold())
    }

    /// How many requests without a failure show that the rate is at most this, above 0 and below 1.
    /// `None` where it is not.
    #[must_use]
    pub fn clean_requests_needed(self, rate: f64, level: Level) -> Option<u64> {
        if !(rate > 0.0 && rate < 1.0) {
            return None;
        }
        let shown = |requests: u64| {
            let evidence = ln_evidence(self.failures, self.successes, 0.0, requests as f64);
            evidence(rate) >= level.ln_threshold()
        };
        // What few requests refute, more do.
        let most = (0..u64::BITS - 1).map(|power| 1 << power).find(|most| shown(*most))?;
        let (mut too_few, mut enough) = (most / 2, most);
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            if shown(middle) { enough = middle } else { too_few = middle }
        }
        Some(enough)
    }
}

/// The logarithm of the evidence against a rate, for a prior and what was seen.
pub(super) fn ln_evidence(a: f64, b: f64, failed: f64, served: f64) -> impl Fn(f64) -> f64 {
    let mixture = ln_beta(a + failed, b + served) - ln_beta(a, b);
    move |rate| {
        // What never happened says nothing, also at a rate of 0 or 1.
        let part = |count: f64, ln: f64| if count > 0.0 { count * ln } else { 0.0 };
        mixture - part(failed, rate.ln()) - part(served, (-rate).ln_1p())
    }
}

/// Between a rate that was seen and an end, where it begins to be refuted; the end if it is not.
pub(super) fn boundary(seen: f64, end: f64, refuted: impl Fn(f64) -> bool) -> f64 {
    if !refuted(end) {
        return end;
    }
    let (mut possible, mut outside) = (seen, end);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(possible, outside);
        if refuted(middle) { outside = middle } else { possible = middle }
    }
    outside
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIVE: Level = Level::FIVE_PER_CENT;

    fn clean(good: u64) -> Counts {
        Counts { good, bad: 0 }
    }

    #[test]
    fn after_a_hundred_clean_requests_it_is_what_the_prior_says() {
        for (prior, times_n) in [(Prior::UNIFORM, 7.3), (Prior::RARE_FAILURES, 3.6)] {
            let bound = prior.upper_bound(clean(100), FIVE) * 100.0;
            assert!((bound - times_n).abs() < 0.05, "{prior:?}: {bound}");
        }
    }

    #[test]
    fn so_many_clean_requests_show_one_failure_in_a_thousand() {
        for (prior, exact, stated) in
            [(Prior::UNIFORM, 12_417, 12_450), (Prior::RARE_FAILURES, 4_139, 4_150)]
        {
            assert_eq!(prior.clean_requests_needed(0.001, FIVE), Some(exact));
            // Stated in steps of 50 requests.
            assert_eq!(exact.next_multiple_of(50), stated);
            assert!(prior.upper_bound(clean(stated), FIVE) <= 0.001);
            assert!(prior.upper_bound(clean(stated - 50), FIVE) > 0.001);
        }
        assert_eq!(Prior::UNIFORM.clean_requests_needed(0.0, FIVE), None);
    }

    #[test]
    fn each_prior_is_tight_where_it_expects_the_rate() {
        let bounds = |good, bad| {
            let counts = Counts { good, bad };
            [Prior::UNIFORM, Prior::RARE_FAILURES].map(|prior| prior.upper_bound(counts, FIVE))
        };
        let [uniform, rare] = bounds(990, 10);
        assert!(rare < uniform, "{rare} {uniform}");
        let [uniform, rare] = bounds(700, 300);
        assert!(rare > uniform, "{rare} {uniform}");
    }

    #[test]
    fn the_bound_of_one_look_is_too_small() {
        // (1 − 0.001)ⁿ ≤ 0.05 from 2,995 on: ln 20 / 0.001, the rule of three.
        let one_look = (0.05_f64.ln() / (-0.001_f64).ln_1p()).ceil();
        assert_eq!(one_look, 2_995.0);
        for prior in [Prior::UNIFORM, Prior::RARE_FAILURES] {
            assert!(prior.upper_bound(clean(2_995), FIVE) > 0.001);
        }
    }

    #[test]
    fn without_requests_nothing_is_known_and_where_all_fail_neither() {
        assert_eq!(Prior::UNIFORM.upper_bound(Counts::NONE, FIVE), 1.0);
        assert_eq!(Prior::UNIFORM.upper_bound(Counts { good: 0, bad: 50 }, FIVE), 1.0);
    }

    proptest! {
        #[test]
        fn a_failure_never_lowers_it_and_what_was_seen_is_within(
            good in 0_u64..100_000, bad in 0_u64..1_000,
        ) {
            for prior in [Prior::UNIFORM, Prior::RARE_FAILURES] {
                let bound = |bad| prior.upper_bound(Counts { good, bad }, FIVE);
                let seen = Counts { good, bad }.bad_ratio().unwrap_or_default();
                prop_assert!((seen..=1.0).contains(&bound(bad)));
                prop_assert!(bound(bad + 1) >= bound(bad));
            }
        }
    }
}
