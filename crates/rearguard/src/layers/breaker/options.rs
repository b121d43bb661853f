use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{
    Transition,
    window::{MAX_WINDOW_CALLS, Window},
};
use crate::{Error, ErrorKind, layers::ambient::Chance, scope::contained};

/// From this share of failed calls on it opens: `circuitBreaker.errorThresholdPercentage` of
/// Hystrix, `failureRateThreshold` of resilience4j.
pub const DEFAULT_FAILURE_RATIO: f64 = 0.5;
/// Fewer calls than this in the window prove nothing: `circuitBreaker.requestVolumeThreshold` of
/// Hystrix.
pub const DEFAULT_MINIMUM_CALLS: u32 = 20;
/// The window: `metrics.rollingStats.timeInMilliseconds` of Hystrix.
pub const DEFAULT_WINDOW: Window = Window::Time(Duration::from_secs(10));
/// How long it is open at first: `circuitBreaker.sleepWindowInMilliseconds` of Hystrix.
pub const DEFAULT_OPEN_FOR: Duration = Duration::from_secs(5);
/// How long it is open at most, when it opened again and again: `max_ejection_time` of Envoy's
/// outlier detection.
pub const DEFAULT_OPEN_AT_MOST: Duration = Duration::from_secs(300);
/// How many probes may be on their way at once, and how many must succeed. Hystrix and Polly send
/// one, resilience4j ten.
pub const DEFAULT_PROBES: u32 = 3;
/// By how much, at most, an open time is cut short by chance, so that those who opened together do
/// not probe together.
pub const OPEN_JITTER_RATIO: f64 = 0.2;
/// When probes take longer than this, half-open ends, and the breaker opens again:
/// `maxWaitDurationInHalfOpenState` of resilience4j, which has no bound unless told.
pub const DEFAULT_PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// Who is told of changes.
type Told = Arc<dyn Fn(&Transition) + Send + Sync>;

/// When a [`CircuitBreaker`](super::CircuitBreaker) opens, and how it closes again.
///
/// ```
/// use std::time::Duration;
/// use rearguard::layers::{BreakerOptions, CircuitBreaker, breaker::Window};
///
/// let options = BreakerOptions::new("stock")
///     .failure_ratio(0.3)
///     .slow_calls(Duration::from_millis(800), 0.8)
///     .window(Window::Calls(100))
///     .open_for(Duration::from_secs(1), Duration::from_secs(30));
/// let breaker = CircuitBreaker::new(options)?;
/// # Ok::<_, rearguard::Error>(())
/// ```
#[derive(Clone)]
pub struct BreakerOptions {
    pub(super) name: Cow<'static, str>,
    pub(super) failure_ratio: Option<f64>,
    pub(super) slow_calls: Option<(Duration, f64)>,
    pub(super) consecutive_failures: Option<u32>,
    pub(super) minimum_calls: u32,
    pub(super) window: Window,
    pub(super) open_for: Duration,
    pub(super) open_at_most: Duration,
    pub(super) probes: u32,
    pub(super) probe_patience: Duration,
    pub(super) chance: Chance,
    pub(super) on_transition: Option<Told>,
}

