use std::{fmt, time::Duration};

/// How long the cleanups of a scope may take together unless [`Options::cleanup_deadline`] says
/// otherwise. A cleanup that hangs must not hang its scope for good.
pub const DEFAULT_CLEANUP_DEADLINE: Duration = Duration::from_secs(30);

/// The name and the bounds of an [`OwnedScope`](crate::OwnedScope). Can be made in a `const`.
///
/// ```
/// use std::time::Duration;
/// use rearguard::{Options, Overrun};
///
/// const CHECKOUT: Options = Options::new()
///     .named("checkout")
///     .deadline(Duration::from_secs(2))
///     .cleanup_deadline(Duration::from_secs(1))
///     .overrun(Overrun::Background);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub(crate) name: &'static str,
    pub(crate) deadline: Bound,
    pub(crate) cleanup_deadline: Bound,
    pub(crate) each_cleanup_deadline: Bound,
    pub(crate) overrun: Overrun,
    pub(crate) timing: Timing,
}

/// What becomes of the other cleanups when one overruns its deadline.
///
/// The one that overran is dropped where it waits, and reported as unfinished, unless it is handed
/// over.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::{future::pending, time::Duration};
///
/// use rearguard::{Options, Overrun, scope_async};
///
/// let options = Options::new().each_cleanup_deadline(Duration::from_secs(1));
/// let ended = scope_async(options.overrun(Overrun::Abandon), async |s| {
///     s.defer(async { unreachable!("abandoned") });
///     s.defer(pending::<()>());
/// });
/// assert_eq!(ended.await.report.unfinished().len(), 2);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum Overrun {
    /// They run while the deadline of all cleanups allows it; past that one, as for `Abandon`.
    #[default]
    RunRest,
    /// They are dropped, and reported as unfinished.
    Abandon,
    /// Past the deadline of all cleanups, the one that waits and the rest are handed to the
    /// reaper, which gives them as much time again; the scope returns at once. Past the deadline of
    /// a single one, as for `RunRest`.
    Background,
}

/// A duration in nanoseconds, half as large as a [`Duration`], because each scope keeps three. The
/// longest, 584 years, is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound(u64);

impl Bound {
    const NONE: Self = Self(u64::MAX);

    const fn of(duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos >= u64::MAX as u128 { Self::NONE } else { Self(nanos as u64) }
    }

    pub(crate) const fn get(self) -> Option<Duration> {
        match self {
            Self::NONE => None,
            Self(nanos) => Some(Duration::from_nanos(nanos)),
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Timing {
    Off,
    On,
}

impl Options {
    /// No name, no deadline for the body, [`DEFAULT_CLEANUP_DEADLINE`] for the cleanups.
    ///
    /// ```
    /// use rearguard::{Options, OwnedScope};
    ///
    /// const PLAIN: Options = Options::new();
    ///
    /// drop(OwnedScope::with(PLAIN));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            name: "",
            deadline: Bound::NONE,
            cleanup_deadline: Bound::of(DEFAULT_CLEANUP_DEADLINE),
            each_cleanup_deadline: Bound::NONE,
            overrun: Overrun::RunRest,
            timing: Timing::Off,
        }
    }

    /// Names the scope in its report.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Options, scope_async};
    ///
    /// let ended = scope_async(Options::new().named("upload"), async |_| {});
    /// assert_eq!(ended.await.report.name, "upload");
    /// # }
    /// ```
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Bounds the body, and the tasks that it spawned. When it passes, the body is dropped where it
    /// waits and the scope ends as [`TimedOut`](crate::Outcome::TimedOut). A body that blocks its
    /// thread cannot be interrupted.
    ///
    /// The deadline is tokio's: a body that waits outside of a runtime with timers panics.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::{future::pending, time::Duration};
    ///
    /// use rearguard::{Options, Outcome, scope_async};
    ///
    /// let options = Options::new().deadline(Duration::from_secs(1));
    /// let ended = scope_async(options, async |_| pending::<()>().await);
    /// assert_eq!(ended.await.report.outcome, Outcome::TimedOut);
    /// # }
    /// ```
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Bound::of(deadline);
        self
    }

    /// Bounds all cleanups together, from the moment at which one of them first has to wait. Outside
    /// of a runtime with timers there is no bound.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::{future::pending, time::Duration};
    ///
    /// use rearguard::{Options, UnfinishedReason, scope_async};
    ///
    /// let options = Options::new().cleanup_deadline(Duration::from_secs(1));
    /// let ended = scope_async(options, async |s| s.defer(pending::<()>()));
    /// let report = ended.await.report;
    /// assert_eq!(report.unfinished()[0].reason, UnfinishedReason::TimedOut);
    /// # }
    /// ```
    #[must_use]
    pub const fn cleanup_deadline(mut self, deadline: Duration) -> Self {
        self.cleanup_deadline = Bound::of(deadline);
        self
    }

    /// Bounds each cleanup, from the moment at which it first has to wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::{future::pending, time::Duration};
    ///
    /// use rearguard::{Options, scope_async};
    ///
    /// let options = Options::new().each_cleanup_deadline(Duration::from_secs(1));
    /// let ended = scope_async(options, async |s| {
    ///     s.defer(async { println!("runs") });
    ///     s.defer(pending::<()>());
    /// });
    /// let report = ended.await.report;
    /// assert_eq!((report.cleanups, report.unfinished().len()), (1, 1));
    /// # }
    /// ```
    #[must_use]
    pub const fn each_cleanup_deadline(mut self, deadline: Duration) -> Self {
        self.each_cleanup_deadline = Bound::of(deadline);
        self
    }

    /// Says what becomes of the other cleanups when one overruns.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::{future::pending, time::Duration};
    ///
    /// use rearguard::{Completion, Options, Overrun, scope_async};
    ///
    /// let options = Options::new().cleanup_deadline(Duration::from_secs(1));
    /// let ended = scope_async(options.overrun(Overrun::Background), async |s| {
    ///     s.defer(pending::<()>());
    /// });
    /// assert_eq!(ended.await.report.completion, Completion::HandedOver);
    /// # }
    /// ```
    #[must_use]
    pub const fn overrun(mut self, overrun: Overrun) -> Self {
        self.overrun = overrun;
        self
    }

    /// Measures the time of work and of cleanup, for
    /// [`Report::times`](crate::Report::times): three readings of the clock.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Options, scope_async};
    ///
    /// let ended = scope_async(Options::new().timed(), async |s| s.defer(async {}));
    /// assert!(ended.await.report.times.is_some());
    /// # }
    /// ```
    #[must_use]
    pub const fn timed(mut self) -> Self {
        self.timing = Timing::On;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
