use std::time::Duration;

use crate::slo::Budget;

/// How many requests may fail until something is done: weight × rate × time × the failure rate.
///
/// ```
/// use std::time::Duration;
///
/// use model::canary::exposed;
///
/// // 5 % of 100 requests/s, all of which fail, for ten checks a minute apart.
/// assert_eq!(exposed(0.05, 100.0, Duration::from_secs(600), 1.0), 3_000.0);
/// ```
#[must_use]
pub fn exposed(weight: f64, requests_per_second: f64, time: Duration, failure_rate: f64) -> f64 {
    weight * requests_per_second * time.as_secs_f64() * failure_rate
}

/// The most by which a weight may grow, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The share of the traffic that a step adds, 0 to 1.
    pub step: f64,
    /// The time between two steps.
    pub interval: Duration,
}

/// How a canary may grow: what may fail until the next decision is bounded, and so is the pace.
///
/// The risk says how much a canary of which nothing is known yet may do: at 100 requests/s, if a decision
/// takes 5 s and 25 requests may fail, it gets 5 %. At 10 requests/s the same rule gives 50 % at once,
/// so a pace holds it too. The undo of a rollout is traffic that moves as well: it obeys the same rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The most requests that may fail until the next decision.
    pub most_failed: f64,
    /// The most of the remaining budget that may be spent until then, 0 to 1.
    pub most_of_budget: f64,
    /// How long it takes from a failure to the weight that follows from it.
    pub reaction: Duration,
    /// How fast it grows even if all is well.
    pub pace: Pace,
}

/// Whether the canary is known to be good enough already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is not: the pace holds.
    Open,
    /// It is, so it need not wait for the pace. What may fail stays bounded.
    Shown,
}

/// How things stand when the next weight is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// The canary's present weight, 0 to 1.
    pub weight: f64,
    /// How long it has had that; for the first weight at least the pace's interval.
    pub since_step: Duration,
    /// Requests to both sides.
    pub requests_per_second: f64,
    /// The highest rate at which the canary may fail: a bound that holds at every moment, such as
    /// [`Prior::upper_bound`](super::Prior::upper_bound). 1 when nothing is known.
    pub failure_bound: f64,
    /// What is left of the service's error budget, in events.
    pub budget: Budget,
    /// Whether it is good enough.
    pub proof: Proof,
}

/// What holds a weight where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// More would put more requests at risk than may be.
    Risk,
    /// Its time has not come.
    Pace,
    /// Nothing comes, so nothing is learned: it does not grow.
    NoTraffic,
    /// Nothing: it has all of the traffic.
    Nothing,
}

/// The next weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The canary's weight, 0 to 1. Below the present one where that has become too great a risk.
    pub weight: f64,
    /// Why not more.
    pub held_by: HeldBy,
}

impl Growth {
    /// How many requests may fail until the next decision; none where the budget is overspent.
    #[must_use]
    pub fn allowed(&self, budget: Budget) -> f64 {
        (budget.remaining() * self.most_of_budget).min(self.most_failed).max(0.0)
    }

