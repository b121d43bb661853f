//! What a broker is told of a message.

use std::{future::Future, time::Duration};

use super::headers::Headers;
use crate::Error;

/// What is told to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It was done, or put aside: the broker forgets it.
    Done,
    /// It was not done: it is to be delivered again, not before this time has passed.
    Return(Duration),
    /// It cannot be done: the broker drops it, or puts it where it was told to put such.
    Discard,
}

/// A message as a client library delivers it.
pub trait Delivery {
    /// What its consumer reads.
    type Message: Headers + Send + Sync + 'static;
    /// What it is settled by.
    type Settler: Settler;

    /// Takes it apart.
    fn split(self) -> (Self::Message, Self::Settler);
}

/// Settles one message, once.
pub trait Settler: Send + 'static {
    /// How often the message was delivered, this time included, where the broker says so.
    fn deliveries(&self) -> Option<u64>;

    /// Whether it was delivered before, where the broker says no more than that.
    fn was_delivered_before(&self) -> bool {
        self.deliveries().is_some_and(|deliveries| deliveries > 1)
    }

    /// Tells the broker, and waits until it knows.
    ///
    /// # Errors
    /// Where that cannot be said. The broker then delivers the message again, sooner or later.
    fn settle(self, how: Settle) -> impl Future<Output = Result<(), Error>> + Send;
}
