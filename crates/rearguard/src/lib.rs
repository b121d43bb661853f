//! Scopes whose cleanup runs on every way out, and the words for how they ended.
//!
//! * [`scope`] runs a body that registers what must be undone, and undoes it, newest first, when
//!   the body has ended: by success, by an error, by a panic. [`scope_local`] does so for an async
//!   body, also when its future is dropped. [`defer!`] and [`guard`](guard()) are for one cleanup
//!   that is known at compile time.
//! * `scope_async` and `OwnedScope`, with the feature `tokio`, have cleanups that are futures: they
//!   run in place or, when the scope is cancelled, to their end elsewhere.
//! * [`Outcome`] says *how* a scope ended.
//! * [`Cause`] says *why* a request was not served well, and whose it is.
//!
//! # Features
//! The default features have no dependencies.
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` (default) | scopes; without it, in `no_std`, there are the words, [`guard`](guard()) and [`defer!`] |
//! | `tokio` | `scope_async`, `OwnedScope`, the reaper |
//! | `service` | what the features below share: `CallContext` (trace and deadline), `Error` |
//! | `layers` | `layers`: tower layers for HTTP and gRPC |
//! | `client` | `client`: HTTP connections and a client that keeps them |
//! | `pool` | `pool`: a pool of connections of any kind |
//! | `postgres` | `postgres`: transactions, and locks in PostgreSQL |
//! | `sqlite` | `sqlite`: transactions |
//! | `redis` | `lock`: locks in Redis |
//! | `messaging` | `messaging`: a scope for each message; with `nats`, `kafka`, `amqp` for those of JetStream, Kafka, RabbitMQ |
//! | `testing` | `testing`: what a test left behind, servers that a test has for itself |
#![cfg_attr(not(feature = "std"), no_std)]

mod cause;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "service")]
mod context;
#[cfg(feature = "service")]
mod error;
#[path = "scope/guard.rs"]
mod guard;
#[cfg(feature = "layers")]
pub mod layers;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub mod lock;
#[cfg(feature = "messaging")]
pub mod messaging;
#[cfg(feature = "tokio")]
mod open;
mod outcome;
#[cfg(feature = "pool")]
pub mod pool;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "std")]
mod scope;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timeout;
mod trace;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod transactions;

pub use cause::{Blame, Cause, Party, UnknownCause};
#[cfg(feature = "service")]
pub use context::{
    CallContext, InContext, TRACEPARENT, TRACESTATE, TRACESTATE_MAX_BYTES, read_timeout,
};
#[cfg(feature = "service")]
pub use error::{Error, ErrorKind, Retry};
pub use guard::{Guard, guard};
pub use outcome::{Outcome, UnknownOutcome};
#[cfg(feature = "std")]
pub use scope::*;
pub use trace::{SpanId, TraceContext, TraceId};

/// The code of the guides, which are not in the package.
#[cfg(doctest)]
mod guides {
    macro_rules! guide {
        ($($name:ident, $page:literal, $features:meta;)*) => {
            $(
                #[cfg($features)]
                #[doc = include_str!(concat!("../../../", $page))]
                struct $name;
            )*
        };
    }

    guide! {
        Readme, "README.md", feature = "tokio";
        Scope, "docs/scope.md", feature = "tokio";
        Client, "docs/client.md", feature = "client";
        Locks, "docs/locks.md", all(feature = "redis", feature = "postgres");
        Messaging, "docs/messaging.md", feature = "nats";
        Pool, "docs/pool.md", feature = "pool";
        Service, "docs/service.md", feature = "layers";
        ServiceLimits, "docs/service-limits.md", feature = "layers";
        Testing, "docs/testing.md", feature = "testing";
        Transactions, "docs/transactions.md", all(feature = "postgres", feature = "sqlite");
    }
}
