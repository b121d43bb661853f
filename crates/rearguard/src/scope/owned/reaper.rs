//! Where cancelled scopes are finished, and how that is seen, bounded and waited for.

use std::{
    fmt,
    pin::Pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use super::{inner::Inner, registry::Registry};
use crate::scope::{observer, report::UnfinishedReason};

/// How many scopes the reaper may hold at once unless [`Reaper::set_capacity`] says otherwise.
pub const DEFAULT_REAPER_CAPACITY: usize = 65_536;

/// Finishes the cleanups of scopes that were dropped before they ended.
///
/// There is one for the process. It runs each scope's cleanups in a task of its own, on the runtime
/// in whose context the scope was dropped, under the scope's own deadlines. What it cannot finish it
/// reports to the [`crate::Observer`] as unfinished, and counts as lost: nothing is dropped
/// silently.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
///
/// use rearguard::{OwnedScope, Reaper};
///
/// let mut scope = OwnedScope::new();
/// scope.defer(async { println!("closed, although the scope was dropped") });
/// drop(scope);
/// assert_eq!(Reaper::global().stats().waiting, 1);
/// assert_eq!(Reaper::global().drain(Duration::from_secs(5)).await.finished, 1);
/// # }
/// ```
#[derive(Debug)]
pub struct Reaper {
    registry: Registry<Instant>,
    capacity: AtomicUsize,
    finished: AtomicU64,
    lost: AtomicU64,
}

/// What the reaper holds and has done.
///
/// ```
/// use rearguard::Reaper;
///
/// let stats = Reaper::global().stats();
/// assert_eq!(stats.to_string(), "0 scopes waiting, 0 finished, 0 cleanups lost");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaperStats {
    /// Scopes whose cleanups are running.
    pub waiting: usize,
    /// For how long the oldest of them has been here.
    pub oldest: Option<Duration>,
    /// Scopes that were finished, ever.
    pub finished: u64,
    /// Cleanups that did not run to their end, ever: the runtime stopped or was not there, the
    /// reaper was full, or a deadline passed.
    pub lost: u64,
}

static REAPER: Reaper = Reaper {
    registry: Registry::new(),
    capacity: AtomicUsize::new(DEFAULT_REAPER_CAPACITY),
    finished: AtomicU64::new(0),
    lost: AtomicU64::new(0),
};

impl Reaper {
    /// The process's reaper.
    ///
    /// ```
    /// use rearguard::Reaper;
    ///
    /// assert!(std::ptr::eq(Reaper::global(), Reaper::global()));
    /// ```
    #[must_use]
    pub fn global() -> &'static Self {
        &REAPER
    }

    /// Bounds how many scopes it holds at once. The cleanups of one that finds it full are dropped
    /// and reported as unfinished.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{OwnedScope, Reaper};
    ///
    /// Reaper::global().set_capacity(0);
    /// let mut scope = OwnedScope::new();
    /// scope.defer(async { unreachable!("there is no room for it") });
    /// drop(scope);
    /// assert_eq!(Reaper::global().stats().lost, 1);
    /// # }
    /// ```
    pub fn set_capacity(&self, scopes: usize) {
        self.capacity.store(scopes, Relaxed);
    }

    /// What it holds and has done.
    ///
    /// ```
    /// use rearguard::{OwnedScope, Reaper};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.defer(async { unreachable!("there is no runtime") });
    /// drop(scope);
    /// assert_eq!(Reaper::global().stats().lost, 1);
    /// ```
    pub fn stats(&self) -> ReaperStats {
        let (waiting, oldest) = self.registry.held();
        ReaperStats {
            waiting,
            oldest: oldest.map(|since| since.elapsed()),
            finished: self.finished.load(Relaxed),
            lost: self.lost.load(Relaxed),
        }
    }

    /// Waits until nothing is left, `deadline` at most, and says what is held then. To be called
    /// before the runtime is shut down, when no new work comes in.
    ///
    /// # Panics
    /// Outside of a runtime with timers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rearguard::{OwnedScope, Reaper};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// scope.defer(async { println!("closed") });
    /// drop(scope);
    /// let stats = Reaper::global().drain(Duration::from_secs(5)).await;
    /// assert_eq!(stats.waiting, 0);
    /// # }
    /// ```
    pub async fn drain(&self, deadline: Duration) -> ReaperStats {
        // Where the deadline passes first, what is left shows in the answer.
        drop(tokio::time::timeout(deadline, self.registry.emptied()).await);
        self.stats()
    }

    pub(crate) fn count_lost(&self, cleanups: usize) {
        self.lost.fetch_add(cleanups as u64, Relaxed);
    }
}

impl fmt::Display for ReaperStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiting, finished, lost, .. } = self;
        write!(f, "{waiting} scopes waiting, {finished} finished, {lost} cleanups lost")
    }
}

/// Goes on with a scope whose owner has gone.
pub(crate) fn reap(mut scope: Inner) {
    let Ok(runtime) = Handle::try_current() else {
        scope.lose(UnfinishedReason::NoRuntime);
        return;
    };
    match REAPER.registry.enter(Instant::now(), REAPER.capacity.load(Relaxed)) {
        Some(ticket) => {
            scope.begin_reaped();
            drop(runtime.spawn(Reaping { scope, ticket }));
        }
        None => scope.lose(UnfinishedReason::ReaperFull),
    }
}

/// One scope in the reaper. Dropped before it is done, its runtime has stopped.
struct Reaping {
    scope: Inner,
    ticket: u64,
}

impl Future for Reaping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let report = ready!(self.scope.poll_end(context));
        REAPER.count_lost(report.unfinished().len());
        observer::notify(&report);
        REAPER.finished.fetch_add(1, Relaxed);
        Poll::Ready(())
    }
}

impl Drop for Reaping {
    fn drop(&mut self) {
        self.scope.lose(UnfinishedReason::RuntimeStopped);
        REAPER.registry.leave(self.ticket);
    }
}
