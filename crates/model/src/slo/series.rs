use std::time::Duration;

use super::{Counts, Seconds};

/// Windows may be at most this long: a quarter.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(92 * 86_400);

/// A width of buckets, how many of them are kept, and in how many bits their counts.
struct Level {
    step: Seconds,
    length: usize,
    width: Width,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    /// Two times 32 bits. Differences are right up to 4.2 billion events in the level's window:
    /// for the longest, 6 hours, that is 190,000 a second.
    Narrow,
    /// Two times 64 bits.
    Wide,
}

/// A window is read at the first level that reaches back far enough. So it is known to 1 s up to 5
/// minutes, to 10 s up to an hour, to a minute up to 6 hours, to 10 minutes up to 3 days, and to an
/// hour beyond: at most 1.1 % of its length.
const LEVELS: [Level; 4] = [
    Level { step: 1, length: 332, width: Width::Narrow },
    Level { step: 10, length: 364, width: Width::Narrow },
    Level { step: 60, length: 364, width: Width::Narrow },
    Level { step: 600, length: 436, width: Width::Wide },
];

const HOUR: Seconds = 3600;

/// Counts of good and bad events over time, from which any window up to the longest can be read, in
/// memory that depends on that longest window alone: 27 KB for 30 days.
///
/// Kept are not the counts of buckets but how many events there were until the end of each, so a
/// window is one subtraction, whatever its length. Counts are exact; only where a window begins is
/// rounded, to the earlier end of a bucket.
///
/// Time never goes back: what is recorded for an earlier second than the latest counts for the
/// latest. So a clock that is set back makes no budget grow, and neither does a gap.
///
/// ```
/// use std::time::Duration;
///
/// use model::slo::{Counts, Series};
///
/// let mut series = Series::new(Duration::from_secs(30 * 86_400));
/// series.record(1_000_000, Counts { good: 99, bad: 1 });
/// series.record(1_000_400, Counts { good: 50, bad: 0 });
/// assert_eq!(series.over(Duration::from_secs(300)), Counts { good: 50, bad: 0 });
/// assert_eq!(series.over(Duration::from_secs(3600)), Counts { good: 149, bad: 1 });
/// ```
#[derive(Clone, Debug)]
pub struct Series {
    rings: Vec<Ring>,
    total: Counts,
    now: Seconds,
}

#[derive(Clone, Debug)]
struct Ring {
    step: Seconds,
    ends: Ends,
}

/// The total at the end of each bucket, by its number modulo the length.
#[derive(Clone, Debug)]
enum Ends {
    Narrow(Box<[[u32; 2]]>),
    Wide(Box<[[u64; 2]]>),
}

impl Series {
    /// Without events. Windows are cut to `longest`, and that to [`LONGEST_WINDOW`].
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        let longest = longest.min(LONGEST_WINDOW).as_secs();
        let mut rings = Vec::new();
        for level in &LEVELS {
            let reaches = rings.last().map_or(0, Ring::reach);
            if reaches < longest {
                rings.push(Ring::new(level.step, level.length, level.width));
            }
        }
        if rings.last().map_or(0, Ring::reach) < longest {
            let hours = longest.div_ceil(HOUR) + 2;
            // At most a quarter's hours.
            rings.push(Ring::new(HOUR, hours as usize, Width::Wide));
        }
        Self { rings, total: Counts::NONE, now: 0 }
    }

    /// Adds events of this second.
    pub fn record(&mut self, at: Seconds, counts: Counts) {
        self.advance(at);
        self.total += counts;
    }

    /// Lets time pass.
    pub fn advance(&mut self, to: Seconds) {
        if to <= self.now {
            return;
        }
        for ring in &mut self.rings {
            ring.end_buckets(self.now, to, self.total);
        }
        self.now = to;
    }

    /// The events of the last so many seconds, the present one included.
    #[must_use]
    pub fn over(&self, window: Duration) -> Counts {
        let window = window.as_secs();
        let ring = self.rings.iter().find(|ring| ring.reach() >= window).or(self.rings.last());
        let (Some(ring), Some(last_before)) = (ring, self.now.checked_sub(window)) else {
            return self.total;
        };
        ring.since_end_of(last_before, self.now, self.total)
    }

    /// All events that were ever recorded.
    #[must_use]
    pub const fn total(&self) -> Counts {
        self.total
    }

    /// The latest second that it knows of.
    #[must_use]
    pub const fn now(&self) -> Seconds {
        self.now
    }

    /// How much memory it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rings = self.rings.iter().map(|ring| size_of::<Ring>() + ring.ends.bytes());
        size_of::<Self>() + rings.sum::<usize>()
    }
}

