//! What the numbers of the last minutes say: rates, outcomes, and causes by service.

use std::{collections::BTreeMap, sync::Arc};

use model::{Blame, Cause, Outcome, Party};
use serde::Serialize;

use super::history::{Counts, HISTORY_SECONDS, History};

/// The rate is taken over this many seconds: short enough to be live, long enough to be steady.
const RATE_SECONDS: u64 = 5;

const MINUTE_SECONDS: u64 = 60;

/// At most this many rows of causes are shown; the rest are counted.
const MAX_CAUSE_ROWS: usize = 200;

/// What `GET /api/v1/summary` answers and the page shows.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// How many seconds the history covers so far.
    pub(super) history_seconds: u64,
    /// How long ago the counters were last read; more than a few means that they are old.
    pub(super) sampled_seconds_ago: u64,
    /// Requests since the gateway started.
    pub(super) requests_total: u64,
    /// Requests per second over the last seconds.
    pub(super) requests_per_second: f64,
    /// Those of them that were not served well.
    pub(super) failures_per_second: f64,
    pub(super) last_minute: Window,
    pub(super) last_5_minutes: Window,
    pub(super) outcomes: Vec<OutcomeRow>,
    pub(super) causes: Vec<CauseRow>,
    /// Rows of `causes` left out because there were too many.
    pub(super) causes_left_out: usize,
    /// One number for each second of the history, oldest first.
    pub(super) per_second: PerSecond,
}

/// Requests within a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Window {
    pub(super) requests: u64,
    /// Those with a cause, whoever is to blame.
    pub(super) failures: u64,
    /// Those of them that count against a service.
    pub(super) against_services: u64,
    /// Those of them that count against the gateway.
    pub(super) against_gateway: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct OutcomeRow {
    #[serde(serialize_with = "display")]
    pub(super) outcome: Outcome,
    pub(super) last_minute: u64,
    pub(super) last_5_minutes: u64,
    pub(super) total: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct CauseRow {
    /// Empty where no route matched.
    #[serde(serialize_with = "display")]
    pub(super) service: Arc<str>,
    #[serde(serialize_with = "display")]
    pub(super) cause: Cause,
    pub(super) sentence: &'static str,
    pub(super) fault: &'static str,
    pub(super) last_minute: u64,
    pub(super) last_5_minutes: u64,
    pub(super) total: u64,
    /// Of the service's requests in the last five minutes.
    pub(super) share_ratio: f64,
    pub(super) help: String,
}

#[derive(Debug, Serialize)]
pub(super) struct PerSecond {
    pub(super) requests: Vec<f64>,
    pub(super) failures: Vec<f64>,
}

fn display<S: serde::Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Whose fault a cause is: `client`, `gateway`, `service` or `nobody`.
pub(super) const fn fault(cause: Cause) -> &'static str {
    match (cause.blame(), cause.party()) {
        (Blame::Service, _) => "service",
        (Blame::Gateway, _) => "gateway",
        (Blame::Nobody, Party::Client) => "client",
        (Blame::Nobody, Party::Gateway | Party::Upstream) => "nobody",
    }
}

/// Three digits after the point are enough for a rate.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Window {
    fn new(counts: &Counts) -> Self {
        let mut window = Self::default();
        for (series, &count) in counts {
            window.requests += count;
            let Some(cause) = series.cause else { continue };
            window.failures += count;
            match cause.blame() {
                Blame::Service => window.against_services += count,
                Blame::Gateway => window.against_gateway += count,
                Blame::Nobody => {}
            }
        }
        window
    }
}

impl Summary {
    /// What `history` says at `second`, counted as in [`History::record`].
    pub(super) fn new(history: &History, second: u64) -> Self {
        let (latest, latest_seconds) = history.window(RATE_SECONDS);
        let (minute, _) = history.window(MINUTE_SECONDS);
        let (all, _) = history.window(HISTORY_SECONDS);
        let latest = Window::new(&latest);
        let totals = history.totals();
        let mut causes = cause_rows(&minute, &all, totals);
        let causes_left_out = causes.len().saturating_sub(MAX_CAUSE_ROWS);
        causes.truncate(MAX_CAUSE_ROWS);
        let per_second = PerSecond {
            requests: history.rates(|_| true).into_iter().map(rounded).collect(),
            failures: history.rates(|s| s.cause.is_some()).into_iter().map(rounded).collect(),
        };
        Self {
            history_seconds: per_second.requests.len() as u64,
            sampled_seconds_ago: second.saturating_sub(history.last_second()),
            requests_total: totals.values().sum(),
            requests_per_second: rounded(ratio(latest.requests, latest_seconds)),
            failures_per_second: rounded(ratio(latest.failures, latest_seconds)),
            last_minute: Window::new(&minute),
            last_5_minutes: Window::new(&all),
            outcomes: outcome_rows(&minute, &all, totals),
            causes,
            causes_left_out,
            per_second,
        }
    }
}

fn outcome_rows(minute: &Counts, all: &Counts, totals: &Counts) -> Vec<OutcomeRow> {
    let of = |counts: &Counts, outcome| {
        counts.iter().filter(|(series, _)| series.outcome == outcome).map(|(_, count)| count).sum()
    };
    let row = |outcome| OutcomeRow {
        outcome,
        last_minute: of(minute, outcome),
        last_5_minutes: of(all, outcome),
        total: of(totals, outcome),
    };
    Outcome::ALL.into_iter().map(row).collect()
}

