use std::{
    future::{Future, poll_fn},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Options, OwnedScope, alarm::poll_sleep, inner::Inner};
use crate::{
    Outcome, open,
    scope::{
        ended::{End, Ended},
        observer,
        panic::{Panic, contained},
        report::Report,
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
#[track_caller]
pub fn scope_async<R: ScopeResult>(
    options: Options,
    body: impl AsyncFnOnce(&mut OwnedScope) -> R,
) -> impl Future<Output = Ended<R>> {
    // An `async fn` has no caller, and moves what it is given once more.
    let at = open::here();
    async move {
        // Everything is built where it stays: what was just written is dear to move.
        let mut scope = OwnedScope(Inner::new(options));
        scope.0.begin(at);
        scope.0.begin_work();
        let deadline = deadline(&scope.0.options);
        let mut end = {
            let scope = &mut scope;
            let mut work = pin!(Work::new(deadline));
            work.as_mut().make(move || body(scope));
            work.await
        };
        let mut waiting = begin_end(&mut scope, &end, deadline);
        let ending = poll_fn(|context| poll_end(&mut scope, &mut waiting, &mut end, context));
        let report = ending.await;
        Ended { end, report }
    }
}

impl OwnedScope {
    /// Runs `body` and then ends the scope by how the body did. Dropped half way, or before it is
    /// polled, it is cancelled. [`Options::deadline`] counts from here.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// scope.defer_with(|outcome| async move { assert_eq!(outcome, Outcome::Failed) });
    /// let ended = scope.run(async { Err::<(), _>("no") }).await;
    /// assert!(ended.report.is_clean());
    /// assert_eq!(ended.into_returned(), Some(Err("no")));
    /// # }
    /// ```
    pub fn run<F: Future<Output: ScopeResult>>(mut self, body: F) -> Run<F> {
        let deadline = deadline(&self.0.options);
        self.0.begin_work();
        let work = Work { body: Body::Made { future: body }, ..Work::new(deadline) };
        Run { stage: Stage::Work { work }, scope: self, deadline }
    }
}

fn deadline(options: &Options) -> Option<Instant> {
    // One that is too far off to be told is none.
    options.deadline.get().and_then(|deadline| Instant::now().checked_add(deadline))
}

pin_project! {
    /// A body that runs in an [`OwnedScope`], made by [`OwnedScope::run`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{OwnedScope, Run};
    ///
    /// let run: Run<_> = OwnedScope::new().run(async { Ok::<_, String>(7) });
    /// assert_eq!(run.await.into_result().unwrap(), 7);
    /// # }
    /// ```
    #[must_use = "it does nothing unless it is polled; dropped, its scope is cancelled"]
    pub struct Run<F: Future> {
        // Before the scope, so that the body is dropped first.
        #[pin]
        stage: Stage<F, F::Output>,
        scope: OwnedScope,
        deadline: Option<Instant>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R> {
        Work { #[pin] work: Work<F> },
        Ending { end: Option<End<R>>, waiting: Option<Box<Waiting>> },
    }
}

impl<F: Future<Output: ScopeResult>> Future for Run<F> {
    type Output = Ended<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjection::Work { work } = this.stage.as_mut().project() {
            let end = ready!(work.poll(context));
            let waiting = begin_end(this.scope, &end, *this.deadline);
            this.stage.set(Stage::Ending { end: Some(end), waiting });
        }
        let StageProjection::Ending { end, waiting } = this.stage.project() else {
            unreachable!("set above")
        };
        let Some(value) = end else { unreachable!("polled after it was done") };
        let report = ready!(poll_end(this.scope, waiting, value, context));
        let Some(end) = end.take() else { unreachable!("there, as it was polled") };
        Poll::Ready(Ended { end, report })
    }
}

impl<F: Future> std::fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("scope", &self.scope).finish_non_exhaustive()
    }
}

pin_project! {
    /// A body, until it returns, panics or runs out of time. When this is ready the body is gone,
    /// with all its locals.
    struct Work<F> {
        #[pin]
        body: Body<F>,
        deadline: Option<Instant>,
        // Made when the body first has to wait.
        #[pin]
        sleep: Option<Sleep>,
    }
}

pin_project! {
    #[project = BodyProjection]
    enum Body<F> {
        Made { #[pin] future: F },
        // It panicked while it was made.
        Panicked { panic: Option<Panic> },
        Gone,
    }
}

impl<F: Future> Work<F> {
    /// Without a body.
    #[inline(always)]
    const fn new(deadline: Option<Instant>) -> Self {
        Self { body: Body::Gone, deadline, sleep: None }
    }

    /// Makes the body, which may panic.
    #[inline(always)]
    fn make(self: Pin<&mut Self>, make: impl FnOnce() -> F) {
        let mut body = self.project().body;
        match catch_unwind(AssertUnwindSafe(|| body.set(Body::Made { future: make() }))) {
            Ok(()) => {}
            Err(payload) => body.set(Body::Panicked { panic: Some(Panic::new(payload)) }),
        }
    }
}

impl<F: Future> Future for Work<F> {
    type Output = End<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(end) = this.body.as_mut().poll(context) {
            return Poll::Ready(this.body.leave(end));
        }
        let Some(deadline) = *this.deadline else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(deadline)));
        }
        let Some(sleep) = this.sleep.as_pin_mut() else { unreachable!("set above") };
        ready!(poll_sleep(sleep, context));
        Poll::Ready(this.body.leave(End::TimedOut))
    }
}

