//! Five users of an owned scope, as later crates write them: a streaming body, a layer, a
//! transaction, the client of a remote ledger, a long-running change. Each is dropped at every poll,
//! and whatever it opened is closed.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use rearguard::{
    Closing, Ended, Held, Options, Outcome, OwnedKey, OwnedScope, ScopeError, scope_async,
};
use tokio::{task::yield_now, time::sleep};

use crate::every_poll::{Run, at_every_poll};

/// Counts what is open.
#[derive(Clone, Default)]
struct Opened {
    open: Arc<AtomicI64>,
    closed_with: Arc<Mutex<Vec<Outcome>>>,
}

impl Opened {
    async fn open(&self) -> Result<Resource, Infallible> {
        yield_now().await;
        self.open.fetch_add(1, SeqCst);
        yield_now().await;
        Ok(Resource(self.clone()))
    }

    fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.closed_with.lock().unwrap())
    }

    fn assert_all_closed(&self, run: Run) {
        assert_eq!(self.open.load(SeqCst), 0, "{run:?}");
    }
}

struct Resource(Opened);

impl Resource {
    async fn work(&mut self) {
        yield_now().await;
    }

    /// Takes time, and must not be cut short.
    async fn close(self, outcome: Outcome) {
        yield_now().await;
        sleep(Duration::from_millis(5)).await;
        self.0.open.fetch_sub(1, SeqCst);
        self.0.closed_with.lock().unwrap().push(outcome);
    }
}

fn is_send<T: Send + 'static>(value: T) -> T {
    value
}

#[test]
fn what_a_user_keeps_can_be_sent_and_shared() {
    fn sendable<T: Send + Sync + Unpin + 'static>() {}
    sendable::<OwnedScope>();
    sendable::<Closing>();
    sendable::<Held<u8>>();
    sendable::<rearguard::ScopeHandle>();
    sendable::<rearguard::Report>();
}

// A streaming body: the scope of a request ends with its body, not with its service future.

struct Body {
    chunks: VecDeque<&'static str>,
    scope: Option<OwnedScope>,
    closing: Option<Closing>,
}

impl Body {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<&'static str>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Poll::Ready(Some(chunk));
        }
        if let Some(scope) = self.scope.take() {
            self.closing = Some(scope.end(Outcome::Succeeded));
        }
        if let Some(closing) = &mut self.closing {
            let report = ready!(Pin::new(closing).poll(context));
            assert!(report.is_clean());
            self.closing = None;
        }
        Poll::Ready(None)
    }
}

#[test]
fn a_streaming_body_ends_the_scope_of_its_request() {
    let opened = Opened::default();
    let serve = || {
        let opened = opened.clone();
        is_send(async move {
            let mut scope = OwnedScope::new();
            let upstream = scope.acquire(async move { opened.open().await }, Resource::close);
            drop(upstream.await);
            let chunks = VecDeque::from(["a", "b"]);
            let mut body = Body { chunks, scope: Some(scope), closing: None };
            while let Some(_chunk) = std::future::poll_fn(|context| body.poll_frame(context)).await
            {
                yield_now().await;
            }
        })
    };
    let polls = at_every_poll(serve, |run| {
        opened.assert_all_closed(run);
        let outcomes = opened.outcomes();
        if run == Run::Finished {
            assert_eq!(outcomes, [Outcome::Succeeded]);
        }
    });
    assert!(polls > 4);
}

// A layer: it runs the service's future in a scope that it owns.

trait Service {
    type Response;
    type Error;
    type Future: Future<Output = Result<Self::Response, Self::Error>> + Send;
    fn call(&mut self, opened: Opened) -> Self::Future;
}

struct Handler;

impl Service for Handler {
    type Response = u16;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<u16, Infallible>> + Send>>;

    fn call(&mut self, opened: Opened) -> Self::Future {
        Box::pin(async move {
            yield_now().await;
            drop(opened);
            Ok(200)
        })
    }
}

struct Scoped<S>(S);

pin_project! {
    struct ResponseFuture<F: Future> {
        #[pin]
        run: rearguard::Run<F>,
    }
}

