use super::{Counts, Target};

/// The chance of a false alarm that is accepted at one look: 1 in 1,000.
pub const DEFAULT_CONFIDENCE: f64 = 0.999;

/// Whether so few events are evidence of anything: the guard against alarms at low traffic.
///
/// An alert at burn *b* counts only where a service that burns at **half** of *b* would show as many
/// bad events among as many with a probability below 1 − confidence. With 10 requests an hour,
/// 99.9 % and *b* = 14.4, one failure in an hour proves nothing (the ratio is 100 times the budget,
/// and yet such a service shows one in 7 % of all hours); three do.
///
/// At the threshold it holds nothing back once about 36 bad events are in the window, which is where
/// half the rate and the whole differ beyond doubt; so with traffic, alerts fire when the formula says.
///
/// The probability is bounded from above by Chernoff and Hoeffding: P(K ≥ k) ≤ exp(−n·KL(k/n ‖ p))
/// (Hoeffding, *Probability inequalities for sums of bounded random variables*, JASA 1963, theorem
/// 1). So it errs to the side of silence, by at most one or two events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// `ln(1 / (1 − confidence))`.
    needed: f64,
}

impl Evidence {
    /// With this confidence, at least 0 and below 1. 0 asks for no evidence.
    #[must_use]
    pub fn with_confidence(confidence: f64) -> Self {
        Self { needed: -(1.0 - confidence.clamp(0.0, 1.0 - f64::EPSILON)).ln() }
    }

    /// The same where so many counts make one event.
    #[must_use]
    pub fn of_parts(self, parts: u64) -> Self {
        Self { needed: self.needed * parts as f64 }
    }

    /// Whether so many bad events are evidence of more than half the burn.
    #[must_use]
    pub fn suffices(self, counts: Counts, target: Target, burn: f64) -> bool {
        let Some(ratio) = counts.bad_ratio() else { return false };
        let null = (burn * target.budget_ratio() / 2.0).min(1.0);
        if self.needed <= 0.0 {
            return true;
        }
        ratio > null && counts.total() as f64 * divergence(ratio, null) >= self.needed
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self::with_confidence(DEFAULT_CONFIDENCE)
    }
}

/// The Kullback-Leibler divergence of two coins, KL(a ‖ b), in nats.
fn divergence(a: f64, b: f64) -> f64 {
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    part(a, b) + part(1.0 - a, 1.0 - b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffices(bad: u64, total: u64, burn: f64) -> bool {
        let counts = Counts { good: total - bad, bad };
        Evidence::default().suffices(counts, "0.999".parse().unwrap(), burn)
    }

    #[test]
    fn one_failure_among_ten_requests_does_not_page() {
        assert!(!suffices(0, 10, 14.4));
        assert!(!suffices(1, 10, 14.4));
        assert!(!suffices(2, 10, 14.4));
        assert!(suffices(3, 10, 14.4));
        assert!(!suffices(0, 0, 14.4));
    }

    #[test]
    fn a_service_that_fails_altogether_is_believed_after_two_requests() {
        assert!(!suffices(1, 1, 14.4));
        assert!(suffices(2, 2, 14.4));
    }

    #[test]
    fn with_traffic_it_holds_nothing_back_at_the_threshold() {
        for (bad, total, burn) in
            [(40, 2_778, 14.4), (5_184, 360_000, 14.4), (25_920, 25_920_000, 1.0)]
        {
            assert!(suffices(bad, total, burn), "{bad} of {total}");
        }
    }

    #[test]
    fn the_bound_is_never_below_the_exact_tail() {
        // P(K ≥ k) by summing the binomial, for small numbers.
        let tail = |n: u32, k: u32, p: f64| -> f64 {
            (k..=n)
                .map(|i| {
                    let choose: f64 = (0..i).map(|j| f64::from(n - j) / f64::from(j + 1)).product();
                    choose * p.powi(i as i32) * (1.0 - p).powi((n - i) as i32)
                })
                .sum()
        };
        for n in 1..40 {
            for k in 1..=n {
                for p in [0.0005, 0.0072, 0.05, 0.3] {
                    let ratio = f64::from(k) / f64::from(n);
                    if ratio > p {
                        let bound = (-f64::from(n) * divergence(ratio, p)).exp();
                        assert!(bound >= tail(n, k, p) - 1e-12, "{n} {k} {p}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_confidence_no_evidence_is_asked_for() {
        let counts = Counts { good: 9, bad: 1 };
        let target = "0.999".parse().unwrap();
        assert!(Evidence::with_confidence(0.0).suffices(counts, target, 14.4));
    }
}
