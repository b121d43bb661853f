//! Cleanups that are futures: run in place, finished elsewhere, on one thread and on two.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::LazyLock,
    task::Poll,
};

use rearguard::{Options, OwnedScope, scope_async};
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
};

use crate::{
    cases::{Case, case},
    work::{call, finish, finished},
};

pub(crate) fn cases() -> Vec<Case> {
    [in_place(), cancelled(), spawned()].concat()
}

/// One thread.
static ONE: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().ok());

/// Two threads, each of which takes the other's tasks when it has none.
static TWO: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_time().build().ok());

fn on_one(future: impl Future<Output = ()>) {
    if let Some(runtime) = &*ONE {
        runtime.block_on(future);
    }
}

/// The same on both at once; each does half of it.
fn on_two<F: Future<Output = ()> + Send + 'static>(future: impl Fn(usize) -> F) {
    if let Some(runtime) = &*TWO {
        let other = runtime.spawn(future(1));
        let this = runtime.spawn(future(0));
        runtime.block_on(async { drop((this.await, other.await)) });
    }
}

/// Closures that make futures, newest first: what one writes by hand.
type Boxed = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

fn boxed<F: Future<Output = ()> + Send + 'static>(
    cleanup: impl FnOnce() -> F + Send + 'static,
) -> Boxed {
    Box::new(|| Box::pin(cleanup()))
}

async fn run_boxed(mut cleanups: Vec<Boxed>) {
    while let Some(cleanup) = cleanups.pop() {
        cleanup().await;
    }
}

fn in_place() -> Vec<Case> {
    const TWO_THREADS: &str = "async scope, 10 cleanups, two threads";
    macro_rules! rows {
        ($($row:literal $count:literal),*) => {
            vec![$(
                case($row, "boxed", |times| on_one(repeat(times, boxed_in_place::<$count>))),
                case($row, "scope", |times| on_one(repeat(times, scope_in_place::<$count>))),
            )*]
        };
    }
    let mut rows = rows!(
        "async scope, no cleanup" 0,
        "async scope, 1 cleanup" 1,
        "async scope, 10 cleanups" 10
    );
    rows.push(case(TWO_THREADS, "boxed", |times| {
        on_two(|_| repeat(times / 2, boxed_in_place::<10>));
    }));
    rows.push(case(TWO_THREADS, "scope", |times| {
        on_two(|_| repeat(times / 2, scope_in_place::<10>));
    }));
    rows
}

async fn repeat<F: Future<Output = ()>>(times: u64, operation: impl Fn() -> F) {
    for _ in 0..times {
        operation().await;
    }
}

async fn boxed_in_place<const COUNT: usize>() {
    let mut cleanups = Vec::new();
    for _ in 0..COUNT {
        cleanups.push(boxed(|| async { call() }));
    }
    run_boxed(cleanups).await;
}

async fn scope_in_place<const COUNT: usize>() {
    let ended = scope_async(Options::new(), async |s| {
        for _ in 0..COUNT {
            s.defer(async { call() });
        }
    });
    ended.await.into_returned();
}

fn cancelled() -> Vec<Case> {
    macro_rules! rows {
        ($($row:literal $two:literal $count:literal),*) => {
            vec![$(
                case($row, "boxed", |times| on_one(cancel::<$count, _>(0, times, boxed_pending::<$count>))),
                case($row, "scope", |times| on_one(cancel::<$count, _>(0, times, scope_pending::<$count>))),
                case($two, "boxed", |times| {
                    on_two(|thread| cancel::<$count, _>(thread, times / 2, boxed_pending::<$count>));
                }),
                case($two, "scope", |times| {
                    on_two(|thread| cancel::<$count, _>(thread, times / 2, scope_pending::<$count>));
                }),
            )*]
        };
    }
    rows!(
        "async cancelled, no cleanup" "async cancelled, no cleanup, two threads" 0,
        "async cancelled, 1 cleanup finished elsewhere"
        "async cancelled, 1 cleanup finished elsewhere, two threads" 1,
        "async cancelled, 10 cleanups finished elsewhere"
        "async cancelled, 10 cleanups finished elsewhere, two threads" 10
    )
}

/// Drops futures that wait, and waits at last until all that they deferred is done.
async fn cancel<const COUNT: u64, F: Future<Output = ()>>(
    thread: usize,
    times: u64,
    begin: impl Fn(usize) -> F,
) {
    let before = finished(thread);
    for _ in 0..times {
        {
            let mut waiting = pin!(begin(thread));
            poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_ready())).await;
        }
        yield_now().await;
    }
    while finished(thread) < before + COUNT * times {
        yield_now().await;
    }
}

/// Hands what is left to a task when it is dropped.
struct Rescue(Vec<Boxed>);

impl Drop for Rescue {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            tokio::spawn(run_boxed(std::mem::take(&mut self.0)));
        }
    }
}

async fn boxed_pending<const COUNT: u64>(thread: usize) {
    let mut rescue = Rescue(Vec::new());
    for _ in 0..COUNT {
        rescue.0.push(boxed(move || async move { finish(thread) }));
    }
    pending::<()>().await;
    run_boxed(std::mem::take(&mut rescue.0)).await;
}

async fn scope_pending<const COUNT: u64>(thread: usize) {
    let ended = scope_async(Options::new(), async |s| {
        for _ in 0..COUNT {
            s.defer(async move { finish(thread) });
        }
        pending::<()>().await;
    });
    ended.await.into_returned();
}

fn spawned() -> Vec<Case> {
    const SPAWN: &str = "spawn and join";
    vec![
        case(SPAWN, "plain", |times| on_one(repeat(times, spawn_plain))),
        case(SPAWN, "scope", |times| on_one(repeat(times, spawn_in_scope))),
    ]
}

async fn spawn_plain() {
    drop(tokio::spawn(async { call() }).await);
}

/// A scope for each task: the dearest way.
async fn spawn_in_scope() {
    let ended = scope_async(Options::new(), async |s: &mut OwnedScope| {
        drop(s.spawn(async { call() }).await);
    });
    ended.await.into_returned();
}
