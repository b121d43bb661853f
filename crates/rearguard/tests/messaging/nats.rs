//! Each way out of the work on a JetStream message, as the server sees it.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::HeaderMap;
use rearguard::{
    CallContext, Outcome,
    messaging::{Consumer, EXPIRY, Handled, Late, Reason, handle},
};
use tokio::sync::Mutex;

use crate::{jetstream::Queue, until};

fn consumer() -> Consumer<async_nats::Message> {
    Consumer::new("test").return_after(Duration::from_millis(1))
}

fn outcome<R>(handled: &Handled<R>) -> Outcome {
    handled.report().outcome
}

#[tokio::test]
async fn success_acknowledges() {
    let (queue, consumer) = (Queue::start().await, consumer());
    queue.publish(&CallContext::new(), "hello").await;
    let handled = handle(&consumer, queue.next().await, async |_, message| {
        assert_eq!((&*message.payload, message.deliveries()), (b"hello".as_slice(), Some(1)));
        Ok::<(), String>(())
    });
    let handled = handled.await;
    assert!(handled.report().is_clean());
    assert_eq!((queue.left().await, queue.in_flight().await), (0, 0));
    assert_eq!((consumer.stats().begun, consumer.stats().acknowledged), (1, 1));
}

#[tokio::test]
async fn every_other_way_out_returns_the_message() {
    let queue = Queue::start().await;
    let consumer = consumer().max_deliveries(10).deadline(Duration::from_millis(50));
    queue.publish(&CallContext::new(), "hello").await;

    let error = handle(&consumer, queue.next().await, async |_, _| Err::<(), _>("no")).await;
    assert_eq!(outcome(&error), Outcome::Failed);

    let panic = handle(&consumer, queue.next().await, async |_, _| -> Result<(), String> {
        panic!("boom")
    });
    assert_eq!(outcome(&panic.await), Outcome::Panicked);

    let timeout =
        handle(&consumer, queue.next().await, async |_, _| pending::<Result<(), String>>().await);
    assert_eq!(outcome(&timeout.await), Outcome::TimedOut);

    let dropped =
        handle(&consumer, queue.next().await, async |_, _| pending::<Result<(), String>>().await);
    assert!(tokio::time::timeout(Duration::from_millis(10), dropped).await.is_err());

    // Never polled.
    drop(handle(&consumer, queue.next().await, async |_, _| Ok::<(), String>(())));

    let aborted = tokio::spawn(handle(&consumer, queue.next().await, async |_, _| {
        pending::<Result<(), String>>().await
    }));
    until("it is begun", async || consumer.stats().begun == 5).await;
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());

    let last = queue.next().await;
    assert_eq!(last.info().unwrap().delivered, 7);
    let done = handle(&consumer, last, async |_, _| Ok::<(), String>(())).await;
    assert_eq!(outcome(&done), Outcome::Succeeded);
    assert_eq!(queue.left().await, 0);
    let stats = consumer.stats();
    assert_eq!((stats.returned, stats.acknowledged, stats.settle_failed), (6, 1, 0));
}

#[tokio::test]
async fn what_failed_comes_again_after_its_delay() {
    let queue = Queue::start().await;
    let consumer = consumer().return_after(Duration::from_millis(300));
    queue.publish(&CallContext::new(), "hello").await;
    let failed = handle(&consumer, queue.next().await, async |_, _| Err::<(), _>("no")).await;
    assert_eq!(outcome(&failed), Outcome::Failed);
    let returned = Instant::now();
    drop(queue.next().await);
    assert!(returned.elapsed() >= Duration::from_millis(250), "{:?}", returned.elapsed());
}

#[tokio::test]
async fn it_is_acknowledged_when_all_cleanups_have_run() {
    let queue = Arc::new(Queue::start().await);
    queue.publish(&CallContext::new(), "hello").await;
    let in_flight = Arc::new(Mutex::new(None));
    let (asked, seen) = (Arc::clone(&queue), Arc::clone(&in_flight));
    let handled = handle(&consumer(), queue.next().await, async move |scope, _| {
        scope.defer(async move {
            *seen.lock().await = Some(asked.in_flight().await);
        });
        Ok::<(), String>(())
    });
    assert!(handled.await.report().is_clean());
    assert_eq!((*in_flight.lock().await, queue.in_flight().await), (Some(1), 0));
}

