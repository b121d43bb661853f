//! Scopes whose cleanups are futures, and which outlive the function that opened them.
//!
//! [`OwnedScope`] keeps [`entry`]s. When it ends, a [`Closing`] begins them one after the other in
//! its [`slot`]; dropped instead, it is finished by the [`reaper`]. Only pointers move on the way,
//! so a cleanup that is half done goes on where it was.

mod acquire;
mod children;
mod closing;
mod entry;
mod inbox;
mod options;
mod reaper;
mod registry;
mod run;
mod slot;
mod sync;

use std::{
    fmt,
    future::Future,
    mem,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::time::Instant;

pub use acquire::Held;
pub use children::{Child, ChildError};
pub use closing::Closing;
pub use entry::AsyncCleanupResult;
pub use inbox::ScopeHandle;
pub use options::{DEFAULT_CLEANUP_DEADLINE, Options, Overrun};
pub use reaper::{DEFAULT_REAPER_CAPACITY, Reaper, ReaperStats};
pub use run::{Run, scope_async};

use self::{children::Children, entry::Entries, inbox::Inbox, options::Timing};
use super::{
    arena::Place,
    report::{ChildPanic, Unfinished},
};
use crate::Outcome;

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
pub struct OwnedScope {
    core: Core,
}

/// Names one cleanup of an [`OwnedScope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnedKey(u64);

/// What a scope holds, apart from what happens when it is dropped.
struct Core {
    entries: Entries,
    options: Options,
    /// When it began, where it is timed.
    begun: Option<Instant>,
    /// What few scopes need.
    extra: Option<Box<Extra>>,
}

#[derive(Default)]
struct Extra {
    /// The cleanups that have a key, and have not been taken.
    keyed: Vec<(u64, Place)>,
    inbox: Option<Arc<Inbox>>,
    children: Children,
}

// SAFETY: a `Place` is used only on the entries beside it, which are `Send` as well; all else in
// here is `Send` by itself.
unsafe impl Send for Extra {}

/// Keys are never used twice in a process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

impl OwnedScope {
    /// A scope with nothing to undo yet, and no bounds but that of [`Options::new`].
    #[inline]
    pub fn new() -> Self {
        Self::with(Options::new())
    }

    /// A scope with a name and bounds.
    #[inline]
    pub fn with(options: Options) -> Self {
        let begun = (options.timing == Timing::On).then(Instant::now);
        Self { core: Core { entries: Entries::new(), options, begun, extra: None } }
    }

    /// Registers a cleanup, which runs once, when the scope ends, newest first.
    #[inline]
    #[track_caller]
    pub fn defer<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|_| true, cleanup, Location::caller());
    }

    /// Registers a cleanup that is told how the scope ended.
    #[inline]
    #[track_caller]
    pub fn defer_with<F, C>(&mut self, cleanup: F)
    where
        F: FnOnce(Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.core.collect();
        self.core.entries.push_with(cleanup, Location::caller());
    }

    /// Registers a cleanup that runs only if the scope succeeded.
    #[inline]
    #[track_caller]
    pub fn on_success<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome == Outcome::Succeeded, cleanup, Location::caller());
    }

    /// Registers an undo: a cleanup that runs on every way out but success.
    #[inline]
    #[track_caller]
    pub fn on_failure<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome != Outcome::Succeeded, cleanup, Location::caller());
    }

    /// Registers a cleanup that runs only if the scope was cancelled.
    #[inline]
    #[track_caller]
    pub fn on_cancel<F>(&mut self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.push_on(|outcome| outcome == Outcome::Cancelled, cleanup, Location::caller());
    }

    /// Registers a cleanup that can be withdrawn, run early or handed on by its key.
    #[track_caller]
    pub fn defer_keyed<F>(&mut self, cleanup: F) -> OwnedKey
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        let key = NEXT_KEY.fetch_add(1, Relaxed);
        let place = self.push_on(|_| true, cleanup, Location::caller());
        self.core.extra().keyed.push((key, place));
        OwnedKey(key)
    }

    /// Withdraws a cleanup: it never runs, and what it captured is dropped. False if the scope has
    /// none by that key: it was taken before, or is another scope's.
    pub fn disarm(&mut self, key: OwnedKey) -> bool {
        let Some(place) = self.core.take_keyed(key) else { return false };
        // SAFETY: the key was listed, so its entry is live; it is listed no more.
        unsafe { self.core.entries.discard(place) };
        true
    }

    /// Runs a cleanup now, as it would on `outcome`, and never again. `None` if the scope has none
    /// by that key. The cleanup runs to its end even if the future is dropped.
    pub fn run_now(&mut self, key: OwnedKey, outcome: Outcome) -> Option<Closing> {
        let mut alone = Self::with(self.core.options);
        self.transfer(key, &mut alone).then(|| alone.end(outcome))
    }

    /// Hands a cleanup to another scope, as its newest; the key is good there. False if this scope
    /// has none by that key.
    pub fn transfer(&mut self, key: OwnedKey, to: &mut Self) -> bool {
        let Some(place) = self.core.take_keyed(key) else { return false };
        to.core.collect();
        // SAFETY: the key was listed, so its entry is live; it is listed no more.
        let place = unsafe { self.core.entries.transfer(place, &mut to.core.entries) };
        to.core.extra().keyed.push((key.0, place));
        true
    }

    /// Makes another scope a part of this one: it ends when its turn comes among the cleanups,
    /// with this one's outcome, under its own bounds. What fails in it stands in a report of its
    /// own, and in this one's as a failure.
    #[track_caller]
    pub fn adopt(&mut self, scope: Self) {
        self.core.collect();
        self.core.entries.push_with(
            move |outcome| async move {
                let report = scope.end(outcome).await;
                super::observer::notify(&report);
                report.into_result()
            },
            Location::caller(),
        );
    }

    /// A handle by which others register cleanups with this scope, also when it has ended.
    pub fn handle(&mut self) -> ScopeHandle {
        self.core.extra().inbox.get_or_insert_with(Inbox::new).handle()
    }

    /// Runs a task that belongs to the scope. When the scope succeeds, it waits for the task before
    /// its cleanups; on every other way out it cancels it, and waits until it has stopped. A panic
    /// is the task's own: it stands in the report, and the scope goes on.
    ///
    /// # Panics
    /// Outside of a runtime, as [`tokio::spawn`] does.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> Child<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.core.extra().children.spawn(future, Location::caller())
    }

    /// Ends the scope. Its cleanups run as the returned future is polled; dropped, they run in the
    /// [`Reaper`].
    #[inline]
    pub fn end(mut self, outcome: Outcome) -> Closing {
        let mut core = self.core.take();
        if outcome != Outcome::Succeeded {
            core.abort_children();
        }
        Closing::new(core, outcome)
    }

    #[inline(always)]
    fn push_on<F>(
        &mut self,
        applies: fn(Outcome) -> bool,
        cleanup: F,
        at: &'static Location<'static>,
    ) -> Place
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.core.collect();
        self.core.entries.push_on(applies, cleanup, at)
    }
}