/// The causes seen since the start, those of the last five minutes first, by number.
fn cause_rows(minute: &Counts, all: &Counts, totals: &Counts) -> Vec<CauseRow> {
    let mut by_service: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for (series, count) in all {
        *by_service.entry(series.service.clone()).or_default() += count;
    }
    let mut rows: BTreeMap<(Arc<str>, Cause), CauseRow> = BTreeMap::new();
    for (series, &total) in totals {
        let Some(cause) = series.cause else { continue };
        let service = series.service.clone();
        let row = rows.entry((service.clone(), cause)).or_insert_with(|| CauseRow {
            service,
            cause,
            sentence: cause.sentence(),
            fault: fault(cause),
            last_minute: 0,
            last_5_minutes: 0,
            total: 0,
            share_ratio: 0.0,
            help: super::help::path(cause),
        });
        row.total += total;
        row.last_minute += minute.get(series).copied().unwrap_or(0);
        row.last_5_minutes += all.get(series).copied().unwrap_or(0);
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    for row in &mut rows {
        let requests = by_service.get(&row.service).copied().unwrap_or(0);
        row.share_ratio = (ratio(row.last_5_minutes, requests) * 1e6).round() / 1e6;
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.last_5_minutes, row.last_minute, row.total)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fake::count;

    fn history() -> History {
        let mut history = History::default();
        history.record(0, &[]);
        for second in 1..=100 {
            history.record(
                second,
                &[
                    count("pay", Outcome::Succeeded, None, 8 * second),
                    count("pay", Outcome::Failed, Some(Cause::UpstreamFailed), second),
                    count("pay", Outcome::TimedOut, Some(Cause::UpstreamFailed), second),
                    count("", Outcome::Failed, Some(Cause::ClientBadRequest), 3),
                    count("cart", Outcome::Failed, Some(Cause::GatewayOverloaded), 5),
                ],
            );
        }
        history
    }

    #[test]
    fn rates_are_of_the_last_seconds() {
        let summary = Summary::new(&history(), 100);
        assert_eq!(summary.requests_per_second, 10.0);
        assert_eq!(summary.failures_per_second, 2.0);
        assert_eq!(summary.history_seconds, 100);
        assert_eq!(summary.requests_total, 1008);
        assert_eq!(summary.per_second.requests[..2], [18.0, 10.0]);
        assert_eq!(summary.per_second.failures[..2], [10.0, 2.0]);
    }

    #[test]
    fn the_age_of_the_numbers_is_told() {
        assert_eq!(Summary::new(&history(), 100).sampled_seconds_ago, 0);
        assert_eq!(Summary::new(&history(), 112).sampled_seconds_ago, 12);
    }

    #[test]
    fn failures_count_against_whom_their_cause_blames() {
        let summary = Summary::new(&history(), 100);
        let minute =
            Window { requests: 600, failures: 120, against_services: 120, against_gateway: 0 };
        assert_eq!(summary.last_minute, minute);
        let all =
            Window { requests: 1008, failures: 208, against_services: 200, against_gateway: 5 };
        assert_eq!(summary.last_5_minutes, all);
    }

    #[test]
    fn outcomes_are_counted_for_each_window() {
        let summary = Summary::new(&history(), 100);
        let row = |outcome| {
            let row = summary.outcomes.iter().find(|row| row.outcome == outcome).unwrap();
            (row.last_minute, row.last_5_minutes, row.total)
        };
        assert_eq!(row(Outcome::Succeeded), (480, 800, 800));
        assert_eq!(row(Outcome::Failed), (60, 108, 108));
        assert_eq!(row(Outcome::TimedOut), (60, 100, 100));
        assert_eq!(row(Outcome::Panicked), (0, 0, 0));
    }

    #[test]
    fn causes_are_by_service_most_frequent_first_with_their_share_of_its_requests() {
        let summary = Summary::new(&history(), 100);
        let rows: Vec<_> = summary
            .causes
            .iter()
            .map(|row| (&*row.service, row.cause.code(), row.fault, row.last_minute, row.total))
            .collect();
        assert_eq!(
            rows,
            [
                ("pay", "upstream.failed", "service", 120, 200),
                ("cart", "gateway.overloaded", "gateway", 0, 5),
                ("", "client.bad_request", "client", 0, 3),
            ]
        );
        assert_eq!(summary.causes[0].share_ratio, 0.2);
        assert_eq!(summary.causes[1].share_ratio, 1.0);
    }

    #[test]
    fn nothing_measured_yet_gives_zeros() {
        let summary = Summary::new(&History::default(), 0);
        assert_eq!(summary.requests_per_second, 0.0);
        assert_eq!(summary.last_5_minutes, Window::default());
        assert!(summary.causes.is_empty() && summary.per_second.requests.is_empty());
    }

    #[test]
    fn only_so_many_causes_are_shown_and_the_rest_are_counted() {
        let mut history = History::default();
        let counts: Vec<_> = (0..MAX_CAUSE_ROWS + 7)
            .map(|n| count(&format!("s{n}"), Outcome::Failed, Some(Cause::UpstreamReset), 1))
            .collect();
        history.record(0, &counts);
        let summary = Summary::new(&history, 0);
        assert_eq!((summary.causes.len(), summary.causes_left_out), (MAX_CAUSE_ROWS, 7));
    }

    #[test]
    fn whose_fault_it_is() {
        for (cause, expected) in [
            (Cause::ClientTooSlow, "client"),
            (Cause::GatewayOverloaded, "gateway"),
            (Cause::GatewayCircuitOpen, "service"),
            (Cause::GatewayNoRoute, "nobody"),
            (Cause::UpstreamReset, "service"),
        ] {
            assert_eq!(fault(cause), expected, "{cause}");
        }
    }
}
