use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use model::{
    Cause, Outcome, Phases, Reported,
    slo::{Facts, Tally},
};

use super::{Observatory, Watching, lock, objectives::ObjectiveCounts};

/// A worker keeps at most this many series; what would be one more is counted under the labels
/// `other`.
pub const MAX_SERIES: usize = 10_000;

const OUTCOMES: usize = Outcome::ALL.len();

/// A cumulative count of requests with the same labels, summed over the workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// The service; empty where no route matched.
    pub service: Arc<str>,
    /// The route; empty where none matched.
    pub route: Arc<str>,
    /// The subset; empty for the whole service.
    pub subset: Arc<str>,
    /// How the requests ended.
    pub outcome: Outcome,
    /// Why they were not served well.
    pub cause: Option<Cause>,
    /// How many.
    pub requests: u64,
}

impl RequestCount {
    pub(super) fn labels(&self) -> (&str, &str, &str, Outcome, Option<Cause>) {
        (&self.service, &self.route, &self.subset, self.outcome, self.cause)
    }
}

/// One worker's counts of the requests with the same service, route and subset. When other objectives
/// are watched another takes its place, with the same counts.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) service: Arc<str>,
    pub(crate) route: Arc<str>,
    pub(crate) subset: Arc<str>,
    counts: Arc<[AtomicU64]>,
    pub(crate) phases: Arc<PhaseHistograms>,
    objectives: Box<[Arc<ObjectiveCounts>]>,
}

impl Series {
    /// Counts a request. Only the series' own worker does, so this is not a contended write.
    pub(crate) fn count(&self, outcome: Outcome, cause: Option<Cause>) {
        bump(&self.counts[outcome as usize * Tally::PLACES + Tally::place(cause)], 1);
    }

    /// Counts it for the objectives of its service.
    pub(crate) fn count_objectives(
        &self,
        status: u16,
        outcome: Outcome,
        cause: Option<Cause>,
        phases: &Phases,
        reported: &Reported,
    ) {
        if self.objectives.is_empty() {
            return;
        }
        let facts = Facts {
            route: &self.route,
            outcome,
            cause,
            status: (status > 0).then_some(status),
            latency: phases.total,
            cleanup: reported.cleanup,
        };
        for objective in &self.objectives {
            objective.count(&facts);
        }
    }

    pub(super) fn read(&self, into: &mut Vec<RequestCount>) {
        for (place, count) in self.counts.iter().enumerate() {
            let requests = count.load(Relaxed);
            if requests > 0 {
                into.push(RequestCount {
                    service: Arc::clone(&self.service),
                    route: Arc::clone(&self.route),
                    subset: Arc::clone(&self.subset),
                    outcome: Outcome::ALL[place / Tally::PLACES],
                    cause: Tally::cause(place % Tally::PLACES),
                    requests,
                });
            }
        }
    }
}

/// Adds to a counter that only one thread writes.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed) + by, Relaxed);
}

/// Upper bounds of the histograms' buckets, in microseconds: 1 ms to 10 s, the range in which
/// timeouts are set. The last bucket, `+Inf`, is not listed.
pub(super) const BOUNDS_MICROS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// The phases of a request that have a histogram, by the names of `docs/metrics.md`.
pub(super) const PHASES: [&str; 7] =
    ["queue", "connect", "upstream", "transfer", "total", "work", "cleanup"];

/// One worker's histograms of where the time of one service's requests went.
#[derive(Debug)]
pub(crate) struct PhaseHistograms {
    pub(crate) service: Arc<str>,
    pub(super) histograms: [Histogram; PHASES.len()],
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    pub(super) buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    pub(super) sum_micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.iter().take_while(|bound| micros > **bound).count();
        bump(&self.buckets[bucket], 1);
        bump(&self.sum_micros, micros);
    }
}

impl PhaseHistograms {
    pub(crate) fn observe(&self, phases: &Phases, reported: &Reported) {
        let durations = [
            phases.queue,
            phases.connect,
            phases.upstream,
            phases.transfer,
            Some(phases.total),
            reported.work,
            reported.cleanup,
        ];
        for (histogram, duration) in self.histograms.iter().zip(durations) {
            if let Some(duration) = duration {
                histogram.observe(duration);
            }
        }
    }
}

