//! How many connections were in use lately: what a forecast is made from.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Sample;

/// Into how many equal parts the window is cut; of each, the most in use is kept.
pub const FORECAST_SAMPLES: usize = 60;

/// The most in use in each part of a window that moves on.
///
/// It is told of changes only: in between the number stays what it was, so that a quiet pool needs
/// no timer and its samples are evenly spaced all the same.
#[derive(Debug)]
pub(super) struct Usage {
    part: Duration,
    begin: Instant,
    /// The number of the part that is being filled.
    current: u64,
    most: usize,
    now_in_use: usize,
    past: VecDeque<Sample>,
}

impl Usage {
    pub(super) fn new(window: Duration, now: Instant) -> Self {
        Self {
            part: (window / FORECAST_SAMPLES as u32).max(Duration::from_nanos(1)),
            begin: now,
            current: 0,
            most: 0,
            now_in_use: 0,
            past: VecDeque::with_capacity(FORECAST_SAMPLES),
        }
    }

    /// From now on this many are in use.
    pub(super) fn set(&mut self, in_use: usize, now: Instant) {
        self.advance(now);
        self.now_in_use = in_use;
        self.most = self.most.max(in_use);
    }

    /// The parts of the window that are over.
    pub(super) fn samples(&mut self, now: Instant) -> Vec<Sample> {
        self.advance(now);
        self.past.iter().copied().collect()
    }

    fn advance(&mut self, now: Instant) {
        let part = self.part.as_nanos();
        let number = (now.saturating_duration_since(self.begin).as_nanos() / part) as u64;
        // What lies further back than the window is not looked at.
        let skipped = number.saturating_sub(self.current).saturating_sub(FORECAST_SAMPLES as u64);
        if skipped > 0 {
            self.current += skipped;
            self.most = self.now_in_use;
        }
        while self.current < number {
            if self.past.len() == FORECAST_SAMPLES {
                self.past.pop_front();
            }
            let at = Duration::from_nanos_u128(u128::from(self.current) * part);
            self.past.push_back(Sample { at, in_use: self.most });
            self.most = self.now_in_use;
            self.current += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_window_has_the_most_that_was_in_use_in_it() {
        let begin = Instant::now();
        let at = |seconds: f64| begin + Duration::from_secs_f64(seconds);
        let mut usage = Usage::new(Duration::from_secs(60), begin);
        usage.set(1, at(0.1));
        usage.set(5, at(0.2));
        usage.set(2, at(0.3));
        usage.set(3, at(3.5));
        let seen: Vec<_> =
            usage.samples(at(4.0)).iter().map(|it| (it.at.as_secs(), it.in_use)).collect();
        assert_eq!(seen, [(0, 5), (1, 2), (2, 2), (3, 3)]);
    }

    #[test]
    fn the_window_is_bounded_and_moves_on() {
        let begin = Instant::now();
        let mut usage = Usage::new(Duration::from_secs(60), begin);
        usage.set(4, begin);
        let samples = usage.samples(begin + Duration::from_secs(1_000_000));
        assert_eq!(samples.len(), FORECAST_SAMPLES);
        assert_eq!(samples[0], Sample { at: Duration::from_secs(999_940), in_use: 4 });
        assert_eq!(samples[59].at, Duration::from_secs(999_999));
    }
}
