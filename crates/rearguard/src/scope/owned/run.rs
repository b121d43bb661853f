use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Closing, Options, OwnedScope, children::CatchUnwind};
use crate::{
    Outcome,
    scope::{
        ended::{End, Ended},
        observer,
        result::ScopeResult,
    },
};

/// Runs an async body with a scope whose cleanups are futures. They run, newest first, when the body
/// has ended: in place when it returned, panicked or ran out of time; in the
/// [`Reaper`](super::Reaper) when the future is dropped, be it in the middle of a cleanup.
///
/// ```
/// use rearguard::{Options, scope_async};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ended = scope_async(Options::new(), async |s| -> Result<u32, std::io::Error> {
///     s.defer(async { println!("closed") });
///     Ok(7)
/// })
/// .await;
/// assert_eq!(ended.report.cleanups, 1);
/// assert_eq!(ended.into_result().unwrap(), 7);
/// # }
/// ```
pub async fn scope_async<R: ScopeResult>(
    options: Options,
    body: impl AsyncFnOnce(&mut OwnedScope) -> R,
) -> Ended<R> {
    let mut scope = OwnedScope::with(options);
    let deadline = deadline(&options);
    // The body is gone, with all its locals, before the scope ends.
    let end = { Work::new(body(&mut scope), deadline).await };
    Finish::new(scope, end, deadline).await
}

impl OwnedScope {
    /// Runs `body` and then ends the scope by how the body did. Dropped half way, it is cancelled.
    pub fn run<F: Future<Output: ScopeResult>>(self, body: F) -> Run<F> {
        let deadline = deadline(&self.core.options);
        Run { deadline, scope: Some(self), stage: Stage::Work { work: Work::new(body, deadline) } }
    }
}

fn deadline(options: &Options) -> Option<Instant> {
    // One that is too far off to be told is none.
    options.deadline.and_then(|deadline| Instant::now().checked_add(deadline))
}

pin_project! {
    /// A body that runs in an [`OwnedScope`], made by [`OwnedScope::run`].
    #[must_use = "it does nothing unless it is polled; dropped, its scope is cancelled"]
    pub struct Run<F: Future> {
        deadline: Option<Instant>,
        // Before the scope, so that the body is dropped first.
        #[pin]
        stage: Stage<F, F::Output>,
        scope: Option<OwnedScope>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R> {
        Work { #[pin] work: Work<F> },
        Finish { finish: Finish<R> },
    }
}

impl<F: Future<Output: ScopeResult>> Future for Run<F> {
    type Output = Ended<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjection::Work { work } = this.stage.as_mut().project() {
            let end = ready!(work.poll(context));
            let Some(scope) = this.scope.take() else { unreachable!("taken here alone") };
            this.stage.set(Stage::Finish { finish: Finish::new(scope, end, *this.deadline) });
        }
        match this.stage.project() {
            StageProjection::Finish { finish } => Pin::new(finish).poll(context),
            StageProjection::Work { .. } => unreachable!("set above"),
        }
    }
}

impl<F: Future> std::fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("scope", &self.scope).finish_non_exhaustive()
    }
}

pin_project! {
    /// A body, until it returns, panics or runs out of time.
    struct Work<F> {
        #[pin]
        body: CatchUnwind<F>,
        deadline: Option<Instant>,
        // Made when the body first has to wait.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<F: Future> Work<F> {
    #[inline]
    fn new(future: F, deadline: Option<Instant>) -> Self {
        Self { body: CatchUnwind { future }, deadline, sleep: None }
    }
}

impl<F: Future> Future for Work<F> {
    type Output = End<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.body.poll(context) {
            Poll::Ready(Ok(value)) => return Poll::Ready(End::Returned(value)),
            Poll::Ready(Err(panic)) => return Poll::Ready(End::Panicked(panic)),
            Poll::Pending => {}
        }
        let Some(deadline) = *this.deadline else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(deadline)));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(context).map(|()| End::TimedOut),
            None => Poll::Pending,
        }
    }
}

/// Ends a scope whose body has ended: its tasks first, then its cleanups.
pub(super) struct Finish<R> {
    end: Option<End<R>>,
    outcome: Outcome,
    state: State,
}

enum State {
    /// Waits for the tasks of a scope that succeeded so far; they are part of the work.
    Children {
        scope: Box<OwnedScope>,
        deadline: Option<Pin<Box<Sleep>>>,
    },
    Closing(Closing),
}

/// Nothing in here is pinned by it.
impl<R> Unpin for Finish<R> {}

impl<R: ScopeResult> Finish<R> {
    #[inline]
    fn new(scope: OwnedScope, end: End<R>, deadline: Option<Instant>) -> Self {
        let outcome = match &end {
            End::Returned(value) => value.outcome(),
            End::Panicked(_) => Outcome::Panicked,
            End::TimedOut => Outcome::TimedOut,
        };
        let state = if outcome == Outcome::Succeeded && scope.core.has_children() {
            let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
            State::Children { scope: Box::new(scope), deadline }
        } else {
            State::Closing(scope.end(outcome))
        };
        Self { end: Some(end), outcome, state }
    }

    /// Waits for the scope's tasks, no longer than its deadline.
    fn poll_children(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Children { scope, deadline } = &mut self.state else { return Poll::Ready(()) };
        if scope.core.poll_children(context).is_pending() {
            match deadline {
                Some(deadline) => ready!(deadline.as_mut().poll(context)),
                None => return Poll::Pending,
            }
            (self.end, self.outcome) = (Some(End::TimedOut), Outcome::TimedOut);
        }
        self.state = State::Closing(std::mem::take(&mut **scope).end(self.outcome));
        Poll::Ready(())
    }
}

impl<R: ScopeResult> Future for Finish<R> {
    type Output = Ended<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended<R>> {
        let this = self.get_mut();
        ready!(this.poll_children(context));
        let State::Closing(closing) = &mut this.state else { unreachable!("set above") };
        let report = ready!(Pin::new(closing).poll(context));
        observer::notify(&report);
        let Some(end) = this.end.take() else { unreachable!("polled after it was done") };
        Poll::Ready(Ended { end, report })
    }
}
