use std::{error::Error, fmt, panic::Location, time::Duration};

use super::panic::Panic;
use crate::Outcome;

/// An error of any type, as cleanups of an `OwnedScope` return it.
///
/// ```
/// use rearguard::BoxError;
///
/// let error: BoxError = "could not close".into();
/// assert_eq!(error.to_string(), "could not close");
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What ending a scope brought to light beside its result.
///
/// ```
/// use rearguard::{Completion, FailureKind, Outcome, scope_reported};
///
/// let ended = scope_reported("upload", |s| -> Result<u32, String> {
///     s.defer(|| Err::<(), _>("could not remove the temporary file".to_owned()));
///     Err("no room left".to_owned())
/// });
/// let report = ended.report;
/// assert_eq!((report.name, report.outcome), ("upload", Outcome::Failed));
/// assert_eq!(report.completion, Completion::InPlace);
/// assert!(!report.is_clean() && report.unfinished().is_empty());
/// let failure = &report.failures()[0];
/// assert!(matches!(&failure.kind, FailureKind::Error(error) if error.to_string().contains("remove")));
/// assert!(failure.registered_at.line() > 0);
/// assert!(report.times.is_some_and(|times| times.cleanup.as_secs() < 60));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The name that [`crate::scope_reported`] or `Options::named` gave the scope; empty where none
    /// did.
    pub name: &'static str,
    /// How the scope ended, frozen before the first cleanup ran.
    pub outcome: Outcome,
    /// Who ran the cleanups.
    pub completion: Completion,
    /// How many cleanups ran to their end, well or not; none is counted in a plain
    /// [`crate::scope`] or [`crate::scope_local`], of which an observer is told.
    pub cleanups: usize,
    /// How long it took, in [`crate::scope_reported`] and where `Options::timed` asked for it.
    pub times: Option<Times>,
    /// Aside, so that a report of a scope in which all went well is small.
    trouble: Option<Box<Trouble>>,
}

/// What went wrong in ending a scope.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) failures: Vec<CleanupFailure>,
    pub(crate) unfinished: Vec<Unfinished>,
    pub(crate) children: Vec<ChildPanic>,
}

/// Who ran a scope's cleanups, and where it stopped.
///
/// ```
/// use rearguard::{Completion, scope_reported};
///
/// let report = scope_reported("here", |s| s.defer(|| {})).report;
/// assert_eq!(report.completion, Completion::InPlace);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completion {
    /// The scope itself.
    InPlace,
    /// The reaper: the scope was dropped before or during its cleanups.
    Reaped,
    /// The scope began; the reaper was handed the rest, as `Overrun::Background` asks.
    /// It tells of them in a report of its own.
    HandedOver,
}

/// How long a scope took.
///
/// ```
/// use rearguard::{Times, scope_reported};
///
/// let report = scope_reported("timed", |s| s.defer(|| {})).report;
/// let Some(Times { work, cleanup }) = report.times else { unreachable!("it is asked for") };
/// println!("{work:?} of work, {cleanup:?} of cleanup");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the scope's beginning to the end of its body.
    pub work: Duration,
    /// From the end of its body to the end of its last cleanup.
    pub cleanup: Duration,
}

/// A cleanup ran, and failed.
///
/// ```
/// use rearguard::scope_reported;
///
/// let ended = scope_reported("close", |s| {
///     s.defer(|| panic!("on purpose"));
///     Err::<(), _>("no room left")
/// });
/// let failure = &ended.report.failures()[0];
/// assert!(failure.registered_at.file().ends_with(".rs"));
/// assert!(failure.to_string().ends_with("panicked: on purpose"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct CleanupFailure {
    /// Where the cleanup was registered.
    pub registered_at: &'static Location<'static>,
    /// What went wrong.
    pub kind: FailureKind,
}

/// What went wrong in a cleanup.
///
/// ```
/// use rearguard::{FailureKind, scope_reported};
///
/// let ended = scope_reported("close", |s| {
///     s.defer(|| panic!("on purpose"));
///     Err::<(), _>("no room left")
/// });
/// let kind = &ended.report.failures()[0].kind;
/// assert!(matches!(kind, FailureKind::Panic(message) if message == "on purpose"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// It returned this error.
    Error(BoxError),
    /// It panicked, with this message.
    Panic(String),
}

impl CleanupFailure {
    pub(crate) fn error(registered_at: &'static Location<'static>, error: BoxError) -> Self {
        Self { registered_at, kind: FailureKind::Error(error) }
    }

    /// Forgets the payload.
    pub(crate) fn panic(registered_at: &'static Location<'static>, panic: &Panic) -> Self {
        Self { registered_at, kind: FailureKind::Panic(panic.message().to_owned()) }
    }
}

impl fmt::Display for CleanupFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.registered_at;
        match &self.kind {
            FailureKind::Error(error) => write!(f, "the cleanup of {at} failed: {error}"),
            FailureKind::Panic(message) => write!(f, "the cleanup of {at} panicked: {message}"),
        }
    }
}

impl Error for CleanupFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FailureKind::Error(error) => Some(error.as_ref()),
            FailureKind::Panic(_) => None,
        }
    }
}

