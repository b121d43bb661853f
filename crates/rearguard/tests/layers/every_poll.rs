//! The whole of a request, dropped after each of its polls: no cleanup is lost, none runs twice.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use rearguard::{
    layers::{AfterResponse, RequestScope, ServiceLayer},
    testing::{Run, at_every_poll},
};
use tokio::task::yield_now;

use crate::support::{Step, Steps, answer, ask, http_2, millis, read, reaped};

/// How many of each were opened and closed.
#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
    undone: AtomicUsize,
    after: AtomicUsize,
}

/// Opens two things a step apart, and has something to do after the answer.
async fn open(counts: &Arc<Counts>) {
    let scope = RequestScope::current().unwrap();
    for _ in 0..2 {
        counts.opened.fetch_add(1, SeqCst);
        let (closing, undoing) = (Arc::clone(counts), Arc::clone(counts));
        scope.defer(async move {
            yield_now().await;
            closing.closed.fetch_add(1, SeqCst);
        });
        scope.on_failure(async move {
            undoing.undone.fetch_add(1, SeqCst);
        });
        let after = Arc::clone(counts);
        scope.after_response(async move {
            yield_now().await;
            after.after.fetch_add(1, SeqCst);
        });
        yield_now().await;
    }
}

async fn dropped_at_every_poll(status: u16, body: fn() -> Steps) {
    let after = AfterResponse::new(2);
    let layer = ServiceLayer::new().after_response(after.clone());
    let counts = Arc::new(Counts::default());
    let polls = at_every_poll(
        || async {
            let mut given = ask(&layer, http_2(), async |_| {
                open(&counts).await;
                Ok(answer(status, body()))
            })
            .await;
            read(given.body_mut()).await
        },
        |run| {
            let (after, counts) = (after.clone(), Arc::clone(&counts));
            async move {
                reaped().await;
                let left = after.drain(millis(1000)).await;
                assert_eq!(left.waiting + left.running, 0, "{run:?}");
                let take = |count: &AtomicUsize| count.swap(0, SeqCst);
                let opened = take(&counts.opened);
                assert_eq!(take(&counts.closed), opened, "{run:?}");
                assert_eq!(take(&counts.after), opened, "{run:?}");
                let undone = take(&counts.undone);
                if run == Run::Finished {
                    assert_eq!(undone, if status < 500 { 0 } else { opened }, "{run:?}");
                }
            }
        },
    );
    assert!(polls.await > 3, "it is dropped in the middle too");
}

#[tokio::test(start_paused = true)]
async fn a_buffered_answer() {
    dropped_at_every_poll(200, || Steps::exact(2, [Step::Data("a"), Step::Data("b")])).await;
    dropped_at_every_poll(500, || Steps::exact(2, [Step::Data("a"), Step::Data("b")])).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream() {
    let body = || Steps::stream([Step::Yield, Step::Data("a"), Step::Yield, Step::Data("b")]);
    dropped_at_every_poll(200, body).await;
    dropped_at_every_poll(500, body).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails() {
    dropped_at_every_poll(500, || Steps::stream([Step::Data("a"), Step::Yield, Step::Fail])).await;
}