impl<S: Service> Scoped<S> {
    fn call(&mut self, opened: Opened) -> ResponseFuture<S::Future> {
        let mut scope = OwnedScope::with(Options::new().deadline(Duration::from_secs(1)));
        opened.open.fetch_add(1, SeqCst);
        let gauge = Resource(opened.clone());
        scope.defer_with(|outcome| gauge.close(outcome));
        ResponseFuture { run: scope.run(self.0.call(opened)) }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for ResponseFuture<F> {
    type Output = Result<T, ScopeError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().run.poll(context).map(Ended::into_result)
    }
}

#[test]
fn a_layer_runs_its_service_in_a_scope() {
    let opened = Opened::default();
    let serve = || {
        let future = is_send(Scoped(Handler).call(opened.clone()));
        async { assert_eq!(future.await.unwrap(), 200) }
    };
    at_every_poll(serve, |run| {
        opened.assert_all_closed(run);
        let expected = if run == Run::Finished { Outcome::Succeeded } else { Outcome::Cancelled };
        for outcome in opened.outcomes() {
            // Dropped in the middle of its cleanup, it keeps the outcome that it had.
            assert!(outcome == expected || outcome == Outcome::Succeeded, "{run:?}");
        }
    });
}

// A transaction: a generic wrapper over an async closure that borrows what the scope holds.

async fn transaction<T, E>(
    opened: &Opened,
    body: impl AsyncFnOnce(&mut Resource) -> Result<T, E>,
) -> Result<T, ScopeError<E>>
where
    E: From<Infallible>,
{
    let opened = opened.clone();
    scope_async(Options::new().named("transaction"), async |s| -> Result<T, E> {
        let mut connection: Held<Resource> =
            s.acquire(async move { opened.open().await }, Resource::close).await?;
        body(&mut connection).await
    })
    .await
    .into_result()
}

#[test]
fn a_transaction_lends_its_connection_and_ends_it_on_every_way_out() {
    let opened = Opened::default();
    let work = || {
        let opened = opened.clone();
        is_send(async move {
            let outer = transaction(&opened, async |connection| -> Result<u32, Infallible> {
                connection.work().await;
                let inner = transaction(&opened, async |nested| -> Result<u32, Infallible> {
                    nested.work().await;
                    Ok(1)
                });
                connection.work().await;
                Ok(inner.await.unwrap_or(0) + 1)
            });
            assert_eq!(outer.await.unwrap(), 2);
        })
    };
    at_every_poll(work, |run| {
        opened.assert_all_closed(run);
        let outcomes = opened.outcomes();
        if run == Run::Finished {
            assert_eq!(outcomes, [Outcome::Succeeded; 2]);
        }
    });
    // It can be spawned, although its body borrows.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let spawned = runtime.block_on(runtime.spawn(work()));
    spawned.unwrap();
    opened.assert_all_closed(Run::Finished);
}

// The client of a remote ledger: a durable scope is opened there, renewed by a task here, and
// settled with the outcome.

async fn durable<T>(
    opened: &Opened,
    renewals: &Arc<AtomicI64>,
    body: impl AsyncFnOnce(&mut OwnedScope) -> Result<T, String>,
) -> Ended<Result<T, String>> {
    let (opened, renewals) = (opened.clone(), Arc::clone(renewals));
    scope_async(Options::new().deadline(Duration::from_secs(10)), async |s| {
        let remote = s.acquire(async move { opened.open().await }, Resource::close).await;
        let Ok(_claim) = remote;
        let renewed = Arc::clone(&renewals);
        let renewal = s.spawn(async move {
            for _ in 0..3 {
                sleep(Duration::from_millis(100)).await;
                renewed.fetch_add(1, SeqCst);
            }
        });
        let result = body(s).await?;
        renewal.await.map_err(|error| error.to_string())?;
        Ok(result)
    })
    .await
}

#[test]
fn a_ledgers_client_settles_what_it_opened() {
    let (opened, renewals) = (Opened::default(), Arc::new(AtomicI64::new(0)));
    let undone = Arc::new(AtomicI64::new(0));
    let work = || {
        let (opened, renewals, undone) = (opened.clone(), renewals.clone(), undone.clone());
        is_send(async move {
            let ended = durable(&opened, &renewals, async |s| {
                s.on_failure(async move {
                    sleep(Duration::from_millis(1)).await;
                    undone.fetch_add(1, SeqCst);
                });
                sleep(Duration::from_millis(250)).await;
                Ok(7)
            });
            assert_eq!(ended.await.into_result().unwrap(), 7);
        })
    };
    at_every_poll(work, |run| {
        opened.assert_all_closed(run);
        let outcomes = opened.outcomes();
        if run == Run::Finished {
            assert_eq!(outcomes, [Outcome::Succeeded]);
        }
    });
    assert!(undone.load(SeqCst) > 0);
}

// A long-running change: kept in a table between its steps, and undone step by step.

#[derive(Default)]
struct Change {
    scope: OwnedScope,
    steps: Vec<OwnedKey>,
}

impl Change {
    fn step(&mut self, opened: &Opened) {
        opened.open.fetch_add(1, SeqCst);
        let undo = Resource(opened.clone());
        self.steps.push(self.scope.defer_keyed(async { undo.close(Outcome::Failed).await }));
    }
}

#[test]
fn a_change_is_kept_between_its_steps_and_undone_from_any_of_them() {
    let opened = Opened::default();
    let run = || {
        let opened = opened.clone();
        is_send(async move {
            let mut changes = vec![Change::default(), Change::default()];
            for _ in 0..3 {
                changes[0].step(&opened);
                changes[1].step(&opened);
                sleep(Duration::from_secs(3600)).await;
            }
            // One step is undone early; another becomes the other change's; the rest end with it.
            let Change { mut scope, steps } = changes.remove(0);
            let early = scope.run_now(steps[1], Outcome::Failed);
            assert_eq!(early.unwrap().await.cleanups, 1);
            assert!(!scope.disarm(steps[1]));
            let mut other = changes.remove(0);
            assert!(scope.transfer(steps[0], &mut other.scope));
            assert_eq!(scope.end(Outcome::Failed).await.cleanups, 1);
            assert_eq!(other.scope.end(Outcome::Failed).await.cleanups, 4);
        })
    };
    at_every_poll(run, |run| opened.assert_all_closed(run));
}
