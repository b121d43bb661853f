//! HTTP connections to other services, which end in a known way.
//!
//! [`Client`] keeps a few connections for each authority and sends requests on them; it is a
//! `tower_service::Service`, too. [`Connection`] is one of them, with its [`State`].
//!
//! Why ours, where hyper and reqwest exist: hyper speaks the protocol here. What is added is what a
//! service's caller needs and each of them leaves open: errors told apart in the words that the
//! gateway uses, the deadline and the trace of [`CallContext`](crate::CallContext) on each request,
//! bodies that may be dropped unread, the race with a server that closes a kept connection, bounds on
//! what is kept and what waits, and an end that waits for what is in flight.
//!
//! There is no TLS: behind the gateway or a mesh the sidecar has it.

mod body;
mod call;
mod connect;
mod connection;
mod exchange;
mod failure;
mod front;
mod limit;
mod options;
mod outgoing;
mod pool;
mod reported;
mod sender;
mod stats;
mod status;
mod turn;
mod wire;

pub use body::Body;
pub use connection::Connection;
pub use front::Client;
pub use options::{
    BODY_STALL_TIMEOUT, CLOSE_GRACE, CONNECT_TIMEOUT, CONNECTIONS, ClientOptions, DRAIN_DEADLINE,
    DRAIN_MAX_BYTES, IDLE_TIMEOUT, MAX_ADDRESSES, MAX_AUTHORITIES, MAX_HEAD_BYTES, PING_INTERVAL,
    PING_TIMEOUT, Protocol, QUEUE_TIMEOUT, REPLAY_MAX_BYTES, RESENDS, RESPONSE_TIMEOUT, Repeat,
    RequestOptions, STREAMS, WAITERS,
};
pub use reported::Reported;
pub use stats::ClientStats;
pub use status::State;
