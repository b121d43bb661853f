//! Messages through real brokers: NATS JetStream, RabbitMQ, and Kafka's protocol by librdkafka's mock
//! cluster.
//!
//! RabbitMQ is found where Debian puts it, or named by `REARGUARD_RABBITMQ`; without one its test is
//! skipped, and says so.
//!
//! `REARGUARD_MESSAGING_KILLS` sets how often the consumer's process is killed (default 8).
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod amqp;
mod death;
mod every_poll;
mod jetstream;
mod kafka;
mod nats;
mod poison;
mod rabbit;

use std::{future::Future, time::Duration};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let holds = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, holds).await.is_ok(), "it did not come about: {what}");
}
