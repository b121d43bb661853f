//! How long a service keeps idle connections open, learned from when it closes them.

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
