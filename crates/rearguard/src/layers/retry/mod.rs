//! Sends again what failed and may be sent again, within a budget.
//!
//! tower's `retry` leaves what may be repeated, the wait and the body to its user, and spends its
//! budget before the wait, for good. This one follows RFC 9110, keeps the body as far as that is
//! bounded, and gives back what it did not spend.
//!
//! | module | what is in it |
//! |---|---|
//! | `rule` | what may be sent again |
//! | `backoff` | how long to wait |
//! | `budget` | [`RetryBudget`]: how many retries for how many requests |
//! | `plan` | the decision, as a pure function |
//! | `body` | [`ReplayBody`]: a body that can be sent again |
//! | `layer`, `future` | [`RetryLayer`] |

mod backoff;
mod body;
mod budget;
mod future;
mod layer;
mod options;
mod plan;
mod rule;

pub use body::{REPLAY_MAX_BYTES, REPLAY_MAX_FRAMES, ReplayBody};
pub use budget::{
    BudgetSnapshot, DEFAULT_BUDGET_RATIO, DEFAULT_BUDGET_RESERVE_PER_SECOND, DEFAULT_BUDGET_TTL,
    RetryBudget,
};
pub use future::ResponseFuture;
pub use layer::{ATTEMPT_COUNT, RetriesSpent, Retry, RetryLayer, RetrySnapshot};
pub use options::{
    DEFAULT_ATTEMPTS, DEFAULT_BACKOFF_AT_MOST, DEFAULT_BACKOFF_BASE, DEFAULT_LEAST_TIME,
    DEFAULT_PUSHBACK_AT_MOST, MAX_ATTEMPTS, RetryOptions,
};
pub use plan::StopReason;
pub use rule::{DefaultRetryRule, MayRepeat, Repeat, RetryRule, Verdict};
