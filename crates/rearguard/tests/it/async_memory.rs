//! Conformance, row 13: captures of any size and alignment, dropped exactly once and promptly.

use std::{
    cell::Cell,
    convert::Infallible,
    future::{Future, pending, ready},
    marker::PhantomPinned,
    mem::size_of_val,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rearguard::{
    Child, Closing, Ended, Held, Options, Outcome, OwnedScope, Run, ScopeHandle, scope_async,
};
use tokio::task::yield_now;

use crate::{
    async_support::{millis, paused},
    every_poll::at_every_poll,
};

/// A capture of `SIZE` bytes beside what counts it; looks whether it is still what it was.
struct Capture<const SIZE: usize> {
    bytes: [u8; SIZE],
    counted: Arc<()>,
}

impl<const SIZE: usize> Capture<SIZE> {
    fn new(counted: &Arc<()>) -> Self {
        Self { bytes: [0xA5; SIZE], counted: Arc::clone(counted) }
    }

    fn check(&self) {
        assert!(self.bytes.iter().all(|byte| *byte == 0xA5));
        assert!(Arc::strong_count(&self.counted) > 1);
    }
}

/// Aligned to more than a scope's memory is.
#[repr(align(64))]
struct Aligned(Arc<()>);

impl Aligned {
    fn check(&self) {
        assert_eq!(std::ptr::from_ref(self).addr() % 64, 0);
        assert!(Arc::strong_count(&self.0) > 1);
    }
}

fn defer_sized<const SIZE: usize>(scope: &mut OwnedScope, counted: &Arc<()>) {
    let capture = Capture::<SIZE>::new(counted);
    let cleanup = async move {
        capture.check();
        yield_now().await;
        capture.check();
    };
    assert!(size_of_val(&cleanup) >= SIZE);
    scope.defer(cleanup);
    // Small until it is made, and large then.
    let counted = Arc::clone(counted);
    scope.defer_with(move |_| async move {
        let capture = Capture::<SIZE>::new(&counted);
        yield_now().await;
        capture.check();
    });
}

fn defer_aligned(scope: &mut OwnedScope, counted: &Arc<()>) {
    let capture = Aligned(Arc::clone(counted));
    scope.defer(async move {
        capture.check();
        yield_now().await;
        capture.check();
    });
    let capture = Aligned(Arc::clone(counted));
    scope.defer_with(move |_| {
        capture.check();
        async move {
            yield_now().await;
            capture.check();
        }
    });
    let counted = Arc::clone(counted);
    scope.defer_with(move |_| async move {
        let capture = Aligned(counted);
        yield_now().await;
        capture.check();
    });
}

/// Aligned to as much as a block is.
#[repr(align(16))]
struct Sixteen(Arc<()>);

/// Registers one of each kind; each holds one count or more.
fn register_all(scope: &mut OwnedScope, counted: &Arc<()>) {
    defer_sized::<0>(scope, counted);
    defer_sized::<1>(scope, counted);
    defer_sized::<900>(scope, counted);
    defer_sized::<1024>(scope, counted);
    defer_sized::<5000>(scope, counted);
    defer_aligned(scope, counted);
    let capture = Sixteen(Arc::clone(counted));
    scope.defer(async move {
        yield_now().await;
        assert_eq!(std::ptr::from_ref(&capture).addr() % 16, 0);
        drop(capture.0);
    });
    let never = Capture::<2000>::new(counted);
    scope.on_success(async move { never.check() });
    let never = Aligned(Arc::clone(counted));
    scope.on_success(async move { never.check() });
    drop(scope.hold(Capture::<2000>::new(counted), |capture, _| async move { capture.check() }));
    let capture = Capture::<3000>::new(counted);
    scope.handle().defer(async move { capture.check() });
    scope.defer(ready(()));
}

#[test]
fn captures_of_any_size_and_alignment_are_dropped_once_wherever_it_is_dropped() {
    let counted = Arc::new(());
    let scope = || async {
        let ended: Ended<Result<(), &str>> = scope_async(Options::new(), async |s| {
            register_all(s, &counted);
            yield_now().await;
            Err("no")
        })
        .await;
        assert!(ended.report.is_clean());
        assert_eq!(ended.report.cleanups, 17);
    };
    let polls = at_every_poll(scope, |run| assert_eq!(Arc::strong_count(&counted), 1, "{run:?}"));
    assert_eq!(polls, 16);
}

#[test]
fn captures_of_what_is_abandoned_disarmed_and_transferred_are_dropped_once() {
    let counted = Arc::new(());
    paused(async {
        let options = Options::new().cleanup_deadline(millis(5));
        let (mut scope, mut other) = (OwnedScope::with(options), OwnedScope::with(options));
        register_all(&mut scope, &counted);
        let big = Capture::<3000>::new(&counted);
        let big = scope.defer_keyed(async move { big.check() });
        let aligned = Aligned(Arc::clone(&counted));
        let aligned = scope.defer_keyed(async move { aligned.check() });
        let before = Arc::strong_count(&counted);
        assert!(scope.disarm(big));
        assert_eq!(Arc::strong_count(&counted), before - 1);
        assert!(scope.transfer(aligned, &mut other));
        assert_eq!(Arc::strong_count(&counted), before - 1);
        assert!(other.end(Outcome::Succeeded).await.is_clean());
        assert_eq!(Arc::strong_count(&counted), before - 2);
        scope.defer(pending::<()>());
        assert_eq!(scope.end(Outcome::Failed).await.unfinished().len(), 18);
        assert_eq!(Arc::strong_count(&counted), 1);
    });
}

#[test]
fn what_a_cleanup_captured_is_dropped_before_the_next_begins() {
    let counted = Arc::new(());
    paused(async {
        let mut scope = OwnedScope::new();
        for alive in 1..=10 {
            let capture = Arc::clone(&counted);
            scope.defer(async move {
                assert_eq!(Arc::strong_count(&capture), alive + 1);
                yield_now().await;
            });
        }
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
    });
}

/// A future that must not move once it was polled.
#[derive(Default)]
struct Settled {
    at: Cell<usize>,
    polls: Cell<usize>,
    pinned: PhantomPinned,
}

impl Future for Settled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = std::ptr::from_ref(&*self).addr();
        let before = self.at.replace(at);
        assert!(before == 0 || before == at, "moved");
        if self.polls.replace(self.polls.get() + 1) == 3 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        let (at, before) = (std::ptr::from_ref(self).addr(), self.at.get());
        assert!(before == 0 || before == at, "moved");
        let Self { pinned: PhantomPinned, .. } = self;
    }
}

