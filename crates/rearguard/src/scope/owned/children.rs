use std::{
    collections::HashMap,
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::{
    sync::oneshot,
    task::{Id, JoinError, JoinSet},
};

use super::{entry::AsyncCleanupResult, slot::Settled};
use crate::{
    open::{self, OpenKind},
    scope::{
        panic::Panic,
        report::{ChildPanic, Unfinished, UnfinishedReason},
    },
};

/// The tasks of a scope.
#[derive(Debug, Default)]
pub(super) struct Children {
    tasks: JoinSet<Result<(), String>>,
    /// Where each was spawned.
    places: HashMap<Id, &'static Location<'static>>,
    panicked: Vec<ChildPanic>,
    /// Where the scope had succeeded and they took too long: which were cut short.
    overran: Option<Vec<Unfinished>>,
}

/// A task of a scope, made by [`OwnedScope::spawn`](super::OwnedScope::spawn): a future of what it
/// returns. Dropped, the task runs on, until the scope ends.
///
/// ```
/// use rearguard::{ChildError, Outcome, OwnedScope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut scope = OwnedScope::new();
/// let child = scope.spawn(std::future::pending::<()>());
/// assert!(scope.end(Outcome::Failed).await.is_clean());
/// assert!(matches!(child.await, Err(ChildError::Cancelled)));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "without it the task's value is lost; drop it to say so"]
pub struct Child<T>(oneshot::Receiver<Result<T, Panic>>);

/// Why a task of a scope has no value.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rearguard::{ChildError, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// let child = scope.spawn(async { panic!("on purpose") });
/// match child.await {
///     Err(ChildError::Panicked(panic)) => assert_eq!(panic.message(), "on purpose"),
///     other => unreachable!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ChildError {
    /// It panicked.
    Panicked(Panic),
    /// The scope ended, or the runtime stopped, before it was done.
    Cancelled,
}

impl<T> Future for Child<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => Err(ChildError::Panicked(panic)),
            Err(_) => Err(ChildError::Cancelled),
        })
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "the task panicked: {}", panic.message()),
            Self::Cancelled => f.write_str("the task was cancelled before it was done"),
        }
    }
}

impl Error for ChildError {}

impl Children {
    /// Spawns a task of the scope of this name.
    pub(super) fn spawn<F>(
        &mut self,
        scope: &'static str,
        future: F,
        at: &'static Location<'static>,
    ) -> Child<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        // What has ended meanwhile is not kept, so that a long-lived scope stays small.
        self.note_ended();
        let (sender, receiver) = oneshot::channel();
        #[cfg(feature = "service")]
        let future = crate::CallContext::inherit(future);
        let open = open::register(OpenKind::Task, || scope, at);
        let task = self.tasks.spawn(async move {
            // For as long as the task lives, be it with the scope or without.
            let _open = open;
            let value = CatchUnwind { future }.await;
            let ended = match &value {
                Ok(_) => Ok(()),
                Err(panic) => Err(panic.message().to_owned()),
            };
            // Nobody may be waiting for it.
            drop(sender.send(value));
            ended
        });
        self.places.insert(task.id(), at);
        Child(receiver)
    }

    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }

    /// Tells those that run to stop because a deadline has passed; false if they were told before.
    pub(super) fn overrun(&mut self) -> bool {
        if self.overran.is_some() {
            return false;
        }
        self.overran = Some(Vec::new());
        self.abort();
        true
    }

    /// Ready when all have ended.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(ended) = ready!(self.tasks.poll_join_next_with_id(context)) {
            self.note(ended);
        }
        Poll::Ready(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) const fn panicked(&self) -> bool {
        !self.panicked.is_empty()
    }

    pub(super) fn take_panicked(&mut self) -> Vec<ChildPanic> {
        std::mem::take(&mut self.panicked)
    }

    /// Takes over what is known of tasks that have ended.
    pub(super) fn hand_over(&mut self, from: &mut Self) {
        self.panicked = from.take_panicked();
    }

    /// Leaves those that run to themselves, after telling them to stop, and says which did not run
    /// to their end.
    pub(super) fn give_up(&mut self) -> Vec<Unfinished> {
        self.note_ended();
        self.tasks.abort_all();
        self.tasks.detach_all();
        let mut unfinished = self.overran.take().unwrap_or_default();
        unfinished.extend(self.places.drain().map(|(_, registered_at)| Unfinished {
            registered_at,
            reason: UnfinishedReason::ChildRunning,
        }));
        unfinished
    }

    /// Forgets those that have ended meanwhile.
    fn note_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(spawned_at) = self.places.remove(&id) else { return };
        let message = match ended {
            Ok((_, Ok(()))) => return,
            Ok((_, Err(message))) => message,
            // It panicked while it was dropped.
            Err(error) if error.is_panic() => Panic::new(error.into_panic()).message().to_owned(),
            Err(_) => {
                let reason = UnfinishedReason::TimedOut;
                let unfinished = Unfinished { registered_at: spawned_at, reason };
                return self.overran.iter_mut().for_each(|overran| overran.push(unfinished));
            }
        };
        self.panicked.push(ChildPanic { spawned_at, message });
    }
}

pin_project! {
    /// A future whose panic is a value.
    pub(super) struct CatchUnwind<F> {
        #[pin]
        pub(super) future: F,
    }
}

impl<F: Future> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panic::new(payload))),
        }
    }
}

/// Runs a cleanup within another future. Should it panic, it is dropped afterwards and not while that
/// panic unwinds: a second panic would end the process.
pub(super) async fn settled<F: Future<Output: AsyncCleanupResult>>(future: F) -> Settled {
    match (CatchUnwind { future }).await {
        Ok(value) => value.settled(),
        Err(panic) => panic.resume(),
    }
}