impl Core {
    /// Takes everything out.
    #[inline]
    fn take(&mut self) -> Self {
        Self {
            entries: mem::replace(&mut self.entries, Entries::new()),
            options: self.options,
            begun: self.begun,
            extra: self.extra.take(),
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.extra.is_none()
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    fn take_keyed(&mut self, key: OwnedKey) -> Option<Place> {
        let keyed = &mut self.extra.as_mut()?.keyed;
        let index = keyed.iter().rposition(|(listed, _)| *listed == key.0)?;
        Some(keyed.swap_remove(index).1)
    }

    /// Takes in what handles have registered.
    #[inline(always)]
    fn collect(&mut self) {
        if let Some(extra) = &self.extra
            && let Some(inbox) = &extra.inbox
        {
            inbox.collect(&mut self.entries);
        }
    }

    fn end_inbox(&self, outcome: Outcome) -> inbox::Ended {
        match self.extra.as_ref().and_then(|extra| extra.inbox.as_ref()) {
            Some(inbox) => inbox.end(outcome, self.options),
            None => inbox::Ended::Yes,
        }
    }

    fn has_children(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| !extra.children.is_empty())
    }

    fn abort_children(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.children.abort();
        }
    }

    fn child_panics(&mut self) -> Vec<ChildPanic> {
        self.extra.as_mut().map_or_else(Vec::new, |extra| extra.children.take_panicked())
    }

    fn poll_children(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.extra {
            Some(extra) => extra.children.poll(context),
            None => Poll::Ready(()),
        }
    }

    fn give_up_children(&mut self, unfinished: &mut Vec<Unfinished>) {
        if let Some(extra) = &mut self.extra {
            extra.children.give_up(unfinished);
        }
    }
}

impl Default for OwnedScope {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OwnedScope {
    #[inline]
    fn drop(&mut self) {
        if !self.core.is_empty() {
            // Dropped at once, it goes on in the reaper.
            drop(mem::take(self).end(Outcome::Cancelled));
        }
    }
}

impl fmt::Debug for OwnedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedScope")
            .field("options", &self.core.options)
            .field("cleanups", &self.core.entries)
            .finish_non_exhaustive()
    }
}
