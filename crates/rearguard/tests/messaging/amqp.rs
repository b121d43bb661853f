//! RabbitMQ: each way out, as a queue sees it. One test, as the broker takes its time to start.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer as Messages,
    message::Delivery,
    options::{
        BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use rearguard::{
    CallContext, Outcome,
    messaging::{Consumer, Handled, Headers as _, HeadersMut as _, Reason, handle, inject},
};

use crate::{PATIENCE, rabbit::Rabbit};

struct Queue {
    channel: Channel,
    messages: Messages,
    name: &'static str,
}

impl Queue {
    async fn open(connection: &Connection, name: &'static str, kind: &str) -> Self {
        let channel = connection.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, arguments).await.unwrap();
        // So that what is put aside is there before the message is acknowledged.
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let messages =
            channel.basic_consume(name.into(), "".into(), options, arguments).await.unwrap();
        Self { channel, messages, name }
    }

    async fn publish(&self, context: &CallContext, payload: &str) {
        let mut headers = FieldTable::default();
        inject(context, &mut headers);
        let properties = BasicProperties::default().with_headers(headers);
        let options = BasicPublishOptions::default();
        let published = self.channel.basic_publish(
            "".into(),
            self.name.into(),
            options,
            payload.as_bytes(),
            properties,
        );
        published.await.unwrap().await.unwrap();
    }

    async fn next(&mut self) -> Delivery {
        tokio::time::timeout(PATIENCE, self.messages.next()).await.unwrap().unwrap().unwrap()
    }

    /// How many are neither done nor in flight.
    async fn ready(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(self.name.into(), options, FieldTable::default());
        declared.await.unwrap().message_count()
    }
}

fn consumer() -> Consumer<Delivery> {
    Consumer::new("amqp")
        .return_after(Duration::from_millis(1))
        .deadline(Duration::from_millis(200))
}

#[test]
fn headers_are_read_and_set() {
    let mut headers = FieldTable::default();
    headers.set("traceparent", "a");
    headers.set("traceparent", "b");
    assert_eq!(headers.get("traceparent"), Some(b"b".as_slice()));
    assert_eq!(headers.get("absent"), None);
    headers.insert("number".into(), AMQPValue::LongInt(1));
    assert_eq!(headers.get("number"), None);
}

#[tokio::test]
async fn each_way_out_in_rabbitmq() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let connection =
        Connection::connect(&rabbit.url(), ConnectionProperties::default()).await.unwrap();
    let mut quorum = Queue::open(&connection, "quorum", "quorum").await;
    every_way_out_but_success_returns_the_message(&mut quorum).await;
    a_quorum_queue_counts(&mut quorum).await;
    let mut classic = Queue::open(&connection, "classic", "classic").await;
    a_classic_queue_allows_one_more(&mut classic).await;
    what_a_dead_consumer_had_comes_again(&connection, &rabbit).await;
    connection.close(200, "done".into()).await.unwrap();
}

async fn every_way_out_but_success_returns_the_message(queue: &mut Queue) {
    let consumer = consumer().max_deliveries(10);
    let sent = CallContext::new().within(Duration::from_secs(60));
    queue.publish(&sent, "hello").await;
    let error = handle(&consumer, queue.next().await, async |_, message| {
        assert_eq!((message.producer(), message.deliveries()), (Some(sent.trace()), Some(1)));
        Err::<(), _>("no")
    });
    assert_eq!(error.await.report().outcome, Outcome::Failed);
    let panic = handle(&consumer, queue.next().await, async |_, message| -> Result<(), String> {
        assert_eq!(message.deliveries(), Some(2));
        panic!("boom")
    });
    assert_eq!(panic.await.report().outcome, Outcome::Panicked);
    let late = handle(&consumer, queue.next().await, async |_, _| {
        std::future::pending::<Result<(), String>>().await
    });
    assert_eq!(late.await.report().outcome, Outcome::TimedOut);
    drop(handle(&consumer, queue.next().await, async |_, _| Ok::<(), String>(())));
    let done = handle(&consumer, queue.next().await, async |_, message| {
        assert_eq!((&*message.data, message.deliveries()), (b"hello".as_slice(), Some(5)));
    });
    assert!(done.await.report().is_clean());
    let stats = consumer.stats();
    assert_eq!((stats.returned, stats.acknowledged, stats.settle_failed), (4, 1, 0));
    assert_eq!(queue.ready().await, 0);
}

async fn a_quorum_queue_counts(queue: &mut Queue) {
    let channel = queue.channel.clone();
    let consumer =
        consumer().max_deliveries(3).dead_letter(move |message: Arc<Delivery>, reason| {
            assert_eq!(reason, Reason::Poison);
            let channel = channel.clone();
            async move {
                let options = QueueDeclareOptions::default();
                channel.queue_declare("aside".into(), options, FieldTable::default()).await?;
                let (options, properties) =
                    (BasicPublishOptions::default(), message.properties.clone());
                let published = channel.basic_publish(
                    "".into(),
                    "aside".into(),
                    options,
                    &message.data,
                    properties,
                );
                published.await?.await?;
                Ok(())
            }
        });
    queue.publish(&CallContext::new(), "poison").await;
    for delivery in 1..=3 {
        let failed = handle(&consumer, queue.next().await, async |_, message| {
            assert_eq!(message.deliveries(), Some(delivery));
            Err::<(), _>("no")
        });
        assert!(failed.await.report().is_clean());
    }
    assert_eq!((consumer.stats().poison, consumer.stats().dead_lettered), (1, 1));
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let aside = queue.channel.queue_declare("aside".into(), passive, FieldTable::default());
    assert_eq!(aside.await.unwrap().message_count(), 1);
    assert_eq!(queue.ready().await, 0);
}

async fn a_classic_queue_allows_one_more(queue: &mut Queue) {
    let consumer = consumer();
    queue.publish(&CallContext::new(), "poison").await;
    for deliveries in [Some(1), None] {
        let failed = handle(&consumer, queue.next().await, async |_, message| {
            assert_eq!(message.deliveries(), deliveries);
            Err::<(), _>("no")
        });
        let failed = failed.await;
        assert!(failed.report().is_clean());
        assert!(matches!(failed, Handled::Ended(_)));
    }
    let stats = consumer.stats();
    assert_eq!((stats.returned, stats.poison, stats.discarded), (1, 1, 1));
    assert_eq!(queue.ready().await, 0);
}

async fn what_a_dead_consumer_had_comes_again(connection: &Connection, rabbit: &Rabbit) {
    let other = Connection::connect(&rabbit.url(), ConnectionProperties::default()).await.unwrap();
    let mut dying = Queue::open(&other, "left", "quorum").await;
    dying.publish(&CallContext::new(), "hello").await;
    let message = dying.next().await;
    other.close(200, "as a dead process does".into()).await.unwrap();
    let consumer = consumer();
    // It is too late to say that it is done.
    let handled = handle(&consumer, message, async |_, _| Ok::<(), String>(())).await;
    assert_eq!(handled.report().failures().len(), 1);
    assert_eq!(consumer.stats().settle_failed, 1);
    let mut next = Queue::open(connection, "left", "quorum").await;
    assert_eq!(&*next.next().await.data, b"hello");
}
