use std::time::Duration;

use rearguard::{Blame, Cause, Outcome};

/// What is known of a request when it has ended, as far as objectives ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The route that it took; empty where none matched.
    pub route: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not served well.
    pub cause: Option<Cause>,
    /// The HTTP status that was sent.
    pub status: Option<u16>,
    /// How long it took.
    pub latency: Duration,
    /// How long the service said that its cleanup took.
    pub cleanup: Option<Duration>,
}

/// How a request stands to an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It met it.
    Good,
    /// It spent of the budget.
    Bad,
    /// It counts for nothing.
    Excluded,
}

/// What makes a request good.
#[derive(Clone, Debug, PartialEq)]
pub enum Good {
    /// It was served well.
    Served,
    /// It was served well, and took no longer than this. One that timed out was too slow; one that
    /// failed quickly is no matter of latency, and is excluded.
    Faster(Duration),
    /// What the service deferred took no longer than this. Where it reported nothing it is excluded.
    CleanupFaster(Duration),
    /// It did not fail for one of these causes.
    NotCausedBy(Box<[Cause]>),
    /// Its status is none of these, from the first to the last.
    NotStatus(u16, u16),
}

/// Which requests count, and which of those are good.
///
/// Whose fault a failure is follows from its cause ([`Cause::blame`]), never from the outcome alone.
/// A request counts against a service if that is to blame, or if there is no cause and it was not
/// served well: it failed, timed out, panicked or was lost. Excluded are those whose caller left
/// (`cancelled`), those that an experiment failed on purpose, those that are the client's fault and,
/// unless [`Rule::with_gateway`] asks for them, the gateway's.
///
/// ```
/// use std::time::Duration;
///
/// use model::{Cause, Outcome, slo::{Facts, Good, Rule, Verdict}};
///
/// let served = Facts {
///     route: "pay",
///     outcome: Outcome::Succeeded,
///     cause: None,
///     status: Some(200),
///     latency: Duration::from_millis(350),
///     cleanup: None,
/// };
/// assert_eq!(Rule::new(Good::Served).judge(&served), Verdict::Good);
/// let fast = Rule::new(Good::Faster(Duration::from_millis(300)));
/// assert_eq!(fast.judge(&served), Verdict::Bad);
/// let left = Facts { outcome: Outcome::Cancelled, cause: Some(Cause::ClientDisconnected), ..served };
/// assert_eq!(fast.judge(&left), Verdict::Excluded);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    good: Good,
    routes: Option<Box<[Box<str>]>>,
    gateway: Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gateway {
    Excluded,
    Counts,
}

/// How a request went, whatever the objective.
enum Served {
    Well,
    Badly,
    NoMatter,
}

impl Rule {
    /// All requests of a service.
    #[must_use]
    pub const fn new(good: Good) -> Self {
        Self { good, routes: None, gateway: Gateway::Excluded }
    }

    /// Only those that took one of these routes.
    #[must_use]
    pub fn of_routes<R: Into<Box<str>>>(mut self, routes: impl IntoIterator<Item = R>) -> Self {
        self.routes = Some(routes.into_iter().map(Into::into).collect());
        self
    }

    /// What the gateway is to blame for counts too: the objective is that of the whole path.
    #[must_use]
    pub const fn with_gateway(mut self) -> Self {
        self.gateway = Gateway::Counts;
        self
    }

    /// What makes a request good.
    #[must_use]
    pub const fn good(&self) -> &Good {
        &self.good
    }

    /// The routes that it is about, if it is not about all.
    #[must_use]
    pub fn routes(&self) -> Option<&[Box<str>]> {
        self.routes.as_deref()
    }

    /// How a request stands to it.
    #[must_use]
    pub fn judge(&self, facts: &Facts<'_>) -> Verdict {
        if !self.routes.as_ref().is_none_or(|routes| routes.iter().any(|it| **it == *facts.route)) {
            return Verdict::Excluded;
        }
        let served = self.served(facts);
        if matches!(served, Served::NoMatter) {
            return Verdict::Excluded;
        }
        let is_good = match &self.good {
            Good::Served => matches!(served, Served::Well),
            Good::Faster(most) => match served {
                Served::Well => facts.latency <= *most,
                _ if facts.outcome == Outcome::TimedOut || facts.latency > *most => false,
                _ => return Verdict::Excluded,
            },
            Good::CleanupFaster(most) => match facts.cleanup {
                Some(cleanup) => cleanup <= *most,
                None => return Verdict::Excluded,
            },
            Good::NotCausedBy(causes) => !facts.cause.is_some_and(|cause| causes.contains(&cause)),
            Good::NotStatus(first, last) => {
                !facts.status.is_some_and(|status| (*first..=*last).contains(&status))
            }
        };
        if is_good { Verdict::Good } else { Verdict::Bad }
    }

