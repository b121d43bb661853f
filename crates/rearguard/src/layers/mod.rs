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
//! | [`breaker`] | [`BreakerLayer`]: what fails is called no more, until probes succeed |
//! | [`fallback`] | [`FallbackLayer`]: another answer in the place of a failed one |
//! | [`retry`] | [`RetryLayer`]: what may be sent again is, within a budget |
//! | [`limit`] | [`LimitLayer`]: as many at once as can be served |
//! | [`error_answer`] | [`ErrorAnswerLayer`]: errors of these become answers |
//! | `classify`, `ambient` | how a call went, to these four; the clock, and chance |
//! | `request_scope`, `after_response` | what a handler reaches of its scope; cleanup that comes after the answer |
//! | `head`, `timer` | what is read of a request; when it must be done |
//! | `outcome`, `answer`, `source` | how an answer went; answers of the layers' own, and their bodies |
//! | `report`, `stats` | what is said in band, and counted |
//!
//! The first four are for what serves. They take bodies whose data is [`Bytes`](bytes::Bytes), as those
//! of axum and tonic are, and call the service inside at once, in their own `call`: it is the one that
//! was ready, and nothing is cloned. The next four bound what is called, and how much of it.

mod after_response;
mod ambient;
mod answer;
pub mod breaker;
mod classify;
pub mod deadline;
pub mod error_answer;
pub mod fallback;
mod head;
pub mod limit;
mod outcome;
pub mod recover;
mod report;
mod request_scope;
pub mod retry;
pub mod scoped;
mod service;
mod source;
mod stats;
mod timer;

pub use after_response::{AfterResponse, AfterResponseStats, DEFAULT_AFTER_RESPONSE_CAPACITY};
pub use breaker::{Breaker, BreakerLayer, BreakerOptions, BreakerSet, CircuitBreaker};
pub use classify::{ByError, ByStatus, Classify};
pub use deadline::{Deadline, DeadlineLayer};
pub use error_answer::{ErrorAnswer, ErrorAnswerLayer};
pub use fallback::{Fallback, FallbackLayer};
pub use limit::{Limit, LimitLayer, LimitOptions, Limiter};
pub use recover::{Recover, RecoverLayer};
pub use request_scope::RequestScope;
pub use retry::{Repeat, ReplayBody, Retry, RetryBudget, RetryLayer, RetryOptions};
pub use scoped::{DEFAULT_BUFFERED_BYTES, Scoped, ScopedLayer};
pub use service::ServiceLayer;
pub use stats::{Stats, stats};
pub use timer::{CallerTimeout, Covers};
