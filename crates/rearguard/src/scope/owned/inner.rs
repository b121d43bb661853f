//! A scope from its beginning to its end: what it holds, and how its cleanups are run.
//!
//! One struct for both halves of its life, so that a scope ends where it is: [`OwnedScope`] and
//! [`Closing`](super::Closing) only say which half it is in. What few scopes need is kept aside.

mod overrun;

use std::{
    any::Any,
    fmt,
    hint::cold_path,
    mem,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::time::Instant;

use super::{
    OwnedKey,
    alarm::Alarm,
    children::Children,
    entry::{Begun, Entries, Take},
    inbox::{self, Inbox},
    options::{Options, Timing},
    reaper,
    slot::Slot,
};
use crate::{
    Outcome,
    open::{self, Open, OpenKind},
    scope::{
        arena::Place,
        observer,
        panic::Panic,
        report::{
            BoxError, CleanupFailure, Completion, Report, Times, Trouble, Unfinished,
            UnfinishedReason,
        },
    },
};

/// Where a cleanup was registered.
type At = &'static Location<'static>;

/// A scope, open or ending.
///
/// Dropped before it is done, it goes to the reaper, where it goes on as it is.
pub(super) struct Inner {
    /// The cleanup that runs. It may be where it was among the entries: so it goes before them,
    /// and while it is here, none is taken out of them.
    slot: Slot,
    pub(super) entries: Entries,
    /// Where that one was registered.
    running: Option<At>,
    cleanups: usize,
    extra: Option<Box<Extra>>,
    pub(super) options: Options,
    stage: Stage,
    outcome: Outcome,
    completion: Completion,
}

/// What few scopes need.
#[derive(Default)]
pub(super) struct Extra {
    /// The cleanups that have a key, and have not been taken.
    keyed: Vec<(u64, Place)>,
    inbox: Option<Arc<Inbox>>,
    pub(super) children: Children,
    failures: Vec<CleanupFailure>,
    unfinished: Vec<Unfinished>,
    /// That it is open, where that is watched.
    open: Open,
    /// When it began, and when its body ended, where it is timed.
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// Of all cleanups, once one had to wait.
    total: Option<Alarm>,
    /// Of the one that runs, once it had to wait.
    each: Option<Alarm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is kept, without a body.
    Open,
    /// Its body runs.
    Work,
    /// Waiting for its tasks.
    Children,
    Cleanups,
    Done,
}

#[inline(always)]
fn inbox(extra: &Option<Box<Extra>>) -> Option<&Inbox> {
    extra.as_ref()?.inbox.as_deref()
}

/// Why no more cleanups were begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// There are none.
    Empty,
    /// One waits, in the slot.
    Waits,
    /// One has ended badly, and that is noted.
    Ended,
}

/// How a cleanup ended badly.
enum Bad {
    Failed(BoxError),
    Panicked(Box<dyn Any + Send>),
}

/// How far [`Inner::begin_all`] has come, in registers; written down when it is dropped, also by a
/// panic.
struct Progress<'a> {
    running: &'a mut Option<At>,
    at: Option<At>,
    cleanups: &'a mut usize,
    done: usize,
}

impl Drop for Progress<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.running = self.at;
        *self.cleanups += self.done;
    }
}

impl Inner {
    /// All but the options is the same for every scope, and nothing is decided here, so that it is
    /// built where it stays.
    #[inline(always)]
    pub(super) const fn new(options: Options) -> Self {
        Self {
            entries: Entries::new(),
            slot: Slot::new(),
            running: None,
            cleanups: 0,
            extra: None,
            options,
            stage: Stage::Open,
            outcome: Outcome::Cancelled,
            completion: Completion::InPlace,
        }
    }

    /// It begins now, where it is timed or watched.
    #[inline(always)]
    pub(super) fn begin(&mut self, at: open::Place) {
        if self.options.timing == Timing::On {
            self.begin_timed();
        }
        if open::is_watched() {
            self.begin_watched(at);
        }
    }

    #[cold]
    fn begin_timed(&mut self) {
        self.extra().begun = Some(Instant::now());
    }

    #[cold]
    fn begin_watched(&mut self, at: open::Place) {
        let name = self.options.name;
        self.extra().open = open::register(OpenKind::Scope, || name, at);
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Lists a cleanup by its key.
    pub(super) fn key(&mut self, key: OwnedKey, place: Place) {
        self.extra().keyed.push((key.0, place));
    }

    /// Where the cleanup with this key is, which is listed no more.
    pub(super) fn take_keyed(&mut self, key: OwnedKey) -> Option<Place> {
        let keyed = &mut self.extra.as_mut()?.keyed;
        let index = keyed.iter().rposition(|(listed, _)| *listed == key.0)?;
        Some(keyed.swap_remove(index).1)
    }

    pub(super) fn inbox(&mut self) -> &Arc<Inbox> {
        self.extra().inbox.get_or_insert_with(Inbox::new)
    }

    /// Takes in what handles have registered.
    #[inline(always)]
    pub(super) fn collect(&mut self) {
        if let Some(inbox) = inbox(&self.extra) {
            inbox.collect(&mut self.entries);
        }
    }

    /// Lets no more in by handles, unless something came that must be taken first.
    #[inline]
    fn end_inbox(&self) -> inbox::Ended {
        match inbox(&self.extra) {
            Some(inbox) => inbox.end(self.outcome, self.options),
            None => inbox::Ended::Yes,
        }
    }

    pub(super) fn has_children(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| !extra.children.is_empty())
    }

