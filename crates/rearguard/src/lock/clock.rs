//! The clock that deadlines of locks are on.

use std::time::Duration;

/// A moment, as the time since some moment of this machine's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

/// What tells the time. A function, so that tests can have a time of their own.
pub(crate) type Clock = fn() -> Moment;

impl Moment {
    pub(crate) const fn new(since: Duration) -> Self {
        Self(since)
    }

    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    pub(crate) fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }

    /// How long after `earlier` it is; zero where it is before.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Reads `CLOCK_BOOTTIME`: it never jumps, and goes on while the machine sleeps, as the server's
/// clock does.
#[cfg(target_os = "linux")]
pub(crate) fn boot() -> Moment {
    use rustix::time::{ClockId, clock_gettime};

    let read = clock_gettime(ClockId::Boottime);
    // Neither is ever negative, nor are there more nanoseconds than a second has.
    let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(read.tv_nsec).unwrap_or_default();
    Moment::new(Duration::new(seconds, nanos))
}

/// Reads the monotonic clock of the standard library. Whether it counts the time that the machine
/// sleeps is the system's matter.
#[cfg(not(target_os = "linux"))]
pub(crate) fn boot() -> Moment {
    use std::{sync::OnceLock, time::Instant};

    static FIRST: OnceLock<Instant> = OnceLock::new();
    Moment::new(FIRST.get_or_init(Instant::now).elapsed())
}

#[cfg(test)]
mod tests {
    use super::boot;

    #[test]
    fn the_clock_never_goes_back() {
        let readings: Vec<_> = (0..1000).map(|_| boot()).collect();
        assert!(readings.is_sorted());
    }
}
