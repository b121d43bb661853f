//! As many calls at once as can be served: adaptive concurrency.
//!
//! tower's `ConcurrencyLimit` has a fixed limit, which somebody must know, and waits without a bound.
//! This one finds the limit by what calls take, and refuses, or lets wait within bounds.
//!
//! | module | what is in it |
//! |---|---|
//! | `gradient` | the limit, as a pure function of what calls took, and its simulation |
//! | `limiter` | [`Limiter`]: places, and the queue for them |
//! | `layer` | [`LimitLayer`] |

mod gradient;
mod layer;
mod limiter;
mod options;

pub use gradient::{
    BACKOFF_RATIO, BASE_LASTS, LATENCY_TOLERANCE, WINDOW_LEAST_CALLS, WINDOW_LEAST_TIME,
};
pub use layer::{Limit, LimitLayer, ResponseFuture};
pub use limiter::{LimitPermit, LimitSnapshot, Limiter};
pub use options::{
    DEFAULT_INITIAL_LIMIT, DEFAULT_LEAST_LIMIT, DEFAULT_MOST_LIMIT, LimitOptions, MAX_LIMIT_QUEUE,
};
