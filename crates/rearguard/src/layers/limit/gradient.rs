//! How many at once: the limit follows the latency. Time is an argument.
//!
//! The latency of a window of calls is compared with a base, what a call takes where nothing queues:
//! limit ← limit · clamp(tolerance · base / latency, ½, 1) + √limit. That is the gradient of Netflix's
//! concurrency-limits and of Envoy's adaptive concurrency filter. What differs is where the base comes
//! from, as that is where they fail: an average of the past (Gradient2) follows the queue that it is
//! to prevent, and a limit of three while the base is measured (Envoy) refuses what could be served.
//! Here the base is measured anew every [`BASE_LASTS`] at half the limit, where there is no queue; and
//! where halving the limit did not make calls quicker, it is not a queue that made them slow, so the
//! limit is put back and the base is what was measured.
//!
//! The simulation in the tests runs this one, AIMD and Gradient2 against the same service.

use std::time::Duration;

/// Latencies up to this much above the base are no queue: `buffer` of Envoy's gradient controller.
pub const LATENCY_TOLERANCE: f64 = 1.25;
/// For how long a base is good: BBR measures its least round trip every 10 s, Envoy every 60 s.
pub const BASE_LASTS: Duration = Duration::from_secs(30);
/// A window has at least this many calls: `request_count` of Envoy.
pub const WINDOW_LEAST_CALLS: u32 = 50;
/// A window is at least this long: `concurrency_update_interval` of Envoy.
pub const WINDOW_LEAST_TIME: Duration = Duration::from_millis(100);
/// A window is at least this many times as long as its calls take. Only calls that began in it count,
/// as older ones tell of an older limit; were it shorter, only the quickest would be seen.
const WINDOW_LEAST_LATENCIES: u32 = 3;
/// When calls timed out, the limit becomes at most this much of what it was: `backoffRatio` of
/// Netflix's AIMD.
pub const BACKOFF_RATIO: f64 = 0.9;

/// Within what the limit moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) least: f64,
    pub(super) most: f64,
}

#[derive(Debug)]
pub(super) struct Gradient {
    bounds: Bounds,
    limit: f64,
    base: Option<Base>,
    window: Window,
    trial: Option<Trial>,
}

/// What a call takes where nothing queues.
#[derive(Clone, Copy, Debug)]
struct Base {
    latency: Duration,
    measured_at: Duration,
}

/// The limit was lowered, and it is to be seen what comes of it.
#[derive(Clone, Copy, Debug)]
enum Trial {
    /// To measure the base; calls took so long before.
    Measuring { limit: f64, latency: Duration },
    /// Because calls were slow; they took so long at most since.
    Lowering { limit: f64, latency: Duration },
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Duration,
    calls: u32,
    latencies: Duration,
    most_in_flight: usize,
    timed_out: bool,
}

impl Window {
    fn latency(&self) -> Duration {
        self.latencies / self.calls.max(1)
    }

    fn is_full(&self, now: Duration) -> bool {
        let length = now.saturating_sub(self.began);
        self.calls >= WINDOW_LEAST_CALLS
            && length >= WINDOW_LEAST_TIME
            && length >= self.latency() * WINDOW_LEAST_LATENCIES
    }
}

impl Gradient {
    pub(super) fn new(bounds: Bounds, initial: f64) -> Self {
        let limit = initial.clamp(bounds.least, bounds.most);
        Self { bounds, limit, base: None, window: Window::default(), trial: None }
    }

    /// How many may be in flight.
    pub(super) const fn limit(&self) -> usize {
        self.limit as usize
    }

    /// What a call takes where nothing queues, when it is known.
    pub(super) fn base(&self) -> Option<Duration> {
        self.base.map(|base| base.latency)
    }

    /// A call has begun, and this many are in flight with it.
    pub(super) fn began(&mut self, in_flight: usize) {
        self.window.most_in_flight = self.window.most_in_flight.max(in_flight);
    }

    /// A call that began at `began` has ended, by an answer or, if it timed out, without.
    pub(super) fn ended(&mut self, began: Duration, now: Duration, timed_out: bool) {
        if began < self.window.began {
            return;
        }
        self.window.calls += 1;
        self.window.latencies += now.saturating_sub(began);
        self.window.timed_out |= timed_out;
        if self.window.is_full(now) {
            let window =
                std::mem::replace(&mut self.window, Window { began: now, ..Window::default() });
            let limit = self.next_limit(window, now);
            self.limit = limit.clamp(self.bounds.least, self.bounds.most);
        }
    }

    fn next_limit(&mut self, window: Window, now: Duration) -> f64 {
        let latency = window.latency();
        if let Some(limit) = self.end_of_trial(latency, now) {
            return limit;
        }
        let base = match self.base {
            // One that is twice what is seen is of another time.
            Some(base) if latency * 2 >= base.latency => base,
            _ => self.measured(latency, now),
        };
        let is_used = window.most_in_flight as f64 >= self.limit / 2.0;
        if now.saturating_sub(base.measured_at) >= BASE_LASTS {
            if !is_used {
                self.measured(latency, now);
                return self.limit;
            }
            self.trial = Some(Trial::Measuring { limit: self.limit, latency });
            return self.limit / 2.0;
        }
        if !is_used {
            // The latency tells nothing of the limit.
            return self.limit;
        }
        self.moved(base.latency, latency, window.timed_out)
    }

    /// By the gradient.
    fn moved(&mut self, base: Duration, latency: Duration, timed_out: bool) -> f64 {
        let ratio = base.as_secs_f64() / latency.as_secs_f64().max(f64::MIN_POSITIVE);
        let gradient = (LATENCY_TOLERANCE * ratio).clamp(0.5, 1.0);
        let mut limit = self.limit * gradient + self.limit.sqrt();
        if timed_out {
            limit = limit.min(self.limit * BACKOFF_RATIO);
        }
        if limit >= self.limit {
            self.trial = None;
        } else if self.trial.is_none() && !timed_out {
            self.trial = Some(Trial::Lowering { limit: self.limit, latency });
        }
        limit
    }

    /// The limit, when a trial says what it shall be.
    fn end_of_trial(&mut self, latency: Duration, now: Duration) -> Option<f64> {
        let limit = match self.trial.as_mut()? {
            // Halving it made calls much quicker: there is a queue still.
            Trial::Measuring { limit, latency: before } if is_below(latency, 0.65, *before) => {
                (*limit, *before) = (self.limit, latency);
                if self.limit > self.bounds.least {
                    return Some(self.limit / 2.0);
                }
                *limit
            }
            Trial::Measuring { limit, .. } => *limit,
            Trial::Lowering { limit, latency: before } => {
                let is_halved = self.limit <= *limit / 2.0;
                if !is_halved || is_below(latency, 0.75, *before) {
                    *before = latency.max(*before);
                    return None;
                }
                *limit
            }
        };
        self.trial = None;
        self.measured(latency, now);
        Some(limit)
    }

    fn measured(&mut self, latency: Duration, now: Duration) -> Base {
        let base = Base { latency, measured_at: now };
        self.base = Some(base);
        base
    }
}

fn is_below(latency: Duration, ratio: f64, before: Duration) -> bool {
    latency.as_secs_f64() < ratio * before.as_secs_f64()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
