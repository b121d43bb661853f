//! Does not call what fails: a circuit breaker.
//!
//! The states and their words are those of resilience4j. tower has no breaker, and one that loses a
//! probe's place when its future is dropped stays half-open for good.
//!
//! | module | what is in it |
//! |---|---|
//! | `window` | what the last calls were like |
//! | `machine` | the states, as a pure machine |
//! | `circuit` | [`CircuitBreaker`]: one that calls share |
//! | `set` | [`BreakerSet`]: one per endpoint |
//! | `layer` | [`BreakerLayer`] |

mod circuit;
mod layer;
mod machine;
mod options;
mod set;
mod window;

pub use circuit::{BreakerPermit, BreakerSnapshot, CircuitBreaker, Transition};
pub use layer::{Breaker, BreakerLayer, ResponseFuture};
pub use machine::{BreakerState, OpenReason};
pub use options::{
    BreakerOptions, DEFAULT_FAILURE_RATIO, DEFAULT_MINIMUM_CALLS, DEFAULT_OPEN_AT_MOST,
    DEFAULT_OPEN_FOR, DEFAULT_PROBE_PATIENCE, DEFAULT_PROBES, DEFAULT_WINDOW, OPEN_JITTER_RATIO,
};
pub use set::{BreakerSet, BreakerSetSnapshot, DEFAULT_BREAKERS, Keyed, SelectBreaker};
pub use window::{MAX_WINDOW_CALLS, Tally, WINDOW_BUCKETS, Window};
