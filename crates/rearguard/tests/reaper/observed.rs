//! What the observer was told, by the scope's name.

use std::{
    ops::Deref,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use rearguard::{
    Completion, Observer, Outcome, Reaper, ReaperStats, Report, UnfinishedReason, set_observer,
};

/// A report that was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) completion: Completion,
    pub(crate) cleanups: usize,
    pub(crate) failures: usize,
    pub(crate) unfinished: Vec<UnfinishedReason>,
    pub(crate) work: Option<Duration>,
}

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

struct Remembers;

impl Observer for Remembers {
    fn scope_ended(&self, report: &Report) {
        assert!(report.name != "observer panics", "so it does");
        let told = Told {
            name: report.name,
            outcome: report.outcome,
            completion: report.completion,
            cleanups: report.cleanups,
            failures: report.failures().len(),
            unfinished: report.unfinished().iter().map(|unfinished| unfinished.reason).collect(),
            work: report.times.map(|times| times.work),
        };
        TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }
}

/// What was told of scopes of this name since it was last asked.
pub(crate) fn observed(name: &str) -> Vec<Told> {
    TOLD.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extract_if(.., |told| told.name == name)
        .collect()
}

/// The reaper's counts when a test begins, which is alone until this is dropped.
pub(crate) struct Alone(ReaperStats, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Deref for Alone {
    type Target = ReaperStats;

    fn deref(&self) -> &ReaperStats {
        &self.0
    }
}

pub(crate) fn alone() -> Alone {
    static ALONE: Mutex<()> = Mutex::new(());
    static OBSERVER: Once = Once::new();
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    OBSERVER.call_once(|| assert!(set_observer(Remembers).is_ok()));
    let stats = Reaper::global().stats();
    assert_eq!(stats.waiting, 0);
    Alone(stats, guard)
}

/// Runs a test whose time passes as soon as there is nothing to do.
pub(crate) fn paused<F: Future>(test: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(test)
}