/// A task of a scope panicked.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use rearguard::{Outcome, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// drop(scope.spawn(async { panic!("on purpose") }));
/// let report = scope.end(Outcome::Succeeded).await;
/// assert_eq!(report.children()[0].message, "on purpose");
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildPanic {
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it panicked with.
    pub message: String,
}

/// A cleanup, or a task of the scope, that did not run to its end.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use rearguard::{Options, Outcome, OwnedScope};
/// use std::{future::pending, time::Duration};
///
/// let options = Options::new().cleanup_deadline(Duration::from_secs(1));
/// let mut scope = OwnedScope::with(options);
/// scope.defer(pending::<()>());
/// let report = scope.end(Outcome::Succeeded).await;
/// assert!(report.unfinished()[0].to_string().ends_with("it overran its deadline"));
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Where the cleanup was registered, or the task spawned.
    pub registered_at: &'static Location<'static>,
    /// What kept it from its end.
    pub reason: UnfinishedReason,
}

/// What kept a cleanup from running to its end.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use rearguard::{Options, Outcome, OwnedScope, UnfinishedReason};
/// use std::{future::pending, time::Duration};
///
/// let options = Options::new().cleanup_deadline(Duration::from_secs(1));
/// let mut scope = OwnedScope::with(options);
/// scope.defer(pending::<()>());
/// let report = scope.end(Outcome::Succeeded).await;
/// assert_eq!(report.unfinished()[0].reason, UnfinishedReason::TimedOut);
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfinishedReason {
    /// Its deadline, or that of all cleanups, passed while it ran.
    TimedOut,
    /// It was not begun, because an earlier one overran.
    Abandoned,
    /// The scope was dropped where no runtime was at hand to finish it.
    NoRuntime,
    /// The runtime stopped before it was done.
    RuntimeStopped,
    /// A task did not stop in time when it was told to.
    ChildRunning,
    /// The reaper held as many scopes as it may.
    ReaperFull,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.registered_at;
        let reason = match self.reason {
            UnfinishedReason::ChildRunning => {
                return write!(f, "the task of {at} did not stop in time");
            }
            UnfinishedReason::TimedOut => "it overran its deadline",
            UnfinishedReason::Abandoned => "an earlier one overran its deadline",
            UnfinishedReason::NoRuntime => "no runtime was at hand",
            UnfinishedReason::RuntimeStopped => "the runtime stopped",
            UnfinishedReason::ReaperFull => "the reaper was full",
        };
        write!(f, "the cleanup of {at} did not finish: {reason}")
    }
}

impl Error for Unfinished {}

impl Report {
    #[inline]
    pub(crate) const fn new(name: &'static str, outcome: Outcome) -> Self {
        Self {
            name,
            outcome,
            completion: Completion::InPlace,
            cleanups: 0,
            times: None,
            trouble: None,
        }
    }

    pub(crate) fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    /// The cleanups that failed, in the order in which they ran. The first one is the scope's own
    /// failure if its body succeeded; all others are suppressed by an earlier failure.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("close", |s| {
    ///     s.defer(|| panic!("on purpose"));
    ///     Err::<(), _>("no room left")
    /// });
    /// assert_eq!(ended.report.failures().len(), 1);
    /// ```
    #[must_use]
    pub fn failures(&self) -> &[CleanupFailure] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.failures)
    }

    /// The cleanups that did not run to their end, and the tasks that did not stop in time.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use rearguard::{Options, Outcome, OwnedScope};
    /// use std::{future::pending, time::Duration};
    ///
    /// let options = Options::new().cleanup_deadline(Duration::from_secs(1));
    /// let mut scope = OwnedScope::with(options);
    /// scope.defer(pending::<()>());
    /// let report = scope.end(Outcome::Succeeded).await;
    /// assert_eq!(report.unfinished().len(), 1);
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> &[Unfinished] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.unfinished)
    }

    /// The tasks of the scope that panicked. That is their own outcome, not the scope's.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// drop(scope.spawn(async { panic!("on purpose") }));
    /// let report = scope.end(Outcome::Succeeded).await;
    /// assert_eq!(report.children().len(), 1);
    /// assert!(report.is_clean());
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn children(&self) -> &[ChildPanic] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.children)
    }

    /// Whether every cleanup ran to its end, and none failed.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("close", |s| {
    ///     s.defer(|| panic!("on purpose"));
    ///     Err::<(), _>("no room left")
    /// });
    /// assert!(!ended.report.is_clean());
    /// ```
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures().is_empty() && self.unfinished().is_empty()
    }

    /// The first thing that went wrong in ending the scope, as an error.
    ///
    /// # Errors
    /// The first cleanup that failed, else the first that did not finish.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("close", |s| {
    ///     s.defer(|| panic!("on purpose"));
    ///     Err::<(), _>("no room left")
    /// });
    /// let error = ended.report.into_result().expect_err("a cleanup panicked");
    /// assert!(error.to_string().ends_with("panicked: on purpose"));
    /// ```
    pub fn into_result(self) -> Result<(), BoxError> {
        let Some(trouble) = self.trouble else { return Ok(()) };
        match (trouble.failures.into_iter().next(), trouble.unfinished.first()) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(unfinished)) => Err((*unfinished).into()),
            (None, None) => Ok(()),
        }
    }

    /// The first cleanup that failed.
    pub(crate) fn into_failure(self) -> Option<CleanupFailure> {
        self.trouble?.failures.into_iter().next()
    }
}
