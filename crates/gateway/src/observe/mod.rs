//! What the gateway shows to whoever watches it: counters, histograms, recent failures, the log.
//!
//! Each worker counts in series of its own, so that no two cores write to one cache line; they are
//! summed when somebody looks.

mod log;
mod metrics;
mod objectives;
mod ring;
mod series;

pub(crate) use log::{LogBuffer, LogThread};
pub use objectives::Watched;
pub(crate) use objectives::{ObjectiveCounts, Watching};
pub(crate) use ring::FailureRing;
pub use series::{MAX_SERIES, RequestCount};
pub(crate) use series::{PhaseHistograms, Series, SeriesBook};

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// Everything that can be watched about one gateway; shared by its workers and whoever watches.
#[derive(Debug)]
pub(crate) struct Observatory {
    pub(crate) series: Mutex<Vec<Arc<Series>>>,
    pub(crate) phases: Mutex<Vec<Arc<PhaseHistograms>>>,
    pub(crate) pools: Mutex<Vec<Arc<PoolGauges>>>,
    pub(crate) failures: FailureRing,
    pub(crate) gauges: Gauges,
    /// The objectives that requests are counted for.
    pub(crate) watching: Mutex<Arc<Watching>>,
    /// The counts of all workers for them.
    pub(crate) objectives: Mutex<Vec<Arc<ObjectiveCounts>>>,
}

/// Counts of the gateway as a whole.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) connections: AtomicI64,
    pub(crate) connections_total: AtomicU64,
    pub(crate) connections_shed: AtomicU64,
    pub(crate) requests: AtomicI64,
    pub(crate) log_lines_dropped: AtomicU64,
    pub(crate) failures_untold: AtomicU64,
    pub(crate) resent: AtomicU64,
    pub(crate) cleanup_panics: AtomicU64,
    pub(crate) http2_floods: AtomicU64,
}

/// The connections to one service or subset, all workers together.
#[derive(Debug, Default)]
pub(crate) struct PoolGauges {
    pub(crate) service: Arc<str>,
    pub(crate) subset: Arc<str>,
    pub(crate) active: AtomicI64,
    pub(crate) idle: AtomicI64,
    pub(crate) waiting: AtomicI64,
    pub(crate) opened: AtomicU64,
    pub(crate) closed_while_idle: AtomicU64,
}

impl Observatory {
    pub(crate) fn new(failures: usize, watched: &[Watched]) -> Self {
        Self {
            series: Mutex::default(),
            phases: Mutex::default(),
            pools: Mutex::default(),
            failures: FailureRing::new(failures),
            gauges: Gauges::default(),
            watching: Mutex::new(Arc::new(Watching::new(watched))),
            objectives: Mutex::default(),
        }
    }

    /// The gauges of a service or subset: the same for all its ports, and over every reload.
    pub(crate) fn pool(&self, service: &Arc<str>, subset: Option<&Arc<str>>) -> Arc<PoolGauges> {
        let subset = subset.cloned().unwrap_or_default();
        let mut pools = lock(&self.pools);
        let known = pools.iter().find(|pool| pool.service == *service && pool.subset == subset);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let pool = PoolGauges { service: Arc::clone(service), subset, ..PoolGauges::default() };
        let pool = Arc::new(pool);
        pools.push(Arc::clone(&pool));
        pool
    }

    /// Forgets the gauges of what is served no more.
    pub(crate) fn forget_pools(&self) {
        lock(&self.pools).retain(|pool| Arc::strong_count(pool) > 1);
    }

    /// Cumulative counts, summed over the workers, sorted by their labels.
    pub(crate) fn counts(&self) -> Vec<RequestCount> {
        let series = lock(&self.series).clone();
        let mut counts: Vec<RequestCount> = Vec::new();
        for series in &series {
            series.read(&mut counts);
        }
        counts.sort_by(|a, b| a.labels().cmp(&b.labels()));
        counts.dedup_by(|from, into| {
            let same = from.labels() == into.labels();
            if same {
                into.requests += from.requests;
            }
            same
        });
        counts
    }
}

/// A poisoned lock still holds counters that are worth showing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a gauge for as long as the guard lives.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicI64);

impl<'a> Counted<'a> {
    pub(crate) fn new(gauge: &'a AtomicI64) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_shown_once_whatever_its_ports_and_forgotten_when_unused() {
        let observatory = Observatory::new(1, &[]);
        let (service, subset): (Arc<str>, Arc<str>) = ("pay".into(), "v1".into());
        let one = observatory.pool(&service, Some(&subset));
        let other = observatory.pool(&service, Some(&subset));
        assert!(Arc::ptr_eq(&one, &other));
        drop(observatory.pool(&service, None));
        let mut metrics = String::new();
        observatory.write_metrics(&mut metrics);
        assert_eq!(metrics.matches("subset=\"v1\",state=\"idle\"").count(), 1, "{metrics}");
        observatory.forget_pools();
        assert_eq!(lock(&observatory.pools).len(), 1);
    }
}