#[test]
fn a_cleanup_stays_where_it_was_first_polled() {
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| {
            s.defer(Settled::default());
            s.defer(async {
                let large = [1_u8; 2000];
                Settled::default().await;
                assert!(large.iter().all(|byte| *byte == 1));
            });
            s.defer_with(|_| Settled::default());
        });
        assert!(ended.await.report.is_clean());
    };
    assert_eq!(at_every_poll(scope, |_| ()), 10);
}

/// One word, which lies in its head among the others.
#[derive(Default)]
struct Thin {
    at: Cell<usize>,
    pinned: PhantomPinned,
}

impl Future for Thin {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = std::ptr::from_ref(&*self).addr();
        let before = self.at.replace(at);
        assert!(before == 0 || before == at, "moved or overwritten");
        if before != 0 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Thin {
    fn drop(&mut self) {
        let (at, before) = (std::ptr::from_ref(self).addr(), self.at.get());
        assert!(before == 0 || before == at, "moved or overwritten");
        let Self { pinned: PhantomPinned, .. } = self;
    }
}

#[test]
fn a_cleanup_of_one_word_stays_where_it_was_while_others_come_and_go() {
    let counted = Arc::new(());
    let scope = || {
        let counted = Arc::clone(&counted);
        async move {
            let mut scope = OwnedScope::new();
            let handle = scope.handle();
            for _ in 0..3 {
                scope.defer(Thin::default());
                defer_sized::<100>(&mut scope, &counted);
                scope.defer(ready(()));
            }
            scope.defer(Thin::default());
            assert_eq!(size_of::<Thin>(), size_of::<usize>());
            let mut closing = scope.end(Outcome::Succeeded);
            let mut waits = 0;
            let report = std::future::poll_fn(|context| {
                let polled = Pin::new(&mut closing).poll(context);
                if polled.is_pending() && waits < 4 {
                    waits += 1;
                    let counted = Arc::clone(&counted);
                    handle.defer(async move { drop(counted) });
                    handle.defer(ready(()));
                }
                polled
            });
            assert_eq!(report.await.cleanups, 13 + 2 * 4);
        }
    };
    assert!(at_every_poll(scope, |_| ()) > 7);
    assert_eq!(Arc::strong_count(&counted), 1);
}

// What can be sent, and how large it is.

fn sendable<T: Send + 'static>(_: &T) {}

fn send<T: Send>() {}

#[test]
fn all_that_is_kept_can_be_sent() {
    send::<OwnedScope>();
    send::<Closing>();
    send::<Run<std::future::Ready<()>>>();
    send::<Held<Cell<u8>>>();
    send::<Child<Cell<u8>>>();
    send::<ScopeHandle>();
    send::<Ended<Result<Cell<u8>, Cell<u8>>>>();
}

#[test]
fn a_scope_can_be_spawned_with_a_body_that_holds_it_across_waits() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    let future = async {
        let name = String::from("borrowed by the body");
        let ended = scope_async(Options::new(), async |s| -> Result<usize, Infallible> {
            s.defer(async { yield_now().await });
            let held = s.acquire(async { Ok::<_, Infallible>(Cell::new(1_u8)) }, |_, _| async {});
            let held = held.await?;
            let child = s.spawn(async { 7 });
            yield_now().await;
            s.defer_with(|_| async { Err("no") });
            Ok(name.len() + usize::from(held.get()) + child.await.unwrap())
        });
        ended.await
    };
    sendable(&future);
    let ended = runtime.block_on(runtime.spawn(future)).unwrap();
    assert_eq!(ended.report.failures().len(), 1);
    assert_eq!(ended.into_returned().unwrap().unwrap(), 28);
}

#[test]
fn futures_are_small() {
    let empty = scope_async(Options::new(), async |_| ());
    let deferring = scope_async(Options::new(), async |s| {
        s.defer(async {});
        yield_now().await;
    });
    let large = [0_u8; 1000];
    let capturing = scope_async(Options::new(), async move |s| {
        yield_now().await;
        s.defer(async move { assert_eq!(large.len(), 1000) });
    });
    let sizes = [size_of_val(&empty), size_of_val(&deferring), size_of_val(&capturing)];
    // What is captured is there twice: in the call's arguments and in the body's future.
    assert!(sizes[0] <= 432 && sizes[1] <= 448 && sizes[2] <= 2456, "{sizes:?}");
    assert!(size_of::<OwnedScope>() <= 152, "{}", size_of::<OwnedScope>());
    assert_eq!(size_of::<Closing>(), size_of::<OwnedScope>());
    assert!(size_of::<Run<std::future::Ready<()>>>() <= 320);
}