impl Observatory {
    /// The first bound below which this share of a service's requests took, since the start.
    pub(crate) fn latency_quantile(&self, service: &str, share: f64) -> Option<Duration> {
        let total = PHASES.iter().position(|phase| *phase == "total")?;
        let mut buckets = [0; BOUNDS_MICROS.len() + 1];
        for phases in lock(&self.phases).iter().filter(|it| &*it.service == service) {
            for (sum, count) in buckets.iter_mut().zip(&phases.histograms[total].buckets) {
                *sum += count.load(Relaxed);
            }
        }
        let needed = (buckets.iter().sum::<u64>() as f64 * share).max(1.0);
        let mut sum = 0;
        let found = BOUNDS_MICROS.iter().zip(buckets).find(|(_, count)| {
            sum += count;
            sum as f64 >= needed
        });
        found.map(|(bound, _)| Duration::from_micros(*bound))
    }
}

/// Service, route and subset.
type Labels = (Arc<str>, Arc<str>, Arc<str>);

/// One worker's series by their labels. They live as long as the gateway, so that no counter ever
/// goes back when the configuration changes.
#[derive(Debug)]
pub(crate) struct SeriesBook {
    observatory: Arc<Observatory>,
    series: HashMap<Labels, Arc<Series>>,
    phases: HashMap<Arc<str>, Arc<PhaseHistograms>>,
}

impl SeriesBook {
    pub(crate) fn new(observatory: Arc<Observatory>) -> Self {
        Self { observatory, series: HashMap::new(), phases: HashMap::new() }
    }

    pub(crate) fn series(
        &mut self,
        service: &Arc<str>,
        route: &Arc<str>,
        subset: &Arc<str>,
        watching: &Watching,
    ) -> Arc<Series> {
        let mut key = (Arc::clone(service), Arc::clone(route), Arc::clone(subset));
        if self.series.len() >= MAX_SERIES && !self.series.contains_key(&key) {
            let other: Arc<str> = "other".into();
            key = (Arc::clone(&other), Arc::clone(&other), other);
        }
        let known = self.series.get(&key).cloned();
        if let Some(known) = &known
            && ObjectiveCounts::are_of(&known.objectives, watching, &key.0)
        {
            return Arc::clone(known);
        }
        let series = match known {
            Some(known) => self.watched_otherwise(&known, watching),
            None => self.new_series(&key, watching),
        };
        self.series.insert(key, Arc::clone(&series));
        series
    }

    fn new_series(&mut self, key: &Labels, watching: &Watching) -> Arc<Series> {
        let phases = self.phases(&key.0);
        let series = Arc::new(Series {
            service: Arc::clone(&key.0),
            route: Arc::clone(&key.1),
            subset: Arc::clone(&key.2),
            counts: (0..OUTCOMES * Tally::PLACES).map(|_| AtomicU64::new(0)).collect(),
            phases,
            objectives: ObjectiveCounts::of_service(watching, &key.0, &[]),
        });
        lock(&self.observatory.series).push(Arc::clone(&series));
        lock(&self.observatory.objectives).extend(series.objectives.iter().cloned());
        series
    }

    /// The same series, with the counts of what is watched now. Whoever reads the one that it had at
    /// the beginning sees its counts too.
    fn watched_otherwise(&self, series: &Series, watching: &Watching) -> Arc<Series> {
        let objectives = ObjectiveCounts::of_service(watching, &series.service, &series.objectives);
        let is_new = |counts: &&Arc<ObjectiveCounts>| {
            !series.objectives.iter().any(|before| Arc::ptr_eq(before, counts))
        };
        lock(&self.observatory.objectives).extend(objectives.iter().filter(is_new).cloned());
        Arc::new(Series {
            service: Arc::clone(&series.service),
            route: Arc::clone(&series.route),
            subset: Arc::clone(&series.subset),
            counts: Arc::clone(&series.counts),
            phases: Arc::clone(&series.phases),
            objectives,
        })
    }

    fn phases(&mut self, service: &Arc<str>) -> Arc<PhaseHistograms> {
        let observatory = &self.observatory;
        let phases = self.phases.entry(Arc::clone(service)).or_insert_with(|| {
            let phases = Arc::new(PhaseHistograms {
                service: Arc::clone(service),
                histograms: std::array::from_fn(|_| Histogram::default()),
            });
            lock(&observatory.phases).push(Arc::clone(&phases));
            phases
        });
        Arc::clone(phases)
    }
}
