//! How long things took, counted in fixed buckets.

use std::time::Duration;

/// The upper bounds of the buckets of a [`Histogram`]; what is longer than the last is counted
/// beyond them.
pub const BUCKETS: [Duration; 15] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// How many took how long. Its size is fixed.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::pool::Histogram;
///
/// let mut waits = Histogram::default();
/// waits.record(Duration::from_millis(3));
/// assert_eq!(waits.at_most(Duration::from_millis(5)), 1);
/// assert_eq!(waits.at_most(Duration::from_millis(2)), 0);
/// assert_eq!((waits.count(), waits.sum()), (1, Duration::from_millis(3)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        self.counts[BUCKETS.partition_point(|bound| *bound < took)] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long they took together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// How many took at most this long, one of [`BUCKETS`]; for another duration, those of the
    /// buckets that lie below it.
    #[must_use]
    pub fn at_most(&self, bound: Duration) -> u64 {
        let buckets = BUCKETS.partition_point(|other| *other <= bound);
        self.counts[..buckets].iter().sum()
    }

    /// The counts of [`BUCKETS`], and last of those beyond.
    #[must_use]
    pub const fn counts(&self) -> &[u64; BUCKETS.len() + 1] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_is_counted_in_the_bucket_whose_bound_it_does_not_exceed(nanos in 0..120_000_000_000_u64) {
            let took = Duration::from_nanos(nanos);
            let mut histogram = Histogram::default();
            histogram.record(took);
            for bound in BUCKETS {
                prop_assert_eq!(histogram.at_most(bound), u64::from(took <= bound));
            }
            prop_assert_eq!(histogram.count(), 1);
        }
    }
}
