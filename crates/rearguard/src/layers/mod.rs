//! Tower layers for HTTP and gRPC, for axum, tonic and whatever else serves by [`tower_service`].
//!
//! A request is a scope: what its handler opens, it defers the undo of, and the undo runs on every
//! way out. tower-http catches a panic and stops waiting; it has no place for what must then be
//! undone, nor does it say how a request ended once its body is on the way.
//!
//! | module | what is in it |
//! |---|---|
//! | `service` | [`ServiceLayer`]: a scope, recovery and a deadline in one |
//! | [`scoped`] | [`ScopedLayer`]: a scope per request |
//! | [`recover`] | [`RecoverLayer`]: a panic becomes an answer |
//! | [`deadline`] | [`DeadlineLayer`]: the route's time and the caller's |
//! | `request_scope`, `after_response` | what a handler reaches of its scope; cleanup that comes after the answer |
//! | `head`, `timer` | what is read of a request; when it must be done |
//! | `outcome`, `answer`, `source` | how an answer went; answers of the layers' own, and their bodies |
//! | `report`, `stats` | what is said in band, and counted |
//!
//! Each takes bodies whose data is [`Bytes`](bytes::Bytes), as those of axum and tonic are, and calls
//! the service inside at once, in its own `call`: it is the one that was ready, and nothing is
//! cloned.

mod after_response;
mod answer;
pub mod deadline;
mod head;
mod outcome;
pub mod recover;
mod report;
mod request_scope;
pub mod scoped;
mod service;
mod source;
mod stats;
mod timer;

pub use after_response::{AfterResponse, AfterResponseStats, DEFAULT_AFTER_RESPONSE_CAPACITY};
pub use deadline::{Deadline, DeadlineLayer};
pub use recover::{Recover, RecoverLayer};
pub use request_scope::RequestScope;
pub use scoped::{DEFAULT_BUFFERED_BYTES, Scoped, ScopedLayer};
pub use service::ServiceLayer;
pub use stats::{Stats, stats};
pub use timer::{CallerTimeout, Covers};
