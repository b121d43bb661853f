//! Counting requests for the objectives that somebody watches: each request into each objective of
//! its service, nothing sampled.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use model::slo::{Facts, Rule, Tally, Verdict};

use super::{Observatory, lock, series::bump};

/// An objective that requests are counted for.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The service whose requests count.
    pub service: Arc<str>,
    /// Which of them, and which are good.
    pub rule: Arc<Rule>,
}

/// One worker's count for one objective in one series.
#[derive(Debug)]
pub(crate) struct ObjectiveCounts {
    /// The objective's place among the watched.
    place: usize,
    rule: Arc<Rule>,
    good: AtomicU64,
    bad: [AtomicU64; Tally::PLACES],
}

impl ObjectiveCounts {
    /// The counts that a series of this service needs.
    pub(super) fn of_service(watched: &[Watched], service: &str) -> Box<[Self]> {
        let of_it = watched.iter().enumerate().filter(|(_, watched)| &*watched.service == service);
        of_it
            .map(|(place, watched)| Self {
                place,
                rule: Arc::clone(&watched.rule),
                good: AtomicU64::new(0),
                bad: [const { AtomicU64::new(0) }; Tally::PLACES],
            })
            .collect()
    }

    /// Counts a request. Only the series' own worker does.
    pub(super) fn count(&self, facts: &Facts<'_>) {
        match self.rule.judge(facts) {
            Verdict::Good => bump(&self.good, 1),
            Verdict::Bad => bump(&self.bad[Tally::place(facts.cause)], 1),
            Verdict::Excluded => {}
        }
    }
}

impl Observatory {
    /// Cumulative counts of each watched objective, by its place, summed over the workers.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.watched.len()];
        for series in lock(&self.series).iter() {
            for counts in &series.objectives {
                let tally = &mut tallies[counts.place];
                tally.good += counts.good.load(Relaxed);
                for (sum, bad) in tally.bad.iter_mut().zip(&counts.bad) {
                    *sum += bad.load(Relaxed);
                }
            }
        }
        tallies
    }
}
