//! Deadlines that pass, and what becomes of the cleanups that are left.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use super::{
    super::{
        alarm::Alarm,
        entry::{Begun, Take},
        options::{Options, Overrun},
        reaper,
    },
    Inner,
};
use crate::{
    open::OpenKind,
    scope::report::{Completion, Unfinished, UnfinishedReason},
};

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overran {
    Each,
    Total,
}

impl Inner {
    /// Ready when a deadline has passed, and what is to be done about it is done.
    #[cold]
    pub(super) fn poll_deadlines(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.overran(context) {
            None => return Poll::Pending,
            Some(Overran::Each) => self.give_up(UnfinishedReason::TimedOut),
            // Only once: a scope in the reaper abandons the rest.
            Some(Overran::Total)
                if self.options.overrun == Overrun::Background
                    && self.completion == Completion::InPlace =>
            {
                self.hand_over();
            }
            Some(Overran::Total) => {
                self.give_up(UnfinishedReason::TimedOut);
                self.abandon(UnfinishedReason::Abandoned);
            }
        }
        Poll::Ready(())
    }

    /// Whether a deadline has passed. Both are counted from the first wait.
    fn overran(&mut self, context: &mut Context<'_>) -> Option<Overran> {
        let Options { each_cleanup_deadline, overrun, .. } = self.options;
        if self.poll_total(context).is_ready() {
            return Some(Overran::Total);
        }
        let each = each_cleanup_deadline.get()?;
        let each = self.extra().each.get_or_insert_with(|| Alarm::after(Some(each)));
        each.poll(context).is_ready().then_some(match overrun {
            Overrun::Abandon => Overran::Total,
            Overrun::RunRest | Overrun::Background => Overran::Each,
        })
    }

    /// Ready when the deadline of all cleanups has passed.
    pub(super) fn poll_total(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let cleanup_deadline = self.options.cleanup_deadline;
        let total = self.extra().total.get_or_insert_with(|| Alarm::after(cleanup_deadline.get()));
        total.poll(context)
    }

    /// It is with the reaper now. Sets the deadlines anew, for the same moments: those it had may be
    /// of another runtime, which stands still or has stopped.
    pub(in super::super) fn begin_reaped(&mut self) {
        let Some(extra) = &mut self.extra else { return };
        extra.open.becomes(OpenKind::Reaped);
        [&mut extra.total, &mut extra.each].into_iter().flatten().for_each(Alarm::renew);
    }

    /// Drops the cleanup that runs.
    pub(super) fn give_up(&mut self, reason: UnfinishedReason) {
        if let Some(registered_at) = self.running.take() {
            let extra = self.extra();
            extra.each = None;
            extra.unfinished.push(Unfinished { registered_at, reason });
            self.clear(registered_at);
        }
    }

    /// Drops what has not begun.
    pub(super) fn abandon(&mut self, reason: UnfinishedReason) {
        loop {
            self.collect();
            let Some(next) = self.entries.pop() else { return };
            let registered_at = next.at();
            let mut take = Take::abandon(self.outcome);
            let abandoned = catch_unwind(AssertUnwindSafe(|| next.take(&mut take)));
            if let Err(payload) = abandoned {
                self.panicked(registered_at, payload);
            }
            if take.begun == Begun::Dropped {
                self.extra().unfinished.push(Unfinished { registered_at, reason });
            }
        }
    }

    /// Gives what is left to the reaper, with as much time again.
    fn hand_over(&mut self) {
        let mut rest = self.take();
        if let Some(extra) = &mut rest.extra {
            (extra.total, extra.each) = (None, None);
            // What is known by now stands in this report; the times are this scope's as well.
            let known = self.extra();
            known.failures = mem::take(&mut extra.failures);
            known.unfinished = mem::take(&mut extra.unfinished);
            known.children.hand_over(&mut extra.children);
            (known.begun, known.ended) = (extra.begun, extra.ended);
        }
        self.cleanups = mem::take(&mut rest.cleanups);
        self.completion = Completion::HandedOver;
        rest.completion = Completion::Reaped;
        reaper::reap(rest);
    }
}
