//! Messages that fail each time.

use std::{sync::Arc, time::Duration};

use rearguard::{
    CallContext,
    messaging::{Consumer, Handled, Reason, handle},
};

use crate::jetstream::Queue;

fn consumer() -> Consumer<async_nats::Message> {
    Consumer::new("poison").return_after(Duration::from_millis(1)).max_deliveries(3)
}

async fn fail(queue: &Queue, consumer: &Consumer<async_nats::Message>) -> u64 {
    let message = queue.next().await;
    let handled = handle(consumer, message, async |_, message| Err::<(), _>(message.deliveries()));
    match handled.await {
        Handled::Ended(ended) => ended.into_returned().unwrap().unwrap_err().unwrap(),
        Handled::NotBegun(..) => panic!("it was not begun"),
    }
}

#[tokio::test]
async fn it_is_put_aside_after_its_last_delivery() {
    let queue = Queue::start().await;
    let context = queue.context.clone();
    let consumer = consumer().dead_letter(move |message: Arc<async_nats::Message>, reason| {
        let context = context.clone();
        async move {
            assert_eq!(reason, Reason::Poison);
            context.publish("work.aside", message.payload.clone()).await?.await?;
            Ok(())
        }
    });
    queue.publish(&CallContext::new(), "bad").await;
    for delivery in 1..=3 {
        assert_eq!(fail(&queue, &consumer).await, delivery);
    }
    let aside = queue.next().await;
    assert_eq!((&*aside.subject, &*aside.payload), ("work.aside", b"bad".as_slice()));
    aside.double_ack().await.unwrap();
    assert_eq!(queue.left().await, 0);
    let stats = consumer.stats();
    assert_eq!(
        (stats.returned, stats.poison, stats.dead_lettered, stats.acknowledged),
        (2, 1, 1, 0)
    );
}

#[tokio::test]
async fn without_a_dead_letter_function_the_server_is_told_to_discard() {
    let (queue, consumer) = (Queue::start().await, consumer());
    queue.publish(&CallContext::new(), "bad").await;
    for delivery in 1..=3 {
        assert_eq!(fail(&queue, &consumer).await, delivery);
    }
    assert_eq!(queue.left().await, 0);
    assert_eq!((consumer.stats().poison, consumer.stats().discarded), (1, 1));
}

#[tokio::test]
async fn it_is_not_lost_where_it_cannot_be_put_aside() {
    let queue = Queue::start().await;
    let consumer = consumer().max_deliveries(1).dead_letter(async |_, _| Err("it is full".into()));
    queue.publish(&CallContext::new(), "bad").await;
    assert_eq!(fail(&queue, &consumer).await, 1);
    // Past its deliveries it is not begun again, but put aside, if that can be done.
    let handled = handle(&consumer, queue.next().await, async |_, _| -> Result<(), String> {
        unreachable!("poison")
    });
    let handled = handled.await;
    assert!(matches!(handled, Handled::NotBegun(Reason::Poison, _)));
    assert_eq!(handled.report().failures().len(), 1);
    assert_eq!((queue.left().await, consumer.stats().dead_letter_failed), (1, 2));
}
