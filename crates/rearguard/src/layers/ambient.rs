//! What is not pure: the time, and chance. What decides is handed both.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::CallContext;

/// A clock that began when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// The time since then.
    pub(super) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Where chance comes from: the thread's generator, or one with a seed, for tests.
#[derive(Clone, Default)]
pub(super) struct Chance(Option<Arc<Mutex<fastrand::Rng>>>);

impl Chance {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)))))
    }

    /// From 0 up to, but not, 1.
    pub(super) fn draw(&self) -> f64 {
        match &self.0 {
            Some(seeded) => seeded.lock().unwrap_or_else(PoisonError::into_inner).f64(),
            None => fastrand::f64(),
        }
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "seeded" } else { "random" })
    }
}

/// The end of a call's time, if its task has a [`CallContext`] with a deadline. What is dropped after
/// it was not left by its caller: it was too slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallDeadline(Option<Instant>);

impl CallDeadline {
    pub(super) fn current() -> Self {
        Self(CallContext::current().and_then(|context| context.deadline()))
    }

    pub(super) fn has_passed(self) -> bool {
        self.0.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// A duration for people: `1.5s`, `250ms`.
pub(super) fn rounded(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 { format!("{millis}ms") } else { format!("{:.1}s", duration.as_secs_f64()) }
}