#[tokio::test]
async fn the_work_has_a_trace_of_its_own_that_links_to_the_producers_and_its_deadline() {
    let (queue, consumer) = (Queue::start().await, consumer());
    let sent = CallContext::new().within(Duration::from_secs(60));
    queue.publish(&sent, "hello").await;
    let handled = handle(&consumer, queue.next().await, async |_, message| {
        let context = CallContext::current().unwrap();
        assert_eq!(message.producer(), Some(sent.trace()));
        assert_ne!(context.trace().trace_id, sent.trace().trace_id);
        let left = context.remaining().unwrap();
        assert!(left > Duration::from_secs(55) && left < Duration::from_secs(61), "{left:?}");
    });
    assert!(handled.await.report().is_clean());
    assert_eq!(consumer.stats().without_context, 0);
}

#[tokio::test]
async fn a_message_without_context_begins_one_and_says_so() {
    let (queue, consumer) = (Queue::start().await, consumer());
    queue.publish_with(HeaderMap::new(), "hello").await;
    let handled = handle(&consumer, queue.next().await, async |_, message| {
        assert!(message.producer().is_none());
        assert!(CallContext::current().is_some());
    });
    assert!(handled.await.report().is_clean());
    assert_eq!(consumer.stats().without_context, 1);
}

#[tokio::test]
async fn the_messages_deadline_bounds_the_work() {
    let (queue, consumer) = (Queue::start().await, consumer());
    queue.publish(&CallContext::new().within(Duration::from_millis(100)), "hello").await;
    let handled = handle(&consumer, queue.next().await, async |_, _| pending::<()>().await);
    assert_eq!(outcome(&handled.await), Outcome::TimedOut);
}

/// One that nobody wants any more.
async fn late(queue: &Queue) {
    let mut headers = HeaderMap::new();
    headers.insert(EXPIRY, "1000");
    queue.publish_with(headers, "hello").await;
}

#[tokio::test]
async fn a_message_whose_deadline_has_passed_is_not_begun() {
    let queue = Queue::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let put_aside = consumer().dead_letter(move |message: Arc<async_nats::Message>, reason| {
        let told = Arc::clone(&told);
        async move {
            told.lock().await.push((message.payload.clone(), reason));
            Ok(())
        }
    });
    for consumer in [put_aside.clone(), consumer().late(Late::Forget), consumer()] {
        late(&queue).await;
        let handled = handle(&consumer, queue.next().await, async |_, _| -> Result<(), String> {
            unreachable!("late")
        });
        assert!(matches!(handled.await, Handled::NotBegun(Reason::Late, _)));
        assert_eq!((queue.left().await, consumer.stats().late, consumer.stats().begun), (0, 1, 0));
    }
    assert_eq!(*seen.lock().await, [("hello".into(), Reason::Late)]);

    late(&queue).await;
    let consumer = consumer().late(Late::Begin);
    let handled = handle(&consumer, queue.next().await, async |_, _| {
        assert_eq!(CallContext::current().unwrap().deadline(), None);
    });
    assert!(matches!(handled.await, Handled::Ended(_)));
    assert_eq!((queue.left().await, consumer.stats().late), (0, 1));
}

#[tokio::test]
async fn a_broker_that_cannot_be_told_stands_in_the_report() {
    let mut queue = Queue::start().await;
    let consumer = consumer();
    queue.publish(&CallContext::new(), "hello").await;
    let message = queue.next().await;
    queue.server.kill().unwrap();
    let handled = handle(&consumer, message, async |_, _| Ok::<(), String>(())).await;
    assert_eq!(handled.report().failures().len() + handled.report().unfinished().len(), 1);
    assert_eq!((consumer.stats().acknowledged, consumer.stats().settle_failed), (0, 1));
    // It is still there.
    queue.server.start_again().unwrap();
    assert_eq!(queue.next().await.info().unwrap().delivered, 2);
}
