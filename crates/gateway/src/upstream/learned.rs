//! What is learned about a service's own timeouts from when it closes connections.

use std::time::Duration;

/// So many closes are looked at.
const REMEMBERED: usize = 8;
/// Fewer closes than this say nothing: one restart of a service closes everything at once.
const ENOUGH: usize = 3;
/// A shorter keep-alive is not believed; connections that live shorter are not worth keeping.
const SHORTEST: Duration = Duration::from_millis(2);

/// What is known about a service's keep-alive.
#[derive(Debug, Default)]
pub(crate) struct KeepAlive {
    /// `Keep-Alive: timeout=` as last seen.
    advertised: Option<Duration>,
    /// How long connections had been idle when they were found closed, most recent last.
    closes: Vec<Duration>,
}

impl KeepAlive {
    /// A response said `Keep-Alive: timeout=`.
    pub(crate) fn advertised(&mut self, timeout: Duration) {
        self.advertised = Some(timeout);
    }

    /// An idle connection was found closed by the service.
    pub(crate) fn closed_after(&mut self, idle: Duration) {
        if self.closes.len() == REMEMBERED {
            self.closes.remove(0);
        }
        self.closes.push(idle);
    }

    /// A connection that had been idle for so long was still good: whatever was learned to be
    /// shorter is wrong.
    pub(crate) fn alive_after(&mut self, idle: Duration) {
        self.closes.retain(|closed| *closed > idle);
    }

    /// How long a connection may be idle before it is closed from this side: the service's own
    /// keep-alive, declared, advertised or learned, less a margin; at most `default`.
    pub(crate) fn idle_limit(&self, declared: Option<Duration>, default: Duration) -> Duration {
        let learned = (self.closes.len() >= ENOUGH)
            .then(|| self.closes.iter().min().copied())
            .flatten()
            .map(|shortest| shortest.max(SHORTEST));
        [declared, self.advertised, learned]
            .into_iter()
            .flatten()
            .map(less_margin)
            .min()
            .map_or(default, |limit| limit.min(default))
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
        let mut keep_alive = KeepAlive::default();
        assert_eq!(keep_alive.idle_limit(None, DEFAULT), DEFAULT);
        assert_eq!(keep_alive.idle_limit(Some(ms(2000)), DEFAULT), ms(1600));
        keep_alive.advertised(ms(1000));
        assert_eq!(keep_alive.idle_limit(Some(ms(2000)), DEFAULT), ms(800));
        assert_eq!(KeepAlive::default().idle_limit(Some(ms(60_000)), DEFAULT), DEFAULT);
    }

    #[test]
    fn a_write_timeout_is_learned_from_closes_that_are_later_than_any_answer() {
        let mut times = CloseTimes::default();
        times.answered_after(ms(700));
        times.closed_after(ms(1100));
        times.closed_after(ms(1500));
        assert_eq!(times.write_timeout(), None);
        times.closed_after(ms(1200));
        assert_eq!(times.write_timeout(), Some(ms(1100)));
        times.answered_after(ms(1300));
        assert_eq!(times.write_timeout(), None);
    }

    #[test]
    fn panics_are_no_write_timeout() {
        let mut times = CloseTimes::default();
        for close in [1100, 1500, 1, 1200] {
            times.closed_after(ms(close));
        }
        assert_eq!(times.write_timeout(), None);
    }

    #[test]
    fn a_keep_alive_is_learned_from_several_closes_and_unlearned_from_one_survivor() {
        let mut keep_alive = KeepAlive::default();
        keep_alive.closed_after(ms(50));
        keep_alive.closed_after(ms(60));
        assert_eq!(keep_alive.idle_limit(None, DEFAULT), DEFAULT);
        keep_alive.closed_after(ms(55));
        assert_eq!(keep_alive.idle_limit(None, DEFAULT), ms(40));
        keep_alive.alive_after(ms(58));
        assert_eq!(keep_alive.idle_limit(None, DEFAULT), DEFAULT);
    }
}
