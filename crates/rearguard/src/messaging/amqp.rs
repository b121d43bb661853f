//! AMQP 0-9-1 (RabbitMQ): messages of a channel.
//!
//! - A quorum queue counts deliveries (`x-delivery-count`). A classic queue says no more than that a
//!   message was delivered before; then a second failure is the last, and a message that kills its
//!   consumer each time comes for ever. Take quorum queues.
//! - A message that is returned goes back at once. So it is held here for the delay, as one of the
//!   channel's `prefetch_count`.
//! - What is discarded goes to the queue's dead-letter exchange, where it has one.
//! - What a dead consumer had goes back to the queue when its connection ends.
//! - A message that was delivered before its consumer was closed by the broker cannot be settled: that
//!   is a failure in the report, and the broker has it back already.

use lapin::{
    Acker,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::sleep;

use super::{
    headers::{Headers, HeadersMut},
    settle::{Delivery, Settle, Settler},
};
use crate::{Error, ErrorKind};

/// How often a quorum queue delivered a message before.
const DELIVERY_COUNT: &str = "x-delivery-count";

impl Headers for FieldTable {
    fn get(&self, name: &str) -> Option<&[u8]> {
        match self.inner().get(name)? {
            AMQPValue::LongString(value) => Some(value.as_bytes()),
            AMQPValue::ShortString(value) => Some(value.as_str().as_bytes()),
            AMQPValue::ByteArray(value) => Some(value.as_slice()),
            _ => None,
        }
    }
}

impl HeadersMut for FieldTable {
    fn set(&mut self, name: &'static str, value: &str) {
        self.insert(name.into(), AMQPValue::LongString(value.into()));
    }
}

impl Headers for Message {
    fn get(&self, name: &str) -> Option<&[u8]> {
        Headers::get(self.properties.headers().as_ref()?, name)
    }
}

impl Delivery for Message {
    type Message = Self;
    type Settler = ChannelSettler;

    fn split(self) -> (Self, ChannelSettler) {
        let headers = self.properties.headers().as_ref();
        let before =
            headers.and_then(|headers| headers.inner().get(DELIVERY_COUNT)).and_then(integer);
        let deliveries = before.map(|before| before.saturating_add(1));
        let settler =
            ChannelSettler { acker: self.acker.clone(), deliveries, redelivered: self.redelivered };
        (self, settler)
    }
}

fn integer(value: &AMQPValue) -> Option<u64> {
    match *value {
        AMQPValue::LongLongInt(value) => value.try_into().ok(),
        AMQPValue::LongInt(value) => value.try_into().ok(),
        AMQPValue::LongUInt(value) => Some(value.into()),
        AMQPValue::ShortInt(value) => value.try_into().ok(),
        AMQPValue::ShortUInt(value) => Some(value.into()),
        AMQPValue::ShortShortInt(value) => value.try_into().ok(),
        AMQPValue::ShortShortUInt(value) => Some(value.into()),
        _ => None,
    }
}

/// Settles a message on the channel that delivered it.
#[derive(Debug)]
pub struct ChannelSettler {
    acker: Acker,
    deliveries: Option<u64>,
    redelivered: bool,
}

impl Settler for ChannelSettler {
    fn deliveries(&self) -> Option<u64> {
        // A first delivery has no count, on any queue.
        self.deliveries.or((!self.redelivered).then_some(1))
    }

    fn was_delivered_before(&self) -> bool {
        self.redelivered
    }

    async fn settle(self, how: Settle) -> Result<(), Error> {
        let told = match how {
            Settle::Done => self.acker.ack(BasicAckOptions::default()).await,
            Settle::Return(after) => {
                sleep(after).await;
                let requeue = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                self.acker.nack(requeue).await
            }
            Settle::Discard => self.acker.reject(BasicRejectOptions { requeue: false }).await,
        };
        let failed = || Error::new(ErrorKind::Failed, "messaging.settle");
        match told {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed().because("its channel has closed, or it was settled already")),
            Err(error) => Err(failed().because(error)),
        }
    }
}
