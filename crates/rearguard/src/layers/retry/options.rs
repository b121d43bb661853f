use std::time::Duration;

use super::{RetryBudget, backoff::Backoff, rule::Repeat};
use crate::{Error, ErrorKind, layers::ambient::Chance};

/// How often a request is sent at most, the first time included: Istio's default is two retries.
pub const DEFAULT_ATTEMPTS: u32 = 3;
/// More attempts than this cannot be asked for: as in gRPC's retry design (proposal A6).
pub const MAX_ATTEMPTS: u32 = 5;
/// The backoff before the second try is drawn from 0 to this: `base_interval` of Envoy.
pub const DEFAULT_BACKOFF_BASE: Duration = Duration::from_millis(25);
/// No backoff is longer than this: `max_interval` of Envoy, ten times the base.
pub const DEFAULT_BACKOFF_AT_MOST: Duration = Duration::from_millis(250);
/// Where the other side tells to wait longer than this, there is no retry.
pub const DEFAULT_PUSHBACK_AT_MOST: Duration = Duration::from_secs(10);
/// A retry that would have less time than this until the deadline is not sent.
pub const DEFAULT_LEAST_TIME: Duration = Duration::from_millis(10);

/// What is sent again, how often, and when.
///
/// ```
/// use std::time::Duration;
/// use rearguard::layers::{Repeat, RetryLayer, RetryOptions};
///
/// let options = RetryOptions::new()
///     .attempts(2)
///     .backoff(Duration::from_millis(10), Duration::from_millis(100))
///     .try_timeout(Duration::from_millis(500))
///     .repeat(Repeat::All);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = RetryLayer::new(options)?;
/// # Ok::<_, rearguard::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct RetryOptions {
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) pushback_at_most: Duration,
    pub(super) least_time: Duration,
    pub(super) try_timeout: Option<Duration>,
    pub(super) repeat: Repeat,
    pub(super) budget: Option<RetryBudget>,
    pub(super) chance: Chance,
}

impl RetryOptions {
    /// The defaults, which the constants of this module say.
    #[must_use]
    pub fn new() -> Self {
        Self {
            attempts: DEFAULT_ATTEMPTS,
            backoff: Backoff { base: DEFAULT_BACKOFF_BASE, at_most: DEFAULT_BACKOFF_AT_MOST },
            pushback_at_most: DEFAULT_PUSHBACK_AT_MOST,
            least_time: DEFAULT_LEAST_TIME,
            try_timeout: None,
            repeat: Repeat::default(),
            budget: None,
            chance: Chance::default(),
        }
    }

    /// How often a request is sent at most, the first time included: 1 to [`MAX_ATTEMPTS`].
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Before each retry a wait is drawn from 0 to `base`, doubled with each, up to `at_most`.
    #[must_use]
    pub const fn backoff(mut self, base: Duration, at_most: Duration) -> Self {
        self.backoff = Backoff { base, at_most };
        self
    }

    /// Waits no longer than this when the other side tells to, by `Retry-After` or
    /// `grpc-retry-pushback-ms`; where it tells to wait longer, there is no retry.
    #[must_use]
    pub const fn pushback_at_most(mut self, wait: Duration) -> Self {
        self.pushback_at_most = wait;
        self
    }

    /// Sends no retry that would have less time than this until the
    /// [`CallContext`](crate::CallContext)'s deadline: about what the quickest answer takes.
    #[must_use]
    pub const fn least_time(mut self, least: Duration) -> Self {
        self.least_time = least;
        self
    }

    /// Gives up a try that has no answer by then, with `response_timed_out`. It is the deadline of the
    /// try's [`CallContext`](crate::CallContext), which goes to what is called, and by which breakers
    /// and limits inside know that the try was too slow.
    #[must_use]
    pub const fn try_timeout(mut self, timeout: Duration) -> Self {
        self.try_timeout = Some(timeout);
        self
    }

    /// Which requests may be repeated although they may have been done.
    #[must_use]
    pub const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Shares a budget with other layers. Unless told, a layer has its own, which its clones share.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Makes the jitter repeatable, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = Chance::seeded(seed);
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = if self.attempts == 0 || self.attempts > MAX_ATTEMPTS {
            ("attempts", "1 to 5")
        } else if self.backoff.base > self.backoff.at_most {
            ("backoff", "a base no longer than at most")
        } else if self.try_timeout.is_some_and(|timeout| timeout.is_zero()) {
            ("try_timeout", "a time above 0")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidInput, "retry.new")
            .with("option", wrong.0)
            .with("expected", wrong.1))
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self::new()
    }
}
