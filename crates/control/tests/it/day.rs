//! A day of a service: how its requests end, second by second, and what is known of it.

use std::{fmt::Write as _, time::Duration};

use model::{
    Cause, Outcome,
    slo::{Counts, Facts, Good, Rule, Seconds, Tally, Verdict},
};

use crate::support::{DAY, HOUR, MINUTE};

/// Requests that ended alike.
type Ended = (Outcome, Option<Cause>);

/// All ways in which they end on this day.
const ENDS: [Ended; 8] = [
    (Outcome::Succeeded, None),
    (Outcome::Failed, Some(Cause::UpstreamReset)),
    (Outcome::TimedOut, Some(Cause::UpstreamResponseTimedOut)),
    (Outcome::Failed, Some(Cause::UpstreamConnectRefused)),
    (Outcome::Failed, Some(Cause::UpstreamFailed)),
    (Outcome::Cancelled, Some(Cause::ClientDisconnected)),
    (Outcome::Failed, Some(Cause::GatewayRateLimited)),
    (Outcome::Failed, Some(Cause::GatewayOverloaded)),
];

/// From when to when so many of a hundred thousand requests end so.
struct Incident(Seconds, Seconds, u64, usize);

const INCIDENTS: [Incident; 6] = [
    // Each cause was met before, but that of the slow burn.
    Incident(0, 10 * MINUTE, 20, 1),
    Incident(0, 10 * MINUTE, 20, 2),
    Incident(0, 10 * MINUTE, 20, 3),
    Incident(6 * HOUR, 6 * HOUR + 10 * MINUTE, 15_000, 1),
    Incident(9 * HOUR, 11 * HOUR, 2_000, 2),
    Incident(15 * HOUR, 20 * HOUR, 400, 4),
];

/// When everything fails.
const OUTAGE: (Seconds, Seconds) = (13 * HOUR + 7, 13 * HOUR + 97);

/// When nobody comes.
const QUIET: (Seconds, Seconds) = (21 * HOUR + 3, 21 * HOUR + 20 * MINUTE);

/// How many requests ended in each way, by second, and of those that count how many were good and bad
/// before each second.
pub(crate) struct Day {
    seconds: Vec<[u64; ENDS.len()]>,
    before: Vec<Counts>,
}

impl Day {
    pub(crate) fn new() -> Self {
        let mut carried = [0; INCIDENTS.len()];
        let seconds: Vec<_> = (0..DAY).map(|second| ends_of(second, &mut carried)).collect();
        let mut before = vec![Counts::NONE];
        for ends in &seconds {
            before.push(before[before.len() - 1] + tally(ends).counts());
        }
        Self { seconds, before }
    }

    pub(crate) fn tally(&self, second: Seconds) -> Tally {
        tally(&self.seconds[second as usize])
    }

    /// What counts of the time from one second to another; what is outside of the day has none.
    pub(crate) fn between(&self, from: i64, to: i64) -> Counts {
        let before = |second: i64| self.before[second.clamp(0, DAY as i64) as usize];
        before(to).since(before(from))
    }

    /// When requests first ended so, and the counter therefore appears.
    pub(crate) fn first(&self, place: usize) -> Seconds {
        self.seconds.iter().position(|ends| ends[place] > 0).unwrap() as Seconds
    }

    /// What a Prometheus that asks the gateway each `interval` seconds gets, `phase` seconds after
    /// whole ones: a counter is there once it has counted.
    pub(crate) fn scraped(&self, start: Seconds, interval: Seconds, phase: Seconds) -> String {
        let mut page = String::from("# TYPE rearguard_requests counter\n");
        for (place, (outcome, cause)) in ENDS.iter().enumerate() {
            let mut count = 0;
            for second in 0..DAY {
                if second % interval == phase && count > 0 {
                    writeln!(
                        page,
                        r#"rearguard_requests_total{{service="pay",route="all",subset="",outcome="{}",cause="{}"}} {count} {}"#,
                        outcome.as_str(),
                        cause.map_or("", Cause::code),
                        start + second,
                    )
                    .unwrap();
                }
                count += self.seconds[second as usize][place];
            }
        }
        page + "# EOF\n"
    }
}

fn ends_of(second: Seconds, carried: &mut [u64; INCIDENTS.len()]) -> [u64; ENDS.len()] {
    let mut ends = [0; ENDS.len()];
    if (QUIET.0..QUIET.1).contains(&second) {
        return ends;
    }
    // Between 60 and 100 requests/s, the most of them in the afternoon.
    let of_day = second as f64 / DAY as f64 * std::f64::consts::TAU;
    let requests = (80.0 - 20.0 * of_day.cos()) as u64;
    if (OUTAGE.0..OUTAGE.1).contains(&second) {
        ends[3] = requests;
        return ends;
    }
    for (incident, carried) in INCIDENTS.iter().zip(carried) {
        let Incident(from, to, of_100_000, place) = *incident;
        if (from..to).contains(&second) {
            *carried += requests * of_100_000;
            ends[place] += *carried / 100_000;
            *carried %= 100_000;
        }
    }
    ends[0] = requests - ends.iter().sum::<u64>();
    // What counts against nobody comes besides.
    ends[5] = u64::from(second.is_multiple_of(7));
    ends[6] = 2;
    ends[7] = u64::from(second.is_multiple_of(11));
    ends
}

/// As the gateway counts them into an objective.
fn tally(ends: &[u64; ENDS.len()]) -> Tally {
    let rule = Rule::new(Good::Served);
    let mut tally = Tally::default();
    for ((outcome, cause), requests) in ENDS.iter().zip(ends) {
        let facts = Facts {
            route: "all",
            outcome: *outcome,
            cause: *cause,
            status: None,
            latency: Duration::ZERO,
            cleanup: None,
        };
        match rule.judge(&facts) {
            Verdict::Good => tally.good += requests,
            Verdict::Bad => tally.bad[Tally::place(*cause)] += requests,
            Verdict::Excluded => {}
        }
    }
    tally
}
