use std::{borrow::Cow, time::Duration};

use super::gradient::Bounds;
use crate::{Error, ErrorKind};

/// The limit at first: `initialLimit` of Netflix's concurrency-limits.
pub const DEFAULT_INITIAL_LIMIT: u32 = 20;
/// The limit is never below this: `min_concurrency` of Envoy.
pub const DEFAULT_LEAST_LIMIT: u32 = 3;
/// The limit is never above this: `max_concurrency_limit` of Envoy.
pub const DEFAULT_MOST_LIMIT: u32 = 1000;
/// A queue cannot be longer than this.
pub const MAX_LIMIT_QUEUE: usize = 10_000;

/// Within what a [`Limiter`](super::Limiter)'s limit moves, and whether calls wait for a place.
///
/// ```
/// use std::time::Duration;
/// use rearguard::layers::{LimitOptions, Limiter};
///
/// let options = LimitOptions::new("api").limits(5, 200).queue(50, Duration::from_millis(100));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let limiter = Limiter::new(options)?;
/// # Ok::<_, rearguard::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LimitOptions {
    pub(super) name: Cow<'static, str>,
    pub(super) initial: u32,
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) queue: usize,
    pub(super) wait: Duration,
}

impl LimitOptions {
    /// The defaults, which the constants of this module say, and no queue.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            initial: DEFAULT_INITIAL_LIMIT,
            least: DEFAULT_LEAST_LIMIT,
            most: DEFAULT_MOST_LIMIT,
            queue: 0,
            wait: Duration::ZERO,
        }
    }

    /// The limit at first.
    #[must_use]
    pub const fn initial(mut self, limit: u32) -> Self {
        self.initial = limit;
        self
    }

    /// Within what the limit moves, both included. Where both are the same, it does not.
    #[must_use]
    pub const fn limits(mut self, least: u32, most: u32) -> Self {
        self.least = least;
        self.most = most;
        self
    }

    /// Lets up to so many calls wait for a place, each for up to this long, first come, first served.
    /// The [`CallContext`](crate::CallContext)'s deadline bounds the wait as well.
    #[must_use]
    pub const fn queue(mut self, calls: usize, wait: Duration) -> Self {
        self.queue = calls;
        self.wait = wait;
        self
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { least: f64::from(self.least), most: f64::from(self.most) }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = if self.least == 0 || self.least > self.most {
            ("limits", "at least 1, and no less than the least")
        } else if self.queue > MAX_LIMIT_QUEUE {
            ("queue", "at most 10000")
        } else if self.queue > 0 && self.wait.is_zero() {
            ("queue", "a wait above 0")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidInput, "limit.new")
            .with("limit", self.name.clone())
            .with("option", wrong.0)
            .with("expected", wrong.1))
    }
}
