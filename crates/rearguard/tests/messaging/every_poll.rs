//! The work on a message dropped at every poll: the message comes again, and is lost by no drop.

use std::{cell::Cell, time::Duration};

use rearguard::{
    CallContext, Reaper,
    messaging::{Consumer, handle},
    testing::{Run, at_every_poll},
};
use tokio::task::yield_now;

use crate::{PATIENCE, jetstream::Queue};

#[tokio::test]
async fn a_message_dropped_at_any_poll_is_settled_once() {
    let queue = Queue::start().await;
    let consumer = Consumer::new("dropped").max_deliveries(u64::MAX);
    let done = Cell::new(0_u64);
    queue.publish(&CallContext::new(), "first").await;
    let polls = at_every_poll(
        || async {
            let message = queue.next().await;
            let handled = handle(&consumer, message, async |scope, _| {
                scope.defer(async { yield_now().await });
                yield_now().await;
                yield_now().await;
                done.set(done.get() + 1);
                Ok::<(), String>(())
            });
            assert!(handled.await.report().is_clean());
        },
        |run| {
            let (queue, done) = (&queue, &done);
            async move {
                // What was dropped is settled in the background.
                assert_eq!(Reaper::global().drain(PATIENCE).await.waiting, 0);
                if queue.left().await == 0 {
                    // Done: it was dropped at the earliest while it was acknowledged.
                    assert!(done.get() > 0);
                    queue.publish(&CallContext::new(), "next").await;
                } else {
                    assert_ne!(run, Run::Finished);
                }
            }
        },
    );
    let polls = tokio::time::timeout(Duration::from_secs(60), polls).await.unwrap();
    assert!(polls > 4, "{polls}");
    let stats = consumer.stats();
    assert_eq!(stats.acknowledged, done.get(), "{stats:?}");
    assert_eq!((stats.settle_failed, stats.poison), (0, 0));
}
