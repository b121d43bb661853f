//! The name and the bounds of a pool.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::Observer;
use crate::{Error, ErrorKind};

/// How many connections a pool has at most unless [`Options::max_size`] says otherwise.
pub const DEFAULT_MAX_SIZE: usize = 10;
/// No pool may have more.
pub const LARGEST_MAX_SIZE: usize = 65_536;
/// How many may wait at once unless [`Options::max_waiters`] says otherwise.
pub const DEFAULT_MAX_WAITERS: usize = 1_024;
/// How long one waits unless [`Options::wait_timeout`] says otherwise.
pub const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take unless [`Options::connect_timeout`] says otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a reset or a test may take unless [`Options::reset_timeout`] says otherwise.
pub const DEFAULT_RESET_TIMEOUT: Duration = Duration::from_secs(5);
/// How long closing a connection may take unless [`Options::close_timeout`] says otherwise.
pub const DEFAULT_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection lies idle before it is closed unless [`Options::idle_timeout`] says
/// otherwise.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How old a connection becomes unless [`Options::max_lifetime`] says otherwise.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(1_800);
/// A lifetime is shortened at random by up to itself divided by this, so that connections that were
/// opened together are not closed together.
pub const LIFETIME_JITTER_DIVISOR: u32 = 10;
/// After how long idle a connection is tested before it is lent, unless [`Options::test_after`] says
/// otherwise.
pub const DEFAULT_TEST_AFTER: Duration = Duration::from_secs(30);
/// After how long a borrower is reported as a leak unless [`Options::leak_after`] says otherwise.
pub const DEFAULT_LEAK_AFTER: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to connect unless [`Options::max_backoff`] says otherwise.
pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(2);
/// Over how long the forecast looks unless [`Options::forecast_window`] says otherwise.
pub const DEFAULT_FORECAST_WINDOW: Duration = Duration::from_secs(60);

/// The name and the bounds of a [`Pool`](super::Pool). All durations are counted by tokio's clock.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::pool::Options;
///
/// let options = Options::new("orders").max_size(20).wait_timeout(Duration::from_secs(1));
/// # drop(options);
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) name: Cow<'static, str>,
    pub(super) max_size: usize,
    pub(super) min_idle: usize,
    pub(super) max_waiters: usize,
    pub(super) wait_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) reset_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_lifetime: Option<Duration>,
    pub(super) test_after: Option<Duration>,
    pub(super) leak_after: Option<Duration>,
    pub(super) max_backoff: Duration,
    pub(super) forecast_window: Duration,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

impl Options {
    /// The defaults, with a name that errors and reports say.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            max_size: DEFAULT_MAX_SIZE,
            min_idle: 0,
            max_waiters: DEFAULT_MAX_WAITERS,
            wait_timeout: DEFAULT_WAIT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            reset_timeout: DEFAULT_RESET_TIMEOUT,
            close_timeout: DEFAULT_CLOSE_TIMEOUT,
            idle_timeout: Some(DEFAULT_IDLE_TIMEOUT),
            max_lifetime: Some(DEFAULT_MAX_LIFETIME),
            test_after: Some(DEFAULT_TEST_AFTER),
            leak_after: Some(DEFAULT_LEAK_AFTER),
            max_backoff: DEFAULT_MAX_BACKOFF,
            forecast_window: DEFAULT_FORECAST_WINDOW,
            observer: None,
        }
    }

    /// How many connections there are at most, whatever they do: those that are being opened, cleaned
    /// and closed are counted. 1 to [`LARGEST_MAX_SIZE`].
    #[must_use]
    pub const fn max_size(mut self, connections: usize) -> Self {
        self.max_size = connections;
        self
    }

    /// How many are kept ready, as far as `max_size` allows; none by default.
    #[must_use]
    pub const fn min_idle(mut self, connections: usize) -> Self {
        self.min_idle = connections;
        self
    }

    /// How many may wait at once. One more is refused with [`ErrorKind::QueueFull`].
    #[must_use]
    pub const fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// How long one waits for a connection, an hour at most; the deadline of its
    /// [`CallContext`](crate::CallContext) may end it earlier.
    #[must_use]
    pub const fn wait_timeout(mut self, bound: Duration) -> Self {
        self.wait_timeout = bound;
        self
    }

    /// How long [`Manager::connect`](super::Manager::connect) may take.
    #[must_use]
    pub const fn connect_timeout(mut self, bound: Duration) -> Self {
        self.connect_timeout = bound;
        self
    }

    /// How long [`Manager::reset`](super::Manager::reset) may take; then the connection is discarded.
    #[must_use]
    pub const fn reset_timeout(mut self, bound: Duration) -> Self {
        self.reset_timeout = bound;
        self
    }

    /// How long [`Manager::close`](super::Manager::close) may take; then the connection is dropped, its
    /// place is free, and that is counted.
    #[must_use]
    pub const fn close_timeout(mut self, bound: Duration) -> Self {
        self.close_timeout = bound;
        self
    }

    /// How long a connection lies idle before it is closed; `None` for as long as it lives. Those of
    /// `min_idle` are spared.
    #[must_use]
    pub const fn idle_timeout(mut self, bound: Option<Duration>) -> Self {
        self.idle_timeout = bound;
        self
    }

    /// How old a connection becomes, less up to a tenth at random; `None` for no bound. One that is
    /// lent is closed when it comes back.
    #[must_use]
    pub const fn max_lifetime(mut self, bound: Option<Duration>) -> Self {
        self.max_lifetime = bound;
        self
    }

    /// After how long idle a connection is reset before it is lent, which shows that it is alive;
    /// `None` for never, zero for always.
    #[must_use]
    pub const fn test_after(mut self, idle: Option<Duration>) -> Self {
        self.test_after = idle;
        self
    }

    /// After how long a borrower is reported, once, as a leak; `None` for never.
    #[must_use]
    pub const fn leak_after(mut self, age: Option<Duration>) -> Self {
        self.leak_after = age;
        self
    }

    /// The longest pause between two attempts to connect while the server refuses.
    #[must_use]
    pub const fn max_backoff(mut self, pause: Duration) -> Self {
        self.max_backoff = pause;
        self
    }

    /// Over how long the forecast of exhaustion looks.
    #[must_use]
    pub const fn forecast_window(mut self, window: Duration) -> Self {
        self.forecast_window = window;
        self
    }

    /// Who is told of leaks, refused connections and discarded ones.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |option, found: usize, expected: String| {
            Err(Error::new(ErrorKind::InvalidInput, "pool.new")
                .with("pool", self.name.clone())
                .with("option", option)
                .with("found", found.to_string())
                .with("expected", expected))
        };
        if !(1..=LARGEST_MAX_SIZE).contains(&self.max_size) {
            return invalid("max_size", self.max_size, format!("1 to {LARGEST_MAX_SIZE}"));
        }
        if self.min_idle > self.max_size {
            return invalid(
                "min_idle",
                self.min_idle,
                format!("max_size at most, {}", self.max_size),
            );
        }
        for (option, bound) in [
            ("leak_after", self.leak_after),
            ("idle_timeout", self.idle_timeout),
            ("max_lifetime", self.max_lifetime),
        ] {
            if bound == Some(Duration::ZERO) {
                return invalid(option, 0, "more than zero, or None".to_owned());
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("max_size", &self.max_size)
            .field("min_idle", &self.min_idle)
            .field("max_waiters", &self.max_waiters)
            .field("wait_timeout", &self.wait_timeout)
            .finish_non_exhaustive()
    }
}