    /// The weight that the canary may have now.
    #[must_use]
    pub fn next(&self, situation: &Situation) -> Step {
        let Situation { weight: now, requests_per_second: rate, .. } = *situation;
        if rate <= 0.0 {
            return Step { weight: now, held_by: HeldBy::NoTraffic };
        }
        let of_all = exposed(1.0, rate, self.reaction, situation.failure_bound);
        let allowed = self.allowed(situation.budget);
        let risk = if of_all <= allowed { 1.0 } else { allowed / of_all };
        let pace = match situation.proof {
            Proof::Shown => 1.0,
            Proof::Open if situation.since_step < self.pace.interval => now,
            Proof::Open => (now + self.pace.step).min(1.0),
        };
        let held_by = match (risk < pace, pace < 1.0) {
            (true, _) => HeldBy::Risk,
            (false, true) => HeldBy::Pace,
            (false, false) => HeldBy::Nothing,
        };
        Step { weight: risk.min(pace), held_by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canary::{Level, Prior},
        slo::{Counts, Target},
    };

    const BUDGET: Budget = Budget { allowed: 259_200.0, used: 0.0 };

    fn growth(step: f64) -> Growth {
        Growth {
            most_failed: 25.0,
            most_of_budget: 0.1,
            reaction: Duration::from_secs(5),
            pace: Pace { step, interval: Duration::from_secs(300) },
        }
    }

    /// After so many clean requests of the canary, at a rate, with its time come.
    fn situation(clean: u64, requests_per_second: f64) -> Situation {
        let seen = Counts { good: clean, bad: 0 };
        Situation {
            weight: 0.0,
            since_step: Duration::from_secs(300),
            requests_per_second,
            failure_bound: Prior::UNIFORM.upper_bound(seen, Level::FIVE_PER_CENT),
            budget: BUDGET,
            proof: Proof::Open,
        }
    }

    #[test]
    fn the_first_weight_is_what_may_fail_before_anybody_reacts() {
        let step = growth(0.5).next(&situation(0, 100.0));
        assert_eq!(step, Step { weight: 0.05, held_by: HeldBy::Risk });
    }

    #[test]
    fn after_clean_requests_the_pace_holds_it_and_not_the_risk() {
        let after = situation(100, 100.0);
        assert!((after.failure_bound - 0.073).abs() < 0.001);
        // Without a pace, 25 / (100 × 5 × 7.3 %).
        let step = growth(1.0).next(&after);
        assert!((step.weight - 0.682).abs() < 0.001 && step.held_by == HeldBy::Risk, "{step:?}");
        let after = Situation { weight: 0.9, ..situation(400, 100.0) };
        let step = growth(0.05).next(&after);
        assert!((step.weight - 0.95).abs() < 1e-9 && step.held_by == HeldBy::Pace, "{step:?}");
        assert_eq!(growth(1.0).next(&after), Step { weight: 1.0, held_by: HeldBy::Nothing });
    }

    #[test]
    fn at_little_traffic_the_pace_holds_what_the_risk_would_allow() {
        let first = situation(0, 10.0);
        assert_eq!(growth(1.0).next(&first), Step { weight: 0.5, held_by: HeldBy::Risk });
        assert_eq!(growth(0.1).next(&first), Step { weight: 0.1, held_by: HeldBy::Pace });
        let early = Situation { weight: 0.1, since_step: Duration::from_secs(299), ..first };
        assert_eq!(growth(0.1).next(&early), Step { weight: 0.1, held_by: HeldBy::Pace });
    }

    #[test]
    fn early_promotion_overrides_the_pace_and_never_the_exposure() {
        let shown = Situation { proof: Proof::Shown, ..situation(400, 100.0) };
        assert_eq!(growth(0.1).next(&shown).weight, 1.0);
        let risky = Situation { failure_bound: 1.0, ..shown };
        assert_eq!(growth(0.1).next(&risky), Step { weight: 0.05, held_by: HeldBy::Risk });
    }

    #[test]
    fn a_small_budget_allows_less_and_an_overspent_one_nothing() {
        let left = |used| Situation { budget: Budget { used, ..BUDGET }, ..situation(0, 100.0) };
        // A tenth of the 100 that are left.
        assert!((growth(1.0).next(&left(259_100.0)).weight - 0.02).abs() < 1e-12);
        assert_eq!(growth(1.0).next(&left(259_300.0)).weight, 0.0);
    }

    #[test]
    fn without_traffic_it_does_not_grow() {
        let quiet = Situation { weight: 0.2, ..situation(1_000, 0.0) };
        assert_eq!(growth(0.1).next(&quiet), Step { weight: 0.2, held_by: HeldBy::NoTraffic });
    }

    #[test]
    fn ten_per_cent_every_five_minutes_spend_what_the_table_says() {
        // 100 requests/s, 99.9 % over 30 days; nobody looks.
        let Growth { pace, .. } = growth(0.1);
        let month = exposed(1.0, 100.0, Duration::from_secs(30 * 86_400), 1.0);
        let target: Target = "0.999".parse().unwrap();
        for (failing, shares) in [
            (1.0, [1.16, 3.47, 6.94, 11.57, 17.36, 24.31, 32.41, 41.67, 52.08, 63.66]),
            (0.05, [0.06, 0.17, 0.35, 0.58, 0.87, 1.22, 1.62, 2.08, 2.60, 3.18]),
        ] {
            let (mut weight, mut failed) = (0.0, 0.0);
            for expected in shares {
                weight += pace.step;
                failed += exposed(weight, 100.0, pace.interval, failing);
                let spent = failed / (month * target.budget_ratio()) * 100.0;
                assert!((spent - expected).abs() < 0.006, "{weight}: {spent}");
            }
        }
    }
}
