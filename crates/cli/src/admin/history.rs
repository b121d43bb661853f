//! The gateway's counters over the last minutes, so that a page opened now shows what has been.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use gateway::observe::RequestCount;
use model::{Cause, Outcome};

/// How far back the history reaches.
pub(super) const HISTORY_SECONDS: u64 = 300;

/// What is counted apart; routes and subsets are summed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) service: Arc<str>,
    pub(super) outcome: Outcome,
    pub(super) cause: Option<Cause>,
}

/// Requests by series.
pub(super) type Counts = BTreeMap<Series, u64>;

/// What was added to the counters since the sample before.
#[derive(Debug)]
struct Sample {
    /// How many seconds it covers: 1, or more where the sampler was held up.
    seconds: u64,
    counts: Counts,
}

/// A bounded ring of samples, one for each second.
#[derive(Debug, Default)]
pub(super) struct History {
    totals: Counts,
    /// Oldest first; none covers less than a second, so there are at most `HISTORY_SECONDS` + 1.
    samples: VecDeque<Sample>,
    last_second: Option<u64>,
}

impl History {
    /// Takes in the counters as they stand at `second`, counted from any fixed moment.
    /// The first call only says where counting begins.
    pub(super) fn record(&mut self, second: u64, counts: &[RequestCount]) {
        let totals = by_series(counts);
        let Some(last) = self.last_second else {
            self.totals = totals;
            self.last_second = Some(second);
            return;
        };
        if second <= last {
            return;
        }
        let mut added = Counts::new();
        for (series, &now) in &totals {
            let before = self.totals.get(series).copied().unwrap_or(0);
            // A counter that went back has begun anew, as Prometheus reads it.
            let more = if now >= before { now - before } else { now };
            if more > 0 {
                added.insert(series.clone(), more);
            }
        }
        self.totals = totals;
        self.last_second = Some(second);
        self.samples.push_back(Sample { seconds: second - last, counts: added });
        self.forget_old();
    }

    fn forget_old(&mut self) {
        let mut covered = self.covered_seconds();
        while let Some(oldest) = self.samples.front()
            && covered - oldest.seconds >= HISTORY_SECONDS
        {
            covered -= oldest.seconds;
            self.samples.pop_front();
        }
    }

    fn covered_seconds(&self) -> u64 {
        self.samples.iter().map(|sample| sample.seconds).sum()
    }

    /// When the counters were last taken in.
    pub(super) fn last_second(&self) -> u64 {
        self.last_second.unwrap_or(0)
    }

    /// The counters as last seen.
    pub(super) const fn totals(&self) -> &Counts {
        &self.totals
    }

    /// What was counted in the last `seconds`, and how many seconds that really covers: fewer
    /// after a start, more where the sampler was held up.
    pub(super) fn window(&self, seconds: u64) -> (Counts, u64) {
        let mut sum = Counts::new();
        let mut covered = 0;
        for sample in self.samples.iter().rev() {
            if covered >= seconds {
                break;
            }
            covered += sample.seconds;
            for (series, count) in &sample.counts {
                *sum.entry(series.clone()).or_default() += count;
            }
        }
        (sum, covered)
    }

    /// The rate per second of the chosen series for each second of the history, oldest first.
    /// A sample that covers several seconds is spread evenly over them.
    pub(super) fn rates(&self, chosen: impl Fn(&Series) -> bool) -> Vec<f64> {
        let mut rates = Vec::new();
        for sample in &self.samples {
            let chosen = sample.counts.iter().filter(|(series, _)| chosen(series));
            let count: u64 = chosen.map(|(_, count)| count).sum();
            let seconds = sample.seconds.min(HISTORY_SECONDS);
            rates.extend((0..seconds).map(|_| count as f64 / sample.seconds as f64));
        }
        let excess = rates.len().saturating_sub(HISTORY_SECONDS as usize);
        rates.split_off(excess)
    }
}

fn by_series(counts: &[RequestCount]) -> Counts {
    let mut sum = Counts::new();
    for count in counts {
        let series =
            Series { service: count.service.clone(), outcome: count.outcome, cause: count.cause };
        *sum.entry(series).or_default() += count.requests;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fake::count;

    fn recorded(steps: &[(u64, u64)]) -> History {
        let mut history = History::default();
        for &(second, requests) in steps {
            history.record(second, &[count("shop", Outcome::Succeeded, None, requests)]);
        }
        history
    }

    fn sum(history: &History, seconds: u64) -> (u64, u64) {
        let (counts, covered) = history.window(seconds);
        (counts.values().sum(), covered)
    }

    #[test]
    fn a_window_holds_what_was_added_in_it_and_says_how_long_it_is() {
        for (steps, seconds, expected) in [
            (&[][..], 60, (0, 0)),
            (&[(7, 1000)][..], 60, (0, 0)),
            (&[(7, 1000), (8, 1003)][..], 60, (3, 1)),
            (&[(0, 0), (1, 5), (2, 9), (3, 10)][..], 2, (5, 2)),
            (&[(0, 0), (1, 5), (9, 21)][..], 2, (16, 8)),
        ] {
            assert_eq!(sum(&recorded(steps), seconds), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_counter_that_begins_anew_adds_what_it_shows() {
        assert_eq!(sum(&recorded(&[(0, 100), (1, 110), (2, 4)]), 60), (14, 2));
    }

    #[test]
    fn routes_and_subsets_of_a_service_are_summed() {
        let mut history = History::default();
        history.record(0, &[]);
        let mut second = count("shop", Outcome::Succeeded, None, 2);
        second.subset = "v2".into();
        history.record(1, &[count("shop", Outcome::Succeeded, None, 3), second]);
        assert_eq!(history.totals().len(), 1);
        assert_eq!(sum(&history, 60), (5, 1));
    }

    #[test]
    fn a_sample_that_was_held_up_is_spread_over_its_seconds() {
        let history = recorded(&[(0, 0), (1, 4), (4, 10), (5, 10)]);
        assert_eq!(history.rates(|_| true), [4.0, 2.0, 2.0, 2.0, 0.0]);
    }

    #[test]
    fn the_ring_stays_bounded() {
        let mut history = History::default();
        for second in 0..2000 {
            history.record(second, &[count("shop", Outcome::Succeeded, None, second)]);
        }
        assert_eq!(history.samples.len() as u64, HISTORY_SECONDS);
        assert_eq!(sum(&history, HISTORY_SECONDS), (HISTORY_SECONDS, HISTORY_SECONDS));

        history.record(1_000_000, &[]);
        assert_eq!(history.samples.len(), 1);
        assert_eq!(history.rates(|_| true).len() as u64, HISTORY_SECONDS);
    }
}