    fn served(&self, facts: &Facts<'_>) -> Served {
        match (facts.cause.map(Cause::blame), facts.outcome) {
            (_, Outcome::Cancelled) => Served::NoMatter,
            (Some(Blame::Service), _) => Served::Badly,
            (Some(Blame::Gateway), _) => match self.gateway {
                Gateway::Counts => Served::Badly,
                Gateway::Excluded => Served::NoMatter,
            },
            (Some(Blame::Nobody), _) => Served::NoMatter,
            (None, Outcome::Succeeded) => Served::Well,
            (None, _) => Served::Badly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(outcome: Outcome, cause: Option<Cause>) -> Facts<'static> {
        let latency = Duration::from_millis(100);
        Facts { route: "pay", outcome, cause, status: Some(200), latency, cleanup: None }
    }

    fn served(outcome: Outcome, cause: Option<Cause>) -> Verdict {
        Rule::new(Good::Served).judge(&facts(outcome, cause))
    }

    #[test]
    fn a_failure_counts_against_the_service_by_its_cause() {
        for (outcome, cause, expected) in [
            (Outcome::Succeeded, None, Verdict::Good),
            (Outcome::Failed, Some(Cause::UpstreamFailed), Verdict::Bad),
            (Outcome::Panicked, Some(Cause::UpstreamPanicked), Verdict::Bad),
            (Outcome::TimedOut, Some(Cause::UpstreamCleanupOverran), Verdict::Bad),
            (Outcome::Failed, Some(Cause::GatewayCircuitOpen), Verdict::Bad),
            (Outcome::Lost, None, Verdict::Bad),
            (Outcome::Failed, None, Verdict::Bad),
            (Outcome::Cancelled, Some(Cause::ClientDisconnected), Verdict::Excluded),
            (Outcome::Failed, Some(Cause::ClientBadRequest), Verdict::Excluded),
            (Outcome::Failed, Some(Cause::GatewayFaultInjected), Verdict::Excluded),
            (Outcome::Failed, Some(Cause::GatewayOverloaded), Verdict::Excluded),
        ] {
            assert_eq!(served(outcome, cause), expected, "{outcome} {cause:?}");
        }
    }

    #[test]
    fn the_gateways_failures_count_where_they_are_asked_for() {
        let whole = Rule::new(Good::Served).with_gateway();
        let overloaded = facts(Outcome::Failed, Some(Cause::GatewayOverloaded));
        assert_eq!(whole.judge(&overloaded), Verdict::Bad);
        let injected = facts(Outcome::Failed, Some(Cause::GatewayFaultInjected));
        assert_eq!(whole.judge(&injected), Verdict::Excluded);
    }

    #[test]
    fn a_timeout_is_slow_and_a_quick_failure_is_no_matter_of_latency() {
        let fast = Rule::new(Good::Faster(Duration::from_millis(300)));
        let timed_out = facts(Outcome::TimedOut, Some(Cause::UpstreamResponseTimedOut));
        assert_eq!(fast.judge(&timed_out), Verdict::Bad);
        let failed = facts(Outcome::Failed, Some(Cause::UpstreamFailed));
        assert_eq!(fast.judge(&failed), Verdict::Excluded);
        let slow = Facts { latency: Duration::from_secs(1), ..failed };
        assert_eq!(fast.judge(&slow), Verdict::Bad);
    }

    #[test]
    fn cleanup_counts_where_it_was_reported() {
        let rule = Rule::new(Good::CleanupFaster(Duration::from_millis(50)));
        let served = facts(Outcome::Succeeded, None);
        assert_eq!(rule.judge(&served), Verdict::Excluded);
        for (millis, expected) in [(50, Verdict::Good), (51, Verdict::Bad)] {
            let cleanup = Some(Duration::from_millis(millis));
            assert_eq!(rule.judge(&Facts { cleanup, ..served }), expected);
        }
    }

    #[test]
    fn routes_causes_and_statuses_can_be_chosen() {
        let served = facts(Outcome::Succeeded, None);
        assert_eq!(Rule::new(Good::Served).of_routes(["browse"]).judge(&served), Verdict::Excluded);
        assert_eq!(Rule::new(Good::Served).of_routes(["pay"]).judge(&served), Verdict::Good);
        let panics = Rule::new(Good::NotCausedBy([Cause::UpstreamPanicked].into()));
        assert_eq!(
            panics.judge(&facts(Outcome::Failed, Some(Cause::UpstreamFailed))),
            Verdict::Good
        );
        assert_eq!(
            panics.judge(&facts(Outcome::Panicked, Some(Cause::UpstreamPanicked))),
            Verdict::Bad
        );
        let throttled = Facts { status: Some(429), ..served };
        assert_eq!(Rule::new(Good::NotStatus(429, 429)).judge(&throttled), Verdict::Bad);
    }
}