impl Ring {
    fn new(step: Seconds, length: usize, width: Width) -> Self {
        let ends = match width {
            Width::Narrow => Ends::Narrow(vec![[0; 2]; length].into()),
            Width::Wide => Ends::Wide(vec![[0; 2]; length].into()),
        };
        Self { step, ends }
    }

    /// The longest window that can be read: the bucket before it, and the present one, are kept too.
    fn reach(&self) -> Seconds {
        (self.ends.length() as Seconds - 2) * self.step
    }

    /// Notes the total for all buckets that end between the two seconds.
    fn end_buckets(&mut self, from: Seconds, to: Seconds, total: Counts) {
        let length = self.ends.length() as Seconds;
        let present = to / self.step;
        // What lies further back would be overwritten at once.
        let first = (from / self.step).max(present.saturating_sub(length));
        for bucket in first..present {
            self.ends.set((bucket % length) as usize, total);
        }
    }

    /// What came after the last bucket that had ended by the end of this second.
    fn since_end_of(&self, second: Seconds, now: Seconds, total: Counts) -> Counts {
        let length = self.ends.length() as Seconds;
        let oldest = (now / self.step).saturating_sub(length);
        match ((second + 1) / self.step).checked_sub(1) {
            None => total,
            Some(bucket) => self.ends.since((bucket.max(oldest) % length) as usize, total),
        }
    }
}

impl Ends {
    fn length(&self) -> usize {
        match self {
            Self::Narrow(ends) => ends.len(),
            Self::Wide(ends) => ends.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Narrow(ends) => size_of_val(&**ends),
            Self::Wide(ends) => size_of_val(&**ends),
        }
    }

    fn set(&mut self, place: usize, total: Counts) {
        match self {
            // Cut on purpose: only differences are read.
            Self::Narrow(ends) => ends[place] = [total.good as u32, total.bad as u32],
            Self::Wide(ends) => ends[place] = [total.good, total.bad],
        }
    }

