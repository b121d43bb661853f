//! A JetStream with a queue of work, from which what is acknowledged is gone.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        self, Context, Message,
        consumer::{PullConsumer, pull},
        stream::{self, RetentionPolicy, Stream},
    },
};
use futures_util::StreamExt as _;
use rearguard::{CallContext, messaging::inject, testing::TestServer};

use crate::PATIENCE;

/// After how long the server gives up waiting for an acknowledgement.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Queue {
    pub(crate) context: Context,
    pub(crate) stream: Stream,
    pub(crate) consumer: PullConsumer,
    pub(crate) server: TestServer,
}

impl Queue {
    pub(crate) async fn start() -> Self {
        let server = TestServer::nats().start().unwrap();
        let (context, stream, consumer) = open(&server.url()).await;
        Self { context, stream, consumer, server }
    }

    /// Publishes with a context.
    pub(crate) async fn publish(&self, context: &CallContext, payload: &str) {
        let mut headers = HeaderMap::new();
        inject(context, &mut headers);
        self.publish_with(headers, payload).await;
    }

    pub(crate) async fn publish_with(&self, headers: HeaderMap, payload: &str) {
        let payload = payload.to_owned().into();
        let published = self.context.publish_with_headers("work.item", headers, payload).await;
        published.unwrap().await.unwrap();
    }

    /// The next message.
    pub(crate) async fn next(&self) -> Message {
        next(&self.consumer).await.expect("there is a message")
    }

    /// How many messages are left, in flight or not.
    pub(crate) async fn left(&self) -> u64 {
        self.stream.get_info().await.unwrap().state.messages
    }

    /// How many are in flight: delivered, and neither acknowledged nor returned.
    pub(crate) async fn in_flight(&self) -> usize {
        self.consumer.get_info().await.unwrap().num_ack_pending
    }
}

pub(crate) async fn next(consumer: &PullConsumer) -> Option<Message> {
    let fetch = consumer.fetch().max_messages(1).expires(PATIENCE).messages().await;
    let mut messages = fetch.unwrap();
    messages.next().await.map(Result::unwrap)
}

pub(crate) async fn open(url: &str) -> (Context, Stream, PullConsumer) {
    let context = jetstream::new(async_nats::connect(url).await.unwrap());
    let stream = context
        .get_or_create_stream(stream::Config {
            name: "work".to_owned(),
            subjects: vec!["work.>".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            ..stream::Config::default()
        })
        .await
        .unwrap();
    let config = pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_wait: ACK_WAIT,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer("worker", config).await.unwrap();
    (context, stream, consumer)
}
