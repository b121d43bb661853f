//! What is learned about a service's own timeouts from when it closes connections.

use std::time::Duration;

use tokio::time::Instant;

/// So many closes are looked at.
const REMEMBERED: usize = 8;
/// Fewer closes than this say nothing: one restart of a service closes everything at once.
const ENOUGH: usize = 3;
/// A close counts for so long. What was learned too short would otherwise never be put right, since
/// the gateway closes first from then on.
const FORGOTTEN: Duration = Duration::from_secs(300);
/// A shorter keep-alive is not believed; connections that live shorter are not worth keeping.
const SHORTEST: Duration = Duration::from_millis(2);

/// What is known about a service's keep-alive. Only closes that were seen while no request was
/// under way count: a close under a request may as well be a panic.
#[derive(Debug, Default)]
pub(crate) struct KeepAlive {
    /// `Keep-Alive: timeout=` as last seen.
    advertised: Option<Duration>,
    /// Most recent last.
    closes: Vec<Close>,
}

/// A connection that the service closed while it was idle.
#[derive(Clone, Copy, Debug)]
struct Close {
    at: Instant,
    /// How long it had been idle when it was last seen open.
    open: Duration,
    /// How long it had been idle when it was found closed.
    closed: Duration,
}

impl KeepAlive {
    /// A response said `Keep-Alive: timeout=`.
    pub(crate) fn advertised(&mut self, timeout: Duration) {
        self.advertised = Some(timeout);
    }

    /// A connection that had still been open after being idle for `open` was found closed by the
    /// service after `closed`.
    pub(crate) fn closed_after(&mut self, open: Duration, closed: Duration, at: Instant) {
        if self.closes.len() == REMEMBERED {
            self.closes.remove(0);
        }
        self.closes.push(Close { at, open, closed });
    }

    /// A connection that had been idle for so long was still good: whatever was learned to be
    /// shorter is wrong.
    pub(crate) fn alive_after(&mut self, idle: Duration) {
        self.closes.retain_mut(|close| {
            close.open = close.open.max(idle);
            close.closed > idle
        });
    }

    /// How long a connection may be idle before it is closed from this side: the service's own
    /// keep-alive, declared, advertised or learned, less a margin; at most `default`.
    pub(crate) fn idle_limit(
        &self,
        declared: Option<Duration>,
        default: Duration,
        now: Instant,
    ) -> Duration {
        [declared, self.advertised, self.learned(now)]
            .into_iter()
            .flatten()
            .map(less_margin)
            .min()
            .map_or(default, |limit| limit.min(default))
    }

    /// The keep-alive lies between the longest time after which a connection was still open and the
    /// shortest after which one was closed. The closes are found by looking now and then, so the
    /// second says too much: the first is believed, and half of the second where that is more.
    fn learned(&self, now: Instant) -> Option<Duration> {
        let recent = || {
            self.closes.iter().filter(|close| now.saturating_duration_since(close.at) < FORGOTTEN)
        };
        if recent().count() < ENOUGH {
            return None;
        }
        let shortest = recent().map(|close| close.closed).min()?;
        let open = recent().map(|close| close.open).filter(|open| *open < shortest).max();
        Some(open.unwrap_or_default().max(shortest / 2).max(SHORTEST))
    }
}

/// A fifth of it, for the time that closing takes to be seen, but at most a second.
fn less_margin(keep_alive: Duration) -> Duration {
    keep_alive - (keep_alive / 5).min(Duration::from_secs(1))
}

/// A close that comes sooner says nothing about a write timeout: panics come at once.
const SOONEST_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// When a service answers and when it closes without an answer. A service with a write timeout
/// answers everything up to it and closes everything after it; panics know no such line.
#[derive(Debug, Default)]
pub(crate) struct CloseTimes {
    longest_answer: Duration,
    /// How long after the request it closed without an answer, most recent last.
    closes: Vec<Duration>,
}

impl CloseTimes {
    /// The service began its answer after this time.
    pub(crate) fn answered_after(&mut self, time: Duration) {
        self.longest_answer = self.longest_answer.max(time);
    }

    /// The service closed without an answer after this time.
    pub(crate) fn closed_after(&mut self, time: Duration) {
        if self.closes.len() == REMEMBERED {
            self.closes.remove(0);
        }
        self.closes.push(time);
    }

    /// What its write timeout seems to be, at most: several closes, none of them early, and every
    /// one later than any answer.
    pub(crate) fn write_timeout(&self) -> Option<Duration> {
        let shortest = self.closes.iter().min().copied()?;
        let fits = self.closes.len() >= ENOUGH
            && shortest >= SOONEST_WRITE_TIMEOUT
            && shortest > self.longest_answer;
        fits.then_some(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Duration = Duration::from_secs(4);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_shortest_of_what_is_known_counts_less_a_margin() {
        let now = Instant::now();
        let mut keep_alive = KeepAlive::default();
        assert_eq!(keep_alive.idle_limit(None, DEFAULT, now), DEFAULT);
        assert_eq!(keep_alive.idle_limit(Some(ms(2000)), DEFAULT, now), ms(1600));
        keep_alive.advertised(ms(1000));
        assert_eq!(keep_alive.idle_limit(Some(ms(2000)), DEFAULT, now), ms(800));
        assert_eq!(KeepAlive::default().idle_limit(Some(ms(60_000)), DEFAULT, now), DEFAULT);
    }

    /// The limit after these closes: idle when last seen open, and when found closed.
    fn limit(closes: &[(u64, u64)], alive: Option<u64>, later: u64) -> Duration {
        let now = Instant::now();
        let mut keep_alive = KeepAlive::default();
        for (open, closed) in closes {
            keep_alive.closed_after(ms(*open), ms(*closed), now);
        }
        if let Some(alive) = alive {
            keep_alive.alive_after(ms(alive));
        }
        keep_alive.idle_limit(None, DEFAULT, now + ms(later))
    }

    #[test]
    fn a_keep_alive_is_learned_from_several_closes_and_unlearned_from_one_survivor() {
        assert_eq!(limit(&[(45, 50), (45, 60)], None, 0), DEFAULT);
        assert_eq!(limit(&[(45, 60), (50, 70), (0, 55)], None, 0), ms(40));
        assert_eq!(limit(&[(45, 60), (50, 70), (0, 55)], Some(58), 0), DEFAULT);
    }

    #[test]
    fn a_close_that_was_found_late_is_not_taken_for_the_keep_alive() {
        assert_eq!(limit(&[(0, 140), (0, 120), (0, 100)], None, 0), ms(40));
        assert_eq!(limit(&[(0, 140), (60, 160), (0, 100)], None, 0), ms(48));
        assert_eq!(limit(&[(0, 140), (0, 160), (0, 100)], Some(80), 0), ms(64));
    }

    #[test]
    fn what_was_learned_is_forgotten_since_it_cannot_be_put_right() {
        let restarts = [(0, 4), (0, 5), (0, 6)];
        assert!(limit(&restarts, None, 0) < ms(5));
        assert!(limit(&restarts, None, 299_000) < ms(5));
        assert_eq!(limit(&restarts, None, 300_000), DEFAULT);
    }
}