    pub(super) fn poll_children(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.extra {
            Some(extra) => extra.children.poll(context),
            None => Poll::Ready(()),
        }
    }

    /// It has a body: from here on it is a scope that ends, even with nothing to undo.
    #[inline]
    pub(super) fn begin_work(&mut self) {
        self.stage = Stage::Work;
    }

    /// The body has ended: from here on it is polled.
    #[inline]
    pub(super) fn begin_end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.stage = Stage::Cleanups;
        let Some(extra) = &mut self.extra else { return };
        if extra.begun.is_some() {
            extra.ended = Some(Instant::now());
        }
        if !extra.children.is_empty() {
            self.stage = Stage::Children;
            if outcome != Outcome::Succeeded {
                extra.children.abort();
            }
        }
    }

    /// Runs the tasks and the cleanups to their end.
    #[inline]
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Report> {
        assert!(self.stage != Stage::Done, "polled after it was done");
        if self.stage == Stage::Children {
            ready!(self.poll_last_children(context));
        }
        ready!(self.poll_cleanups(context));
        Poll::Ready(self.finish())
    }

    /// Tasks that take too long are told to stop, if they were not before; where that takes too long
    /// as well, the cleanups go on without them.
    fn poll_last_children(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.poll_children(context).is_pending() {
            ready!(self.poll_total(context));
            let told = self.outcome != Outcome::Succeeded;
            let extra = self.extra();
            if told || !extra.children.overrun() {
                break;
            }
            extra.total = None;
        }
        let extra = self.extra();
        extra.unfinished.extend(extra.children.give_up());
        // The cleanups have their own time.
        extra.total = None;
        self.stage = Stage::Cleanups;
        Poll::Ready(())
    }

    /// Runs until something has to wait.
    #[inline]
    fn poll_cleanups(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let polled = match self.running {
                Some(at) => self.poll_running(at, context),
                None => match self.begin_ready(context) {
                    Pause::Empty if self.end_inbox() == inbox::Ended::Yes => return Poll::Ready(()),
                    Pause::Waits => Poll::Pending,
                    _ => continue,
                },
            };
            if polled.is_pending() {
                ready!(self.poll_deadlines(context));
            }
        }
    }

    /// Begins cleanups, and polls each for the first time, until one waits or ends badly. One catch
    /// serves for all that end well.
    #[inline]
    fn begin_ready(&mut self, context: &mut Context<'_>) -> Pause {
        let mut error = None;
        match catch_unwind(AssertUnwindSafe(|| self.begin_all(&mut error, context))) {
            Ok(Pause::Ended) => {}
            Ok(pause) => return pause,
            Err(payload) => self.ended_badly(Bad::Panicked(payload)),
        }
        if let Some(error) = error {
            self.ended_badly(Bad::Failed(error));
        }
        Pause::Ended
    }

    #[cold]
    fn ended_badly(&mut self, how: Bad) {
        let Some(at) = self.running else { return };
        match how {
            Bad::Failed(error) => {
                self.failed(at, error);
                self.clear(at);
            }
            Bad::Panicked(payload) => self.panicked(at, payload),
        }
        self.running = None;
        self.cleanups += 1;
    }

    /// Begins cleanups; ends with one that waits or has failed, if any does. `running` tells which
    /// it is, and which one panicked.
    #[inline(always)]
    fn begin_all(&mut self, error: &mut Option<BoxError>, context: &mut Context<'_>) -> Pause {
        let Self { entries, slot, running, cleanups, extra, outcome, .. } = self;
        let mut take = Take::begin(*outcome, slot, context);
        let (mut newest, inbox) = (entries.newest(), inbox(extra));
        let mut begun = Progress { running, at: None, cleanups, done: 0 };
        loop {
            if let Some(inbox) = inbox {
                newest.change(|entries| inbox.collect(entries));
            }
            let Some(next) = newest.pop() else {
                begun.at = None;
                return Pause::Empty;
            };
            begun.at = Some(next.at());
            next.take(&mut take);
            if take.begun == Begun::Done {
                begun.done += 1;
                continue;
            }
            cold_path();
            match mem::replace(&mut take.begun, Begun::Done) {
                Begun::Done | Begun::Nothing | Begun::Dropped => {}
                Begun::Waits => {
                    // SAFETY: it was taken last, and nothing was done with the entries since.
                    unsafe { newest.retain() };
                    return Pause::Waits;
                }
                Begun::Failed => {
                    *error = take.error;
                    return Pause::Ended;
                }
            }
        }
    }

    /// Polls the cleanup that had to wait, and frees the slot when it is done.
    fn poll_running(&mut self, at: At, context: &mut Context<'_>) -> Poll<()> {
        let slot = &mut self.slot;
        match catch_unwind(AssertUnwindSafe(|| slot.poll(context))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => self.clear(at),
            Ok(Poll::Ready(Err(error))) => {
                self.failed(at, error);
                self.clear(at);
            }
            Err(payload) => self.panicked(at, payload),
        }
        self.running = None;
        self.cleanups += 1;
        self.extra().each = None;
        Poll::Ready(())
    }

    #[cold]
    fn failed(&mut self, at: At, error: BoxError) {
        self.extra().failures.push(CleanupFailure::error(at, error));
    }

    /// A cleanup panicked; its future, if it had one yet, is dropped.
    #[cold]
    fn panicked(&mut self, at: At, payload: Box<dyn Any + Send>) {
        self.extra().failures.push(CleanupFailure::panic(at, &Panic::new(payload)));
        self.clear(at);
    }

    /// Drops the future in the slot; a panic of it is a failure of its cleanup.
    fn clear(&mut self, at: At) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.slot.clear())) {
            self.panicked(at, payload);
        }
    }

    /// Takes everything out; what stays is a scope of the same name and outcome with nothing to do.
    fn take(&mut self) -> Self {
        let mut empty = Self::new(self.options);
        (empty.stage, empty.outcome) = (Stage::Cleanups, self.outcome);
        empty.completion = self.completion;
        mem::replace(self, empty)
    }

    /// Gives everything up, and tells the observer.
    pub(super) fn lose(&mut self, reason: UnfinishedReason) {
        if self.stage == Stage::Done {
            return;
        }
        if let Some(extra) = &mut self.extra {
            extra.unfinished.extend(extra.children.give_up());
        }
        self.give_up(reason);
        loop {
            self.abandon(reason);
            if self.end_inbox() == inbox::Ended::Yes {
                break;
            }
        }
        let report = self.finish();
        reaper::Reaper::global().count_lost(report.unfinished().len());
        observer::notify(&report);
    }

    #[inline]
    fn finish(&mut self) -> Report {
        self.stage = Stage::Done;
        let mut report = Report::new(self.options.name, self.outcome);
        report.completion = self.completion;
        report.cleanups = self.cleanups;
        if let Some(extra) = &mut self.extra {
            if !extra.failures.is_empty()
                || !extra.unfinished.is_empty()
                || extra.children.panicked()
            {
                *report.trouble() = Trouble {
                    failures: mem::take(&mut extra.failures),
                    unfinished: mem::take(&mut extra.unfinished),
                    children: extra.children.take_panicked(),
                };
            }
            let open = mem::take(&mut extra.open);
            open::note_unfinished(&open, &report);
            if let (Some(begun), Some(ended)) = (extra.begun, extra.ended) {
                report.times = Some(Times { work: ended - begun, cleanup: ended.elapsed() });
            }
        }
        report
    }

    /// Whether nothing was ever put aside, but that it is watched.
    #[inline(always)]
    fn holds_nothing(&self) -> bool {
        match &self.extra {
            None => true,
            Some(extra) => {
                open::is_watched()
                    && extra.inbox.is_none()
                    && extra.begun.is_none()
                    && extra.children.is_empty()
            }
        }
    }

    /// Whether the reaper would find nothing to do.
    fn is_idle(&mut self) -> bool {
        self.collect();
        self.running.is_none()
            && self.entries.is_empty()
            && !self.has_children()
            && self.end_inbox() == inbox::Ended::Yes
    }

    #[cold]
    fn reap(&mut self) {
        if matches!(self.stage, Stage::Open | Stage::Work) {
            self.begin_end(Outcome::Cancelled);
        }
        if self.is_idle() {
            return observer::notify(&self.finish());
        }
        let mut rest = self.take();
        self.stage = Stage::Done;
        rest.completion = Completion::Reaped;
        reaper::reap(rest);
    }
}

impl Drop for Inner {
    #[inline]
    fn drop(&mut self) {
        let unused = self.stage == Stage::Open && self.entries.is_empty() && self.holds_nothing();
        if self.stage != Stage::Done && !unused {
            self.reap();
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("options", &self.options)
            .field("stage", &self.stage)
            .field("running", &self.running)
            .field("cleanups", &self.cleanups)
            .finish_non_exhaustive()
    }
}
