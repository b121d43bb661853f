use std::{
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    Core, inbox,
    options::{Overrun, Timing},
    reaper,
    slot::{Settled, Slot},
};
use crate::{
    Outcome,
    scope::{
        observer,
        panic::Panic,
        report::{CleanupFailure, Completion, Report, Times, Unfinished, UnfinishedReason},
    },
};

/// Runs the cleanups of a scope that has ended, newest first, and yields its [`Report`].
///
/// Made by [`OwnedScope::end`](super::OwnedScope::end). It is `Send`, `Unpin` and refers to nothing
/// else, so a response body or a layer can keep it and poll it. Dropped before it is done, it hands
/// the cleanup that waits, as it is, and the rest to the [`Reaper`](super::Reaper); the outcome
/// stays what it was.
#[must_use = "cleanups run as it is polled; dropped, they run in the reaper"]
pub struct Closing {
    core: Core,
    slot: Slot,
    /// Where the cleanup in the slot was registered.
    running: Option<&'static Location<'static>>,
    report: Report,
    /// When the body ended.
    since: Option<Instant>,
    /// Of all cleanups, once one had to wait.
    total: Option<Pin<Box<Sleep>>>,
    /// Of the one that runs, once it had to wait.
    each: Option<Pin<Box<Sleep>>>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waiting for the scope's tasks.
    Children,
    Cleanups,
    Done,
}

impl Closing {
    pub(super) fn new(core: Core, outcome: Outcome) -> Self {
        let timed = core.options.timing == Timing::On;
        let mut report = Report::new(core.options.name, outcome);
        report.times =
            core.begun.map(|begun| Times { work: begun.elapsed(), cleanup: Duration::ZERO });
        Self {
            slot: Slot::new(),
            running: None,
            report,
            since: timed.then(Instant::now),
            total: None,
            each: None,
            stage: if core.has_children() { Stage::Children } else { Stage::Cleanups },
            core,
        }
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether the reaper would find nothing to do.
    fn has_nothing_left(&mut self) -> bool {
        self.core.collect();
        self.running.is_none()
            && self.core.entries.is_empty()
            && !self.core.has_children()
            && self.end_inbox() == inbox::Ended::Yes
    }

    /// Takes everything out: what is left is done.
    fn take(&mut self) -> Self {
        let rest = Self {
            core: self.core.take(),
            slot: mem::replace(&mut self.slot, Slot::new()),
            running: self.running.take(),
            report: mem::replace(&mut self.report, Report::new("", Outcome::Cancelled)),
            since: self.since,
            total: self.total.take(),
            each: self.each.take(),
            stage: self.stage,
        };
        self.stage = Stage::Done;
        rest
    }

    /// Runs until something has to wait.
    fn poll_cleanups(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let polled = match self.running {
                Some(_) => caught(|| self.slot.poll(context)),
                None => match self.begin(context) {
                    Some(polled) => polled,
                    None if self.end_inbox() == inbox::Ended::Yes => return Poll::Ready(()),
                    None => continue,
                },
            };
            match polled {
                Poll::Ready(settled) => self.settle(settled),
                Poll::Pending => match self.overran(context) {
                    None => return Poll::Pending,
                    Some(Overran::Each) => self.give_up(UnfinishedReason::TimedOut),
                    Some(Overran::Total) if self.may_hand_over() => {
                        self.hand_over();
                        return Poll::Ready(());
                    }
                    Some(Overran::Total) => {
                        self.give_up(UnfinishedReason::TimedOut);
                        self.abandon(UnfinishedReason::Abandoned);
                    }
                },
            }
        }
    }

    /// Begins the next cleanup and polls it for the first time.
    #[inline]
    fn begin(&mut self, context: &mut Context<'_>) -> Option<Poll<Result<Settled, Panic>>> {
        self.core.collect();
        let next = self.core.entries.pop()?;
        self.running = Some(next.at());
        let (outcome, slot) = (self.report.outcome, &mut self.slot);
        Some(caught(|| {
            next.start(outcome, slot);
            slot.poll(context)
        }))
    }

    /// A cleanup has run to its end.
    #[inline]
    fn settle(&mut self, settled: Result<Settled, Panic>) {
        let Some(at) = self.running.take() else { return };
        self.each = None;
        let began = self.slot.is_running();
        match settled {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.report.failures.push(CleanupFailure::error(at, error)),
            Err(panic) => self.report.failures.push(CleanupFailure::panic(at, &panic)),
        }
        if began {
            self.report.cleanups += 1;
            self.clear(at);
        }
    }