impl<F: Future> Body<F> {
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End<F::Output>> {
        let future = match self.project() {
            BodyProjection::Made { future } => future,
            BodyProjection::Panicked { panic } => match panic.take() {
                Some(panic) => return Poll::Ready(End::Panicked(panic)),
                None => unreachable!("taken once, by the first poll"),
            },
            BodyProjection::Gone => unreachable!("polled after it was done"),
        };
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(polled) => polled.map(End::Returned),
            Err(payload) => Poll::Ready(End::Panicked(Panic::new(payload))),
        }
    }

    /// Drops the body. A panic of that is the body's own, unless it panicked before.
    #[inline]
    fn leave(mut self: Pin<&mut Self>, end: End<F::Output>) -> End<F::Output> {
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.set(Self::Gone))) else {
            return end;
        };
        let panic = Panic::new(payload);
        if matches!(end, End::Panicked(_)) {
            return end;
        }
        contained(|| drop(end));
        End::Panicked(panic)
    }
}

/// Waits for the tasks of a scope that succeeded so far, no longer than its deadline: they are part
/// of the work.
struct Waiting {
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The body has ended, and so has the scope, unless it must wait for its tasks.
#[inline]
fn begin_end<R: ScopeResult>(
    scope: &mut OwnedScope,
    end: &End<R>,
    deadline: Option<Instant>,
) -> Option<Box<Waiting>> {
    let outcome = match end {
        End::Returned(value) => value.outcome(),
        End::Panicked(_) => Outcome::Panicked,
        End::TimedOut => Outcome::TimedOut,
    };
    if outcome == Outcome::Succeeded && scope.0.has_children() {
        let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        return Some(Box::new(Waiting { deadline }));
    }
    scope.0.begin_end(outcome);
    None
}

/// Waits for tasks, if it must, and runs the cleanups.
#[inline]
fn poll_end<R>(
    scope: &mut OwnedScope,
    waiting: &mut Option<Box<Waiting>>,
    end: &mut End<R>,
    context: &mut Context<'_>,
) -> Poll<Report> {
    if let Some(Waiting { deadline }) = waiting.as_deref_mut() {
        let mut outcome = Outcome::Succeeded;
        if scope.0.poll_children(context).is_pending() {
            let Some(deadline) = deadline else { return Poll::Pending };
            ready!(poll_sleep(deadline.as_mut(), context));
            let value = mem::replace(end, End::TimedOut);
            contained(|| drop(value));
            outcome = Outcome::TimedOut;
        }
        *waiting = None;
        scope.0.begin_end(outcome);
    }
    let report = ready!(scope.0.poll_end(context));
    observer::notify(&report);
    Poll::Ready(report)
}
