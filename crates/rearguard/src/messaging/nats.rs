//! NATS: JetStream messages.
//!
//! The server counts deliveries, delays what is returned, and delivers again what was not acknowledged
//! within the consumer's `ack_wait`. Each settling is confirmed by the server. Set the JetStream
//! consumer's own `max_deliver` higher than [`max_deliveries`](super::Consumer::max_deliveries), or not at all:
//! past it the server drops the message silently.
//!
//! Messages of core NATS are not acknowledged; only their [headers](super::Headers) are of use here.

use std::fmt;

use async_nats::{
    HeaderMap,
    jetstream::{AckKind, Message, message::Acker},
};

use super::{
    headers::{Headers, HeadersMut},
    settle::{Delivery, Settle, Settler},
};
use crate::{Error, ErrorKind};

impl Headers for HeaderMap {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(|value| value.as_str().as_bytes())
    }
}

impl HeadersMut for HeaderMap {
    fn set(&mut self, name: &'static str, value: &str) {
        self.insert(name, value);
    }
}

impl Headers for async_nats::Message {
    fn get(&self, name: &str) -> Option<&[u8]> {
        Headers::get(self.headers.as_ref()?, name)
    }
}

impl Delivery for Message {
    type Message = async_nats::Message;
    type Settler = JetStreamSettler;

    fn split(self) -> (async_nats::Message, JetStreamSettler) {
        let deliveries = self.info().ok().and_then(|info| u64::try_from(info.delivered).ok());
        let (message, acker) = Self::split(self);
        (message, JetStreamSettler { acker, deliveries })
    }
}

/// Settles a JetStream message.
pub struct JetStreamSettler {
    acker: Acker,
    deliveries: Option<u64>,
}

impl fmt::Debug for JetStreamSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("JetStreamSettler");
        shown.field("deliveries", &self.deliveries).finish_non_exhaustive()
    }
}

impl Settler for JetStreamSettler {
    fn deliveries(&self) -> Option<u64> {
        self.deliveries
    }

    async fn settle(self, how: Settle) -> Result<(), Error> {
        let kind = match how {
            Settle::Done => AckKind::Ack,
            Settle::Return(after) => AckKind::Nak((!after.is_zero()).then_some(after)),
            Settle::Discard => AckKind::Term,
        };
        self.acker
            .double_ack_with(kind)
            .await
            .map_err(|error| Error::new(ErrorKind::Failed, "messaging.settle").because(error))
    }
}