impl BreakerOptions {
    /// The defaults, which the constants of this module say: it opens when half of at least 20
    /// calls in 10 s failed. Slow calls and failures in a row do not count unless asked for.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            failure_ratio: Some(DEFAULT_FAILURE_RATIO),
            slow_calls: None,
            consecutive_failures: None,
            minimum_calls: DEFAULT_MINIMUM_CALLS,
            window: DEFAULT_WINDOW,
            open_for: DEFAULT_OPEN_FOR,
            open_at_most: DEFAULT_OPEN_AT_MOST,
            probes: DEFAULT_PROBES,
            probe_patience: DEFAULT_PROBE_PATIENCE,
            chance: Chance::default(),
            on_transition: None,
        }
    }

    /// Opens it when this share of the calls in the window failed, above 0 and up to 1.
    #[must_use]
    pub const fn failure_ratio(mut self, ratio: f64) -> Self {
        self.failure_ratio = Some(ratio);
        self
    }

    /// Opens it when this share of the calls in the window took `longer_than`. A probe that does is
    /// a probe that failed.
    #[must_use]
    pub const fn slow_calls(mut self, longer_than: Duration, ratio: f64) -> Self {
        self.slow_calls = Some((longer_than, ratio));
        self
    }

    /// Opens it when this many calls in a row failed, however few there were: for what is seldom
    /// called. Envoy's `consecutive_5xx` is 5.
    #[must_use]
    pub const fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = Some(failures);
        self
    }

    /// Does not look at ratios before the window has this many calls.
    #[must_use]
    pub const fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// Over which calls it counts.
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// How long it is open before it probes: `first` at first, twice as long each time that it opens
    /// again, up to `at_most`. It begins anew when it was closed for as long as it was open before.
    /// Chance cuts each by up to [`OPEN_JITTER_RATIO`].
    #[must_use]
    pub const fn open_for(mut self, first: Duration, at_most: Duration) -> Self {
        self.open_for = first;
        self.open_at_most = at_most;
        self
    }

    /// Lets through at most this many probes at once while half-open, and closes when as many
    /// succeeded.
    #[must_use]
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// Opens again when the probes have taken all places for this long without an answer.
    #[must_use]
    pub const fn probe_patience(mut self, patience: Duration) -> Self {
        self.probe_patience = patience;
        self
    }

    /// Makes the jitter repeatable, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = Chance::seeded(seed);
        self
    }

    /// Is called at each change of state, where the call ended or began that caused it, so it must
    /// be quick. A panic of it is kept from coming out.
    ///
    /// ```
    /// use rearguard::layers::BreakerOptions;
    ///
    /// let options = BreakerOptions::new("stock").on_transition(|it| match it.reason {
    ///     Some(reason) => println!("{} opened: {reason}", it.breaker),
    ///     None => println!("{} is {}", it.breaker, it.to.as_str()),
    /// });
    /// ```
    #[must_use]
    pub fn on_transition(mut self, told: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.on_transition = Some(Arc::new(told));
        self
    }

    pub(super) fn tell(&self, transition: &Transition) {
        if let Some(told) = &self.on_transition {
            contained(|| told(transition));
        }
    }

    /// That a breaker can be made of it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_ratio = |ratio: f64| ratio > 0.0 && ratio <= 1.0;
        let wrong = if self.failure_ratio.is_some_and(|ratio| !is_ratio(ratio)) {
            ("failure_ratio", "above 0 and up to 1")
        } else if self.slow_calls.is_some_and(|(_, ratio)| !is_ratio(ratio)) {
            ("slow_calls", "a ratio above 0 and up to 1")
        } else if self.consecutive_failures == Some(0) {
            ("consecutive_failures", "at least 1")
        } else if self.probes == 0 {
            ("probes", "at least 1")
        } else if self.open_for.is_zero() || self.open_for > self.open_at_most {
            ("open_for", "above 0, and no longer than at most")
        } else {
            match self.window {
                Window::Calls(calls) if calls == 0 || calls > MAX_WINDOW_CALLS => {
                    ("window", "1 to 10000 calls")
                }
                Window::Calls(calls) if calls < self.minimum_calls => {
                    ("minimum_calls", "no more than the window has")
                }
                Window::Time(span) if span.is_zero() => ("window", "a time above 0"),
                _ => return Ok(()),
            }
        };
        Err(Error::new(ErrorKind::InvalidInput, "breaker.new")
            .with("breaker", self.name.clone())
            .with("option", wrong.0)
            .with("expected", wrong.1))
    }
}

impl fmt::Debug for BreakerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerOptions")
            .field("name", &self.name)
            .field("failure_ratio", &self.failure_ratio)
            .field("slow_calls", &self.slow_calls)
            .field("consecutive_failures", &self.consecutive_failures)
            .field("minimum_calls", &self.minimum_calls)
            .field("window", &self.window)
            .field("open_for", &self.open_for)
            .field("open_at_most", &self.open_at_most)
            .field("probes", &self.probes)
            .field("probe_patience", &self.probe_patience)
            .finish_non_exhaustive()
    }
}
