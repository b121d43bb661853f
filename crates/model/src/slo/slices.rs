use std::time::Duration;

use super::{Counts, Parts, Seconds, Target};

/// Turns events into slices of time, each good or bad: for objectives of the form "99.9 % of minutes
/// have 99 % of requests below 300 ms", which is what people mean by "P99 below 300 ms, 99.9 % of
/// the time".
///
/// A slice without events is neither: idle slices are no good slices. Nor is one during which nobody
/// looked.
///
/// ```
/// use std::time::Duration;
///
/// use model::slo::{Counts, Slicer};
///
/// let mut slicer = Slicer::new(Duration::from_secs(60), "0.99".parse().unwrap());
/// assert_eq!(slicer.observe(0, Counts { good: 98, bad: 2 }), None);
/// let (at, slice) = slicer.observe(60, Counts::NONE).unwrap();
/// assert_eq!((at, slice), (59, Counts { good: 0, bad: 1 }));
/// ```
#[derive(Clone, Debug)]
pub struct Slicer {
    width: Seconds,
    judge: Judge,
    slice: Seconds,
    counts: Counts,
}

/// What becomes of a slice that has ended.
#[derive(Clone, Debug)]
enum Judge {
    /// One good or one bad.
    Whole(Target),
    /// As good as its events.
    Average(Parts),
}

impl Slicer {
    /// Slices of this width, at least a second; good if this share of their events is.
    #[must_use]
    pub fn new(width: Duration, target: Target) -> Self {
        Self::judging(width, Judge::Whole(target))
    }

    /// Slices of this width, at least a second, of which each is as good as the share of its events
    /// that is: in [`PARTS`](super::PARTS). Their sum is the average that OpenSLO calls
    /// `RatioTimeslices`.
    #[must_use]
    pub fn averaging(width: Duration) -> Self {
        Self::judging(width, Judge::Average(Parts::default()))
    }

    fn judging(width: Duration, judge: Judge) -> Self {
        Self { width: width.as_secs().max(1), judge, slice: 0, counts: Counts::NONE }
    }

    /// How wide they are.
    #[must_use]
    pub const fn width(&self) -> Duration {
        Duration::from_secs(self.width)
    }

    /// Adds events of this second. Returns the slice that thereby ended, if it had any: its last
    /// second, and one good or one bad, or its parts. As with a [`Series`](super::Series), time does not go back.
    pub fn observe(&mut self, at: Seconds, counts: Counts) -> Option<(Seconds, Counts)> {
        let slice = (at / self.width).max(self.slice);
        let ended = (slice > self.slice).then(|| self.end()).flatten();
        self.slice = slice;
        self.counts += counts;
        ended
    }

    fn end(&mut self) -> Option<(Seconds, Counts)> {
        let counts = std::mem::take(&mut self.counts);
        let ratio = counts.bad_ratio()?;
        let verdict = match &mut self.judge {
            Judge::Whole(target) if ratio <= target.budget_ratio() => Counts { good: 1, bad: 0 },
            Judge::Whole(_) => Counts { good: 0, bad: 1 },
            Judge::Average(parts) => parts.of(ratio),
        };
        Some(((self.slice + 1) * self.width - 1, verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slicer() -> Slicer {
        Slicer::new(Duration::from_secs(60), "0.99".parse().unwrap())
    }

    #[test]
    fn a_slice_is_judged_when_it_has_ended() {
        let mut slicer = slicer();
        assert_eq!(slicer.observe(0, Counts { good: 99, bad: 1 }), None);
        assert_eq!(slicer.observe(59, Counts::NONE), None);
        assert_eq!(
            slicer.observe(61, Counts { good: 1, bad: 1 }),
            Some((59, Counts { good: 1, bad: 0 }))
        );
        assert_eq!(slicer.observe(500, Counts::NONE), Some((119, Counts { good: 0, bad: 1 })));
    }

    #[test]
    fn idle_slices_are_no_good_slices() {
        let mut slicer = slicer();
        assert_eq!(slicer.observe(10, Counts { good: 1, bad: 0 }), None);
        assert!(slicer.observe(600, Counts::NONE).is_some());
        assert_eq!(slicer.observe(6000, Counts::NONE), None);
    }

    #[test]
    fn a_clock_set_back_ends_no_slice() {
        let mut slicer = slicer();
        assert_eq!(slicer.observe(600, Counts { good: 1, bad: 0 }), None);
        assert_eq!(slicer.observe(0, Counts { good: 0, bad: 9 }), None);
        assert_eq!(slicer.observe(660, Counts::NONE), Some((659, Counts { good: 0, bad: 1 })));
    }

    #[test]
    fn by_time_and_by_events_are_different_budgets() {
        // A slice with 1 bad of 100,000 and one with 1 bad of 2.
        let slices = [Counts { good: 99_999, bad: 1 }, Counts { good: 1, bad: 1 }];
        let events = slices.iter().fold(Counts::NONE, |sum, slice| sum + *slice);
        assert!((events.bad_ratio().unwrap() - 0.000_02).abs() < 1e-9);
        let mut slicer = Slicer::averaging(Duration::from_secs(60));
        assert_eq!(slicer.observe(0, slices[0]), None);
        let ended = [slicer.observe(60, slices[1]), slicer.observe(120, Counts::NONE)];
        let average = ended.iter().flatten().fold(Counts::NONE, |sum, (_, slice)| sum + *slice);
        assert_eq!(average.total(), 2 * crate::slo::PARTS);
        assert!((average.bad_ratio().unwrap() - 0.25).abs() < 1e-4, "{average:?}");
    }
}
