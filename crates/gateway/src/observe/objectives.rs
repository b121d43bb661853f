//! Counting requests for the objectives that somebody watches: each request into each objective of
//! its service, nothing sampled.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use model::slo::{Facts, Rule, Tally, Verdict};

use super::{Observatory, lock, series::bump};

/// An objective that requests are counted for.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its name. After a reload, one with the same name, service and rule goes on counting.
    pub name: Arc<str>,
    /// The service whose requests count.
    pub service: Arc<str>,
    /// Which of them, and which are good.
    pub rule: Arc<Rule>,
}

/// All that is watched at a time.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// Their numbers, in the order in which they were given.
    numbers: Box<[u64]>,
    by_service: HashMap<Arc<str>, Vec<Numbered>>,
}

/// A number is never given twice in a process.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug)]
struct Numbered {
    number: u64,
    watched: Watched,
}

impl Watching {
    pub(super) fn new(watched: &[Watched]) -> Self {
        Self::default().followed_by(watched)
    }

    /// What is watched after this: unchanged objectives keep their numbers, and thereby their counts.
    pub(crate) fn followed_by(&self, watched: &[Watched]) -> Self {
        let known: HashMap<&str, &Numbered> =
            self.by_service.values().flatten().map(|known| (&*known.watched.name, known)).collect();
        let mut next = Self::default();
        let numbers = watched.iter().map(|watched| {
            let number = match known.get(&*watched.name) {
                Some(known) if known.watched == *watched => known.number,
                _ => NUMBERS.fetch_add(1, Relaxed),
            };
            let of_service = next.by_service.entry(Arc::clone(&watched.service)).or_default();
            of_service.push(Numbered { number, watched: watched.clone() });
            number
        });
        next.numbers = numbers.collect();
        next
    }

    fn of_service(&self, service: &str) -> &[Numbered] {
        self.by_service.get(service).map_or(&[], Vec::as_slice)
    }
}

/// One worker's count for one objective in one series.
#[derive(Debug)]
pub(crate) struct ObjectiveCounts {
    /// The objective's.
    number: u64,
    rule: Arc<Rule>,
    good: AtomicU64,
    bad: [AtomicU64; Tally::PLACES],
}

impl ObjectiveCounts {
    /// The counts that a series of this service needs, of which some may be there already.
    pub(super) fn of_service(
        watching: &Watching,
        service: &str,
        before: &[Arc<Self>],
    ) -> Box<[Arc<Self>]> {
        let counts = watching.of_service(service).iter().map(|objective| {
            let known = before.iter().find(|counts| counts.number == objective.number);
            known.cloned().unwrap_or_else(|| {
                Arc::new(Self {
                    number: objective.number,
                    rule: Arc::clone(&objective.watched.rule),
                    good: AtomicU64::new(0),
                    bad: [const { AtomicU64::new(0) }; Tally::PLACES],
                })
            })
        });
        counts.collect()
    }

    /// Whether these are the counts that a series of this service needs.
    pub(super) fn are_of(counts: &[Arc<Self>], watching: &Watching, service: &str) -> bool {
        let numbers = watching.of_service(service).iter().map(|objective| objective.number);
        numbers.eq(counts.iter().map(|counts| counts.number))
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
    /// Cumulative counts of each watched objective, in their order, summed over the workers.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        let watching = Arc::clone(&lock(&self.watching));
        let places: HashMap<u64, usize> = watching.numbers.iter().copied().zip(0..).collect();
        let mut tallies = vec![Tally::default(); watching.numbers.len()];
        for counts in lock(&self.objectives).iter() {
            // Those of an objective that went may be there for a while.
            let Some(place) = places.get(&counts.number) else { continue };
            let tally = &mut tallies[*place];
            tally.good += counts.good.load(Relaxed);
            for (sum, bad) in tally.bad.iter_mut().zip(&counts.bad) {
                *sum += bad.load(Relaxed);
            }
        }
        tallies
    }

    /// What is watched from now on. A request that is in flight counts for what was watched when it
    /// began.
    pub(crate) fn watch(&self, watching: Arc<Watching>) {
        let numbers: HashSet<u64> = watching.numbers.iter().copied().collect();
        lock(&self.objectives).retain(|counts| numbers.contains(&counts.number));
        *lock(&self.watching) = watching;
    }
}
