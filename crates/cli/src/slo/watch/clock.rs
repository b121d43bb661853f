//! The time that budgets go by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::slo::Seconds;
use rustix::time::{ClockId, clock_gettime};

/// The time of day at the start, and from then on a clock that only goes forward, also while the
/// machine is suspended: when the time of day is set, no window moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The time of day when the other clock stood at 0.
    epoch: Duration,
}

impl Clock {
    /// Not before `earliest`: what was written down then is past.
    pub(crate) fn start(earliest: Seconds) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = wall.max(Duration::from_secs(earliest));
        Self { epoch: start.saturating_sub(since_boot()) }
    }

    pub(crate) fn now(&self) -> Seconds {
        (self.epoch + since_boot()).as_secs()
    }

    /// How long it is until the next second.
    pub(crate) fn until_next(&self) -> Duration {
        let part = (self.epoch + since_boot()).subsec_nanos();
        Duration::from_secs(1).saturating_sub(Duration::from_nanos(part.into()))
    }
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // Neither is ever negative, and there are less than 10^9 nanoseconds.
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_the_time_of_day_or_at_what_is_known_if_that_is_later() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = Clock::start(0).now();
        assert!((wall..wall + 60).contains(&now), "{now}");
        let later = wall + 1_000_000;
        let now = Clock::start(later).now();
        assert!((later - 1..later + 60).contains(&now), "{now}");
    }

    #[test]
    fn the_next_second_is_at_most_a_second_away() {
        assert!(Clock::start(0).until_next() <= Duration::from_secs(1));
    }
}