    /// Drops the future in the slot; a panic of it is a failure of its cleanup.
    #[inline]
    fn clear(&mut self, at: &'static Location<'static>) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.slot.clear())) {
            self.report.failures.push(CleanupFailure::panic(at, &Panic::new(payload)));
        }
    }

    /// Whether a deadline has passed. Both are counted from the first wait.
    fn overran(&mut self, context: &mut Context<'_>) -> Option<Overran> {
        let options = &self.core.options;
        let total = self.total.get_or_insert_with(|| Box::pin(sleep(options.cleanup_deadline)));
        if total.as_mut().poll(context).is_ready() {
            return Some(Overran::Total);
        }
        let each = options.each_cleanup_deadline?;
        let each = self.each.get_or_insert_with(|| Box::pin(sleep(each)));
        each.as_mut().poll(context).is_ready().then(|| {
            if options.overrun == Overrun::Abandon { Overran::Total } else { Overran::Each }
        })
    }

    /// Drops the cleanup that runs.
    fn give_up(&mut self, reason: UnfinishedReason) {
        if let Some(at) = self.running.take() {
            self.each = None;
            self.report.unfinished.push(Unfinished { registered_at: at, reason });
            self.clear(at);
        }
    }

    /// Drops what has not begun.
    fn abandon(&mut self, reason: UnfinishedReason) {
        loop {
            self.core.collect();
            let Some(next) = self.core.entries.pop() else { return };
            let (at, outcome) = (next.at(), self.report.outcome);
            let applied = match catch_unwind(AssertUnwindSafe(|| next.abandon(outcome))) {
                Ok(applied) => applied,
                Err(payload) => {
                    self.report.failures.push(CleanupFailure::panic(at, &Panic::new(payload)));
                    true
                }
            };
            if applied {
                self.report.unfinished.push(Unfinished { registered_at: at, reason });
            }
        }
    }

    /// Only once: a scope in the reaper abandons the rest.
    fn may_hand_over(&self) -> bool {
        self.core.options.overrun == Overrun::Background
            && self.report.completion == Completion::InPlace
    }

    fn hand_over(&mut self) {
        let mut rest = self.take();
        self.report = mem::replace(&mut rest.report, Report::new("", Outcome::Cancelled));
        rest.report.name = self.report.name;
        rest.report.outcome = self.report.outcome;
        rest.report.completion = Completion::Reaped;
        rest.total = None;
        self.report.completion = Completion::HandedOver;
        self.since = rest.since;
        reaper::reap(rest);
    }

    fn end_inbox(&self) -> inbox::Ended {
        self.core.end_inbox(self.report.outcome)
    }

    /// Gives everything up, and tells the observer. Nothing happens if it is done.
    pub(super) fn lose(&mut self, reason: UnfinishedReason) {
        if self.is_done() {
            return;
        }
        self.core.abort_children();
        self.give_up(reason);
        loop {
            self.abandon(reason);
            if self.end_inbox() == inbox::Ended::Yes {
                break;
            }
        }
        let report = self.finish();
        reaper::Reaper::global().count_lost(report.unfinished.len());
        observer::notify(&report);
    }

    fn finish(&mut self) -> Report {
        self.stage = Stage::Done;
        let mut report = mem::replace(&mut self.report, Report::new("", Outcome::Cancelled));
        report.children = self.core.child_panics();
        if let (Some(times), Some(since)) = (&mut report.times, self.since) {
            times.cleanup = since.elapsed();
        }
        report
    }

    /// Waits for the scope's tasks; where they take too long, the cleanups go on without them.
    fn poll_children(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.core.poll_children(context).is_pending() {
            if self.overran(context).is_none() {
                return Poll::Pending;
            }
            self.core.give_up_children(&mut self.report.unfinished);
        }
        // The cleanups have their own time.
        (self.total, self.each) = (None, None);
        self.stage = Stage::Cleanups;
        Poll::Ready(())
    }
}

impl Future for Closing {
    type Output = Report;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        let this = self.get_mut();
        assert!(!this.is_done(), "polled after it was done");
        if this.stage == Stage::Children {
            ready!(this.poll_children(context));
        }
        ready!(this.poll_cleanups(context));
        Poll::Ready(this.finish())
    }
}

impl Drop for Closing {
    #[inline]
    fn drop(&mut self) {
        if !self.is_done() && !self.has_nothing_left() {
            let mut rest = self.take();
            rest.report.completion = Completion::Reaped;
            reaper::reap(rest);
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing")
            .field("stage", &self.stage)
            .field("running", &self.running)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overran {
    Each,
    Total,
}

#[inline]
fn caught<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, Panic>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(Panic::new(payload))),
    }
}
