use std::{
    future::Future as _,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::{Panics, Policy};
use crate::{
    CallContext, Closing, Outcome, Panic, Report,
    layers::{
        head::{AnswerBody, RequestHead, Trailers},
        outcome::Protocol,
        report::Measured,
        request_scope::OpenScope,
        stats,
        timer::{Deadlines, Timer},
    },
    scope,
};

/// A request under way, until its answer has ended. Dropped before that, it is cancelled.
#[derive(Debug)]
pub(super) struct Serving {
    scope: OpenScope,
    begun: Instant,
    deadlines: Deadlines,
    timer: Timer,
    stage: Stage,
    pub(super) protocol: Protocol,
    pub(super) trailers: Trailers,
    pub(super) body: AnswerBody,
    pub(super) panics: Panics,
    pub(super) buffered_bytes: u64,
}

#[derive(Debug)]
enum Stage {
    Work,
    /// A cleanup waits.
    Cleanups(Box<Ending>),
    Done,
}

#[derive(Debug)]
struct Ending {
    closing: Closing,
    outcome: Outcome,
    work: Duration,
    /// When the work ended.
    since: Instant,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Head,
    Body,
}

impl Serving {
    #[inline(always)]
    pub(super) fn begin(policy: &Arc<Policy>, head: &RequestHead<'_>) -> Self {
        let begun = Instant::now();
        let deadlines = policy.bounds.deadlines(head, begun);
        let context = head.context().unwrap_or_default();
        let context = match deadlines.head {
            Some(deadline) => context.until(deadline),
            None => context,
        };
        Self {
            scope: OpenScope::new(context, Arc::clone(policy)),
            begun,
            deadlines,
            timer: Timer::default(),
            stage: Stage::Work,
            protocol: head.protocol,
            trailers: head.trailers,
            body: head.body,
            panics: policy.panics,
            buffered_bytes: policy.buffered_bytes,
        }
    }

    /// Whether the deadline had passed when it came.
    pub(super) fn is_late(&self) -> bool {
        self.deadlines.head.is_some_and(|deadline| deadline <= self.begun)
    }

    pub(super) fn context(&self) -> Option<&CallContext> {
        self.scope.context()
    }

    /// Does a part of the work.
    #[inline]
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, Panic> {
        self.scope.run(work)
    }

    /// Ready when the time for this part has passed.
    pub(super) fn poll_deadline(&mut self, part: Part, context: &mut Context<'_>) -> Poll<()> {
        let deadline = match part {
            Part::Head => self.deadlines.head,
            Part::Body => self.deadlines.body,
        };
        self.timer.poll(deadline, context)
    }

    /// Ends the scope, and runs its cleanups. The first call says how the work went.
    #[inline]
    pub(super) fn poll_end(
        &mut self,
        outcome: Outcome,
        context: &mut Context<'_>,
    ) -> Poll<Measured> {
        if let Stage::Cleanups(ending) = &mut self.stage {
            ready!(Pin::new(&mut ending.closing).poll(context));
            let Ending { outcome, work, since, .. } = **ending;
            self.done(outcome);
            return Poll::Ready(Measured { outcome, work, cleanup: since.elapsed() });
        }
        let since = Instant::now();
        let work = since - self.begun;
        stats::count_request(outcome);
        let Some(scope) = self.scope.end(outcome) else {
            self.stage = Stage::Done;
            scope::notify(&Report::new(self.scope.options().name, outcome));
            return Poll::Ready(Measured { outcome, work, cleanup: Duration::ZERO });
        };
        let mut closing = scope.end(outcome);
        match Pin::new(&mut closing).poll(context) {
            Poll::Ready(report) => {
                self.done(outcome);
                let took_time = report.cleanups > 0 || !report.is_clean();
                let cleanup = if took_time { since.elapsed() } else { Duration::ZERO };
                Poll::Ready(Measured { outcome, work, cleanup })
            }
            Poll::Pending => {
                let ending = Ending { closing, outcome, work, since };
                self.stage = Stage::Cleanups(Box::new(ending));
                Poll::Pending
            }
        }
    }

    fn done(&mut self, outcome: Outcome) {
        self.stage = Stage::Done;
        self.scope.begin_after(outcome);
    }
}

impl Drop for Serving {
    #[inline]
    fn drop(&mut self) {
        match mem::replace(&mut self.stage, Stage::Done) {
            Stage::Done => {}
            Stage::Work => {
                stats::count_request(Outcome::Cancelled);
                self.scope.cancel();
            }
            Stage::Cleanups(ending) => {
                let Ending { closing, outcome, .. } = *ending;
                self.scope.hand_over(closing, outcome);
            }
        }
    }
}
