use super::{EValue, Level, Prior};
use crate::slo::{Counts, Target};

/// What to do with a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is worse.
    RollBack,
    /// It is good enough for the objective.
    Promote,
    /// Neither is shown yet.
    GoOn,
}

/// What is known about a canary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Findings<'a> {
    /// That it is worse: one value a question, such as errors, and answers slower than the objective's
    /// threshold. They count by their mean.
    pub worse: &'a [EValue],
    /// Its requests.
    pub requests: Counts,
}

/// Decides, at every moment anew. Without traffic nothing changes: missing data is neither good nor
/// bad.
///
/// It is rolled back where it is worse than the other side, and promoted where the upper bound of its
/// failure rate is within the objective's budget. Each of the two errs in at most `level` of all
/// rollouts, however often it is asked.
#[must_use]
pub fn decide(findings: Findings<'_>, target: Target, prior: Prior, level: Level) -> Decision {
    if EValue::mean(findings.worse).rejects_at(level) {
        return Decision::RollBack;
    }
    if prior.upper_bound(findings.requests, level) <= target.budget_ratio() {
        return Decision::Promote;
    }
    Decision::GoOn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::{BadEvents, OneSided, TrafficShare};

    fn decided(worse: &[EValue], good: u64, bad: u64) -> Decision {
        let findings = Findings { worse, requests: Counts { good, bad } };
        decide(findings, "0.999".parse().unwrap(), Prior::UNIFORM, Level::FIVE_PER_CENT)
    }

    fn e_value(share: f64, canary: u64, stable: u64) -> EValue {
        let mut test = OneSided::default();
        test.observe(TrafficShare::new(share).unwrap(), BadEvents { canary, stable });
        test.e_value()
    }

    #[test]
    fn a_canary_that_always_fails_is_caught_at_the_second_failure() {
        assert_eq!(decided(&[e_value(0.1, 1, 0)], 0, 1), Decision::GoOn);
        assert_eq!(decided(&[e_value(0.1, 2, 0)], 0, 2), Decision::RollBack);
    }

    #[test]
    fn a_canary_is_promoted_once_its_bound_is_within_the_budget() {
        assert_eq!(decided(&[EValue::NONE], 12_416, 0), Decision::GoOn);
        assert_eq!(decided(&[EValue::NONE], 12_417, 0), Decision::Promote);
        assert_eq!(decided(&[], 0, 0), Decision::GoOn);
    }

    /// Seven of the canary's ten answers took 100 ms, and all others 1 ms, at half of the traffic.
    /// Kayenta's Mann-Whitney test passes that, as its tolerance grows with the shift itself.
    #[test]
    fn seven_of_ten_answers_a_hundred_times_slower_do_not_pass() {
        let (canary, stable) = ([100, 100, 100, 100, 100, 100, 100, 1, 1, 1], [1; 10]);
        let slow = |answers: &[u32]| answers.iter().filter(|ms| **ms > 10).count() as u64;
        let slowness = e_value(0.5, slow(&canary), slow(&stable));
        assert_eq!(decided(&[slowness], 10, 0), Decision::RollBack, "{slowness:?}");
    }

    #[test]
    fn what_another_question_has_not_seen_halves_the_evidence() {
        let errors = e_value(0.1, 2, 0);
        assert_eq!(decided(&[errors, EValue::NONE], 0, 2), Decision::GoOn);
        assert_eq!(decided(&[e_value(0.1, 3, 0), EValue::NONE], 0, 3), Decision::RollBack);
    }
}
