//! Kafka's protocol, spoken by librdkafka's mock cluster in this process.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    message::{Header, Headers as _, OwnedHeaders},
    mocking::MockCluster,
    producer::{DefaultProducerContext, FutureProducer, FutureRecord},
};
use rearguard::{
    CallContext, Outcome,
    messaging::{
        Consumer, EXPIRY, Handled, Headers, HeadersMut, Late, handle, inject,
        kafka::{Source, configure},
    },
};

use crate::PATIENCE;

struct Topic {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Topic {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("work", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        let producer = config.set("bootstrap.servers", cluster.bootstrap_servers()).create();
        Self { cluster, producer: producer.unwrap() }
    }

    async fn publish(&self, context: &CallContext, payload: &str) {
        let mut headers = OwnedHeaders::new();
        inject(context, &mut headers);
        let record = FutureRecord::<(), _>::to("work").payload(payload).headers(headers);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    fn source(&self) -> Source {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config.set("group.id", "workers").set("auto.offset.reset", "earliest");
        // A member that left is gone by then at the latest.
        config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "500");
        let consumer: StreamConsumer = configure(&mut config).create().unwrap();
        consumer.subscribe(&["work"]).unwrap();
        Source::new(consumer)
    }
}

/// The place up to which the group has committed.
fn committed(source: &Source) -> Offset {
    let mut places = TopicPartitionList::new();
    places.add_partition("work", 0);
    let places = source.consumer().committed_offsets(places, PATIENCE).unwrap();
    places.elements()[0].offset()
}

fn text(message: &impl rdkafka::Message) -> String {
    String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn headers_are_set_in_place_and_the_last_counts() {
    let mut headers = OwnedHeaders::new()
        .insert(Header { key: "other", value: Some("kept") })
        .insert(Header { key: "traceparent", value: Some("old") });
    HeadersMut::set(&mut headers, "traceparent", "new");
    assert_eq!(Headers::get(&headers, "traceparent"), Some(b"new".as_slice()));
    assert_eq!(Headers::get(&headers, "other"), Some(b"kept".as_slice()));
    assert_eq!(Headers::get(headers.as_borrowed(), "traceparent"), Some(b"new".as_slice()));
    assert_eq!((headers.count(), Headers::get(&headers, EXPIRY)), (2, None));
}

#[tokio::test]
async fn success_commits_and_every_other_way_out_comes_again_in_order() {
    let topic = Topic::new();
    let consumer = Consumer::new("work")
        .max_deliveries(10)
        .return_after(Duration::ZERO)
        .deadline(Duration::from_millis(200));
    let sent = CallContext::new().within(Duration::from_secs(60));
    for payload in ["a", "b", "c"] {
        topic.publish(&sent, payload).await;
    }
    let mut source = topic.source();
    let first = handle(&consumer, source.next().await.unwrap(), async |_, message| {
        assert_eq!(message.producer(), Some(sent.trace()));
        assert!(CallContext::current().unwrap().deadline().is_some());
        Ok::<_, String>(text(&*message))
    });
    assert!(first.await.report().is_clean());
    assert_eq!(committed(&source), Offset::Offset(1));

    let error = handle(&consumer, source.next().await.unwrap(), async |_, _| Err::<(), _>("no"));
    assert_eq!(error.await.report().outcome, Outcome::Failed);
    let panic =
        handle(&consumer, source.next().await.unwrap(), async |_, _| -> Result<(), String> {
            panic!("boom")
        });
    assert_eq!(panic.await.report().outcome, Outcome::Panicked);
    let late = handle(&consumer, source.next().await.unwrap(), async |_, _| {
        std::future::pending::<Result<(), String>>().await
    });
    assert_eq!(late.await.report().outcome, Outcome::TimedOut);
    // Dropped: the next is not given out before this one is settled.
    drop(handle(&consumer, source.next().await.unwrap(), async |_, _| Ok::<(), String>(())));
    // Given out, and never handled.
    drop(source.next().await.unwrap());
    assert_eq!(committed(&source), Offset::Offset(1));

    let mut seen = Vec::new();
    for _ in 0..2 {
        let done = handle(&consumer, source.next().await.unwrap(), async |_, message| {
            Ok::<_, String>((text(&*message), message.deliveries()))
        });
        let Handled::Ended(ended) = done.await else { panic!("it was not begun") };
        seen.push(ended.into_returned().unwrap().unwrap());
    }
    assert_eq!(seen, [("b".to_owned(), Some(6)), ("c".to_owned(), Some(1))]);
    assert_eq!(committed(&source), Offset::Offset(3));
}

#[tokio::test]
async fn what_was_not_done_comes_to_the_next_consumer_of_the_group() {
    let topic = Topic::new();
    let consumer = Consumer::new("work");
    for payload in ["a", "b"] {
        topic.publish(&CallContext::new(), payload).await;
    }
    let mut first = topic.source();
    let done = handle(&consumer, first.next().await.unwrap(), async |_, _| Ok::<(), String>(()));
    assert!(done.await.report().is_clean());
    let undone = first.next().await.unwrap();
    drop((undone, first));
    let mut second = topic.source();
    let done = handle(&consumer, second.next().await.unwrap(), async |_, message| {
        assert_eq!(text(&*message), "b");
    });
    assert!(done.await.report().is_clean());
    assert_eq!(committed(&second), Offset::Offset(2));
}

#[tokio::test]
async fn poison_and_late_messages_do_not_hold_up_their_partition() {
    let topic = Topic::new();
    let consumer =
        Consumer::new("work").max_deliveries(2).return_after(Duration::ZERO).late(Late::Forget);
    topic.publish(&CallContext::new(), "poison").await;
    let mut headers = OwnedHeaders::new();
    headers.set(EXPIRY, "1000");
    let record = FutureRecord::<(), _>::to("work").payload("late").headers(headers);
    topic.producer.send(record, PATIENCE).await.unwrap();
    topic.publish(&CallContext::new(), "good").await;
    let mut source = topic.source();
    let mut begun = Vec::new();
    while begun.last().is_none_or(|last| last != "good") {
        let handled = handle(&consumer, source.next().await.unwrap(), async |_, message| {
            begun.push(text(&*message));
            if begun.last().unwrap() == "good" { Ok(()) } else { Err("no") }
        });
        drop(handled.await);
    }
    assert_eq!(begun, ["poison", "poison", "good"]);
    assert_eq!(committed(&source), Offset::Offset(3));
    let stats = consumer.stats();
    assert_eq!((stats.poison, stats.discarded, stats.late), (1, 1, 1));
}