    fn since(&self, place: usize, total: Counts) -> Counts {
        match self {
            Self::Narrow(ends) => {
                let [good, bad] = ends[place];
                Counts {
                    good: u64::from((total.good as u32).wrapping_sub(good)),
                    bad: u64::from((total.bad as u32).wrapping_sub(bad)),
                }
            }
            Self::Wide(ends) => {
                let [good, bad] = ends[place];
                Counts { good: total.good - good, bad: total.bad - bad }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Seconds = 1_700_000_000;
    const DAY: u64 = 86_400;

    fn month() -> Series {
        Series::new(Duration::from_secs(30 * DAY))
    }

    fn over(series: &Series, seconds: u64) -> Counts {
        series.over(Duration::from_secs(seconds))
    }

    fn good(good: u64) -> Counts {
        Counts { good, bad: 0 }
    }

    #[test]
    fn a_window_holds_its_last_seconds_and_nothing_older() {
        let mut series = month();
        for second in 0..400 {
            series.record(START + second, good(1));
        }
        assert_eq!(over(&series, 1), good(1));
        assert_eq!(over(&series, 300), good(300));
        assert_eq!(over(&series, 3600), good(400));
        assert_eq!(over(&series, 30 * DAY), good(400));
    }

    #[test]
    fn a_window_is_rounded_to_the_earlier_end_of_a_bucket() {
        for (window, step) in [
            (300, 1),
            (1800, 10),
            (3600, 10),
            (7200, 60),
            (6 * 3600, 60),
            (DAY, 600),
            (3 * DAY, 600),
            (7 * DAY, 3600),
            (30 * DAY, 3600),
        ] {
            let mut series = month();
            series.record(START, good(1));
            let mut left = None;
            // It is in the window while its second is, and at most a bucket longer.
            for later in (window - 1)..=(window + step) {
                series.advance(START + later);
                if left.is_none() && over(&series, window) == Counts::NONE {
                    left = Some(later);
                }
            }
            let left = left.unwrap_or_else(|| panic!("{window} is never left"));
            assert!((window..window + step).contains(&left), "{window}: {left}");
        }
    }

    #[test]
    fn thirty_days_take_the_bytes_that_the_docs_say() {
        let bytes = month().bytes();
        assert!((26_500..27_500).contains(&bytes), "{bytes}");
    }

    #[test]
    fn counts_beyond_32_bits_are_right() {
        let mut series = month();
        series.record(START, good(1 << 40));
        series.record(START + 1000, good(7));
        assert_eq!(over(&series, 600), good(7));
        assert_eq!(over(&series, 3 * DAY), good((1 << 40) + 7));
    }

    #[test]
    fn a_clock_set_back_and_a_gap_lose_nothing() {
        let mut series = month();
        series.record(START, Counts { good: 0, bad: 5 });
        series.record(START - 3 * 3600, Counts { good: 0, bad: 2 });
        assert_eq!(over(&series, 300).bad, 7);
        assert_eq!(series.now(), START);
        series.advance(START + 10 * DAY);
        assert_eq!(over(&series, 300), Counts::NONE);
        assert_eq!(over(&series, 30 * DAY).bad, 7);
        series.advance(START + 400 * DAY);
        assert_eq!(over(&series, 30 * DAY), Counts::NONE);
        assert_eq!(series.total().bad, 7);
    }

    #[test]
    fn a_window_beyond_the_longest_is_cut_to_it() {
        let mut series = Series::new(Duration::from_secs(3600));
        series.record(START, good(1));
        series.advance(START + 2 * 3600);
        assert_eq!(over(&series, 90 * DAY), Counts::NONE);
    }

    proptest! {
        /// What is in a window of width w, by looking at every event.
        #[test]
        fn windows_conserve_events(
            events in prop::collection::vec((0_u64..5_000, 0_u64..5, 0_u64..3), 1..60),
            window in 1_u64..330,
        ) {
            let mut events = events;
            events.sort_by_key(|(second, ..)| *second);
            let mut series = month();
            for (second, good, bad) in &events {
                series.record(START + second, Counts { good: *good, bad: *bad });
            }
            let last = events.last().unwrap().0;
            let within = events.iter().filter(|(second, ..)| second + window > last);
            let expected = within.fold(Counts::NONE, |sum, (_, good, bad)| {
                sum + Counts { good: *good, bad: *bad }
            });
            prop_assert_eq!(over(&series, window), expected);
            prop_assert_eq!(series.total(), over(&series, 30 * DAY));
        }

        #[test]
        fn the_order_within_a_second_does_not_matter(
            counts in prop::collection::vec((0_u64..9, 0_u64..9), 1..20),
            seed in any::<u64>(),
        ) {
            let mut shuffled = counts.clone();
            let length = shuffled.len() as u64;
            for place in 0..shuffled.len() {
                shuffled.swap(place, (seed.rotate_left(place as u32) % length) as usize);
            }
            let record = |counts: &[(u64, u64)]| {
                let mut series = month();
                for (good, bad) in counts {
                    series.record(START, Counts { good: *good, bad: *bad });
                }
                series.advance(START + 100);
                [1, 60, 300, 3600, DAY].map(|window| over(&series, window))
            };
            prop_assert_eq!(record(&counts), record(&shuffled));
        }

        #[test]
        fn the_same_events_recorded_apart_and_merged_are_the_same(
            steps in prop::collection::vec((0_u64..4_000, 0_u64..9, 0_u64..9), 1..40),
        ) {
            let (mut one, mut other, mut both) = (month(), month(), month());
            let mut second = START;
            for (index, (step, good, bad)) in steps.iter().enumerate() {
                second += step;
                let counts = Counts { good: *good, bad: *bad };
                if index % 2 == 0 { one.record(second, counts) } else { other.record(second, counts) }
                both.record(second, counts);
            }
            one.advance(second);
            other.advance(second);
            for window in [60, 300, 1800, 3600, 6 * 3600, DAY, 3 * DAY, 30 * DAY] {
                prop_assert_eq!(over(&one, window) + over(&other, window), over(&both, window));
            }
        }

        #[test]
        fn a_longer_window_never_holds_less_at_the_same_level(
            steps in prop::collection::vec((0_u64..200, 0_u64..9), 1..40),
            shorter in 1_u64..330,
            longer in 1_u64..330,
        ) {
            let mut series = month();
            let mut second = START;
            for (step, count) in steps {
                second += step;
                series.record(second, good(count));
            }
            let (shorter, longer) = (shorter.min(longer), shorter.max(longer));
            prop_assert!(over(&series, shorter).good <= over(&series, longer).good);
        }
    }
}
