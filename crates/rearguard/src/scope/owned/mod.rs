//! Scopes whose cleanups are futures, and which outlive the function that opened them.
//!
//! [`OwnedScope`] keeps [`entry`]s. When it ends, a [`Closing`] begins them one after the other in
//! its [`slot`]; dropped instead, it is finished by the [`reaper`]. Only pointers move on the way,
//! so a cleanup that is half done goes on where it was.

mod acquire;
mod alarm;
mod children;
mod closing;
mod entry;
mod inbox;
mod inner;
mod options;
mod reaper;
mod registry;
mod run;
mod slot;
mod sync;

use std::{
    future::Future,
    panic::Location,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

pub use acquire::Held;
pub use children::{Child, ChildError};
pub use closing::Closing;
pub use entry::AsyncCleanupResult;
pub use inbox::ScopeHandle;
pub use options::{DEFAULT_CLEANUP_DEADLINE, Options, Overrun};
pub use reaper::{DEFAULT_REAPER_CAPACITY, Reaper, ReaperStats};
pub use run::{Run, scope_async};

use self::inner::Inner;
use crate::{Outcome, open};

/// A scope that can be kept, sent and passed on: by a layer, a lock, a response body, a task.
///
/// Its cleanups are futures, `Send` and `'static`. It ends in one of three ways: [`run`](Self::run)
/// runs a body in it, [`end`](Self::end) says how the work went, or it is dropped, which is a
/// cancellation: then the [`Reaper`] runs its cleanups, with [`Outcome::Cancelled`].
///
/// ```
/// use rearguard::{Outcome, OwnedScope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut scope = OwnedScope::new();
/// scope.defer(async { println!("always") });
/// scope.on_failure(async { println!("the undo") });
/// scope.defer_with(|outcome| async move { println!("it {outcome}") });
/// let report = scope.end(Outcome::Succeeded).await;
/// assert_eq!(report.cleanups, 2);
/// # }
/// ```
#[must_use = "a scope that is dropped at once runs its cleanups at once"]
#[derive(Debug)]
pub struct OwnedScope(Inner);

/// Names one cleanup of an [`OwnedScope`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rearguard::{OwnedKey, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// let key: OwnedKey = scope.defer_keyed(async { unreachable!("withdrawn") });
/// assert!(scope.disarm(key));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnedKey(u64);

/// Keys are never used twice in a process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

impl OwnedScope {
    /// A scope with nothing to undo yet, and no bounds but that of [`Options::new`].
    ///
    /// ```
    /// use rearguard::OwnedScope;
    ///
    /// drop(OwnedScope::new()); // nothing was registered, so nothing happens
    /// ```
    #[inline]
    #[track_caller]
    pub fn new() -> Self {
        Self::with(Options::new())
    }

    /// A scope with a name and bounds.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Options, Outcome, OwnedScope};
    ///
    /// let scope = OwnedScope::with(Options::new().named("upload"));
    /// assert_eq!(scope.end(Outcome::Succeeded).await.name, "upload");
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn with(options: Options) -> Self {
        let mut scope = Self(Inner::new(options));
        scope.0.begin(open::here());
        scope
    }

    /// Registers a cleanup, which runs once, when the scope ends, newest first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.defer(async { println!("closed") });
    /// assert_eq!(scope.end(Outcome::Failed).await.cleanups, 1);
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn defer<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.collect();
        self.0.entries.push_always(cleanup, Location::caller());
    }

    /// Registers a cleanup that is told how the scope ended.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.defer_with(|outcome| async move { assert_eq!(outcome, Outcome::Failed) });
    /// assert_eq!(scope.end(Outcome::Failed).await.cleanups, 1);
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn defer_with<F, C>(&mut self, cleanup: F)
    where
        F: FnOnce(Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.collect();
        self.0.entries.push_with(cleanup, Location::caller());
    }

    /// Registers a cleanup that runs only if the scope succeeded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.on_success(async { println!("committed") });
    /// assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 1);
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn on_success<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome == Outcome::Succeeded, cleanup, Location::caller());
    }

    /// Registers an undo: a cleanup that runs on every way out but success.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.on_failure(async { println!("rolled back") });
    /// assert_eq!(scope.end(Outcome::TimedOut).await.cleanups, 1);
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn on_failure<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome != Outcome::Succeeded, cleanup, Location::caller());
    }

    /// Registers a cleanup that runs only if the scope was cancelled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.on_cancel(async { unreachable!("it failed") });
    /// assert_eq!(scope.end(Outcome::Failed).await.cleanups, 0);
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn on_cancel<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome == Outcome::Cancelled, cleanup, Location::caller());
    }

    /// Registers a cleanup that can be withdrawn, run early or handed on by its key.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// let undo = scope.defer_keyed(async { unreachable!("withdrawn") });
    /// assert!(scope.disarm(undo));
    /// assert!(!scope.disarm(undo));
    /// assert_eq!(scope.end(Outcome::Failed).await.cleanups, 0);
    /// # }
    /// ```
    #[track_caller]
    pub fn defer_keyed<F>(&mut self, cleanup: F) -> OwnedKey
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        let key = OwnedKey(NEXT_KEY.fetch_add(1, Relaxed));
        self.0.collect();
        let place = self.0.entries.push_always(cleanup, Location::caller());
        self.0.key(key, place);
        key
    }

    /// Withdraws a cleanup: it never runs, and what it captured is dropped here. False if the scope has
    /// none by that key: it was taken before, or is another scope's.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::OwnedScope;
    ///
    /// let mut scope = OwnedScope::new();
    /// let key = scope.defer_keyed(async { unreachable!("withdrawn") });
    /// assert!(scope.disarm(key));
    /// assert!(!scope.disarm(key), "it was taken before");
    /// # }
    /// ```
    pub fn disarm(&mut self, key: OwnedKey) -> bool {
        let Some(place) = self.0.take_keyed(key) else { return false };
        // SAFETY: the key was listed, so its entry is live; it is listed no more.
        unsafe { self.0.entries.discard(place) };
        true
    }

    /// Runs a cleanup now, as it would on `outcome`, and never again. `None` if the scope has none
    /// by that key. The cleanup runs to its end even if the future is dropped.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// let unlock = scope.defer_keyed(async {});
    /// let report = scope.run_now(unlock, Outcome::Succeeded).unwrap().await;
    /// assert_eq!(report.cleanups, 1);
    /// assert!(scope.run_now(unlock, Outcome::Succeeded).is_none());
    /// # }
    /// ```
    pub fn run_now(&mut self, key: OwnedKey, outcome: Outcome) -> Option<Closing> {
        let mut alone = Self::with(self.0.options);
        self.transfer(key, &mut alone).then(|| alone.end(outcome))
    }

    /// Hands a cleanup to another scope, as its newest; the key is good there. False if this scope
    /// has none by that key.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (mut request, mut session) = (OwnedScope::new(), OwnedScope::new());
    /// let close = request.defer_keyed(async {});
    /// assert!(request.transfer(close, &mut session));
    /// assert_eq!(request.end(Outcome::Succeeded).await.cleanups, 0);
    /// assert_eq!(session.end(Outcome::Succeeded).await.cleanups, 1);
    /// # }
    /// ```
    pub fn transfer(&mut self, key: OwnedKey, to: &mut Self) -> bool {
        let Some(place) = self.0.take_keyed(key) else { return false };
        to.0.collect();
        // SAFETY: the key was listed, so its entry is live; it is listed no more.
        let place = unsafe { self.0.entries.transfer(place, &mut to.0.entries) };
        to.0.key(key, place);
        true
    }

    /// Makes another scope a part of this one: it ends when its turn comes among the cleanups,
    /// with this one's outcome, under its own bounds. What fails in it stands in a report of its
    /// own, and in this one's as a failure.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (mut outer, mut inner) = (OwnedScope::new(), OwnedScope::new());
    /// inner.defer(async { Err("not closed") });
    /// outer.adopt(inner);
    /// assert_eq!(outer.end(Outcome::Succeeded).await.failures().len(), 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn adopt(&mut self, scope: Self) {
        self.0.collect();
        self.0.entries.push_with(
            move |outcome| async move { scope.end(outcome).await.into_result() },
            Location::caller(),
        );
    }

    /// A handle by which others register cleanups with this scope, also when it has ended.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// let handle = scope.handle();
    /// tokio::spawn(async move { handle.defer(async {}) }).await.unwrap();
    /// assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 1);
    /// # }
    /// ```
    pub fn handle(&mut self) -> ScopeHandle {
        self.0.inbox().handle()
    }

    /// Runs a task that belongs to the scope. When the scope succeeds, it waits for the task before
    /// its cleanups; on every other way out it cancels it, and waits until it has stopped. A panic
    /// is the task's own: it stands in the report, and the scope goes on. A task that blocks its
    /// thread cannot be stopped: past [`Options::cleanup_deadline`] the cleanups run without it, and
    /// it is reported as unfinished.
    ///
    /// # Panics
    /// Outside of a runtime, as [`tokio::spawn`] does.
    ///
    /// ```
    /// use rearguard::{Options, scope_async};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ended = scope_async(Options::new(), async |s| {
    ///     s.defer(async { println!("when the task has ended") });
    ///     let sum = s.spawn(async { 1 + 2 });
    ///     assert_eq!(sum.await.unwrap(), 3);
    /// });
    /// assert!(ended.await.report.is_clean());
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> Child<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let name = self.0.options.name;
        self.0.extra().children.spawn(name, future, Location::caller())
    }

    /// Ends the scope. Its cleanups run as the returned future is polled; dropped, they run in the
    /// [`Reaper`].
    ///
    /// [`Options::deadline`] is the body's, so it does not count here. Tasks of a scope that
    /// succeeded are given [`Options::cleanup_deadline`]; then they are cancelled, and reported as
    /// unfinished.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// scope.on_failure(async { println!("rolled back") });
    /// let report = scope.end(Outcome::Failed).await;
    /// assert_eq!((report.outcome, report.cleanups), (Outcome::Failed, 1));
    /// # }
    /// ```
    #[inline]
    pub fn end(mut self, outcome: Outcome) -> Closing {
        self.0.begin_end(outcome);
        Closing(self.0)
    }

    #[inline(always)]
    fn push_on<F>(
        &mut self,
        applies: fn(Outcome) -> bool,
        cleanup: F,
        at: &'static Location<'static>,
    ) where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.collect();
        self.0.entries.push_on(applies, cleanup, at);
    }
}

impl Default for OwnedScope {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}
