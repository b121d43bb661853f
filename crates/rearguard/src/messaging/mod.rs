//! Messages: what goes along with one, and a scope for whoever consumes it.
//!
//! A producer writes its trace and its deadline into the headers ([`inject`]). A consumer hands each
//! message to [`handle`], which reads them, runs the work in a scope, and **settles** the message by how the
//! scope ended: acknowledged when it succeeded, returned on every other way out. A message that was
//! delivered too often is put aside; one whose deadline has passed is not begun.
//!
//! Why ours, where each client library has its own `ack`: an `ack` that is written into the code is not
//! reached by `?`, by a panic or by a future that is dropped. Here it is a cleanup.
//!
//! [`nats`], [`kafka`] and [`amqp`] have what is particular to each broker, and say what it cannot do.

#[cfg(feature = "amqp")]
pub mod amqp;
mod arrival;
mod consumer;
mod expiry;
mod handle;
mod headers;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
mod settle;
mod settling;
mod stats;

pub use arrival::{Received, inject};
pub use consumer::{
    Consumer, DEAD_LETTER_TIMEOUT, Late, MAX_DELIVERIES, RETURN_AFTER, RETURN_AFTER_MAX, Reason,
    SETTLE_TIMEOUT,
};
pub use expiry::{CLOCK_SKEW, EXPIRY};
pub use handle::{Handled, handle};
pub use headers::{Headers, HeadersMut};
pub use settle::{Delivery, Settle, Settler};
pub use stats::ConsumerStats;
