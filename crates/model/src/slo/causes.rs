use rearguard::Cause;

use super::Seconds;

const DAY: Seconds = 86_400;

/// How many days back causes are told apart: a quarter.
const DAYS: usize = 93;

/// Which causes spent a budget, day by day: 372 bytes for each cause that ever did.
///
/// ```
/// use model::{Cause, slo::CauseDays};
///
/// let mut causes = CauseDays::default();
/// causes.record(0, Some(Cause::UpstreamReset), 3);
/// causes.record(86_400, Some(Cause::UpstreamPanicked), 1);
/// assert_eq!(causes.since(0)[0], (Some(Cause::UpstreamReset), 3));
/// assert_eq!(causes.since(86_400), [(Some(Cause::UpstreamPanicked), 1)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CauseDays {
    causes: Vec<(Option<Cause>, Box<[u32; DAYS]>)>,
    today: Seconds,
}

impl CauseDays {
    /// Adds bad events of this second. Time does not go back.
    pub fn record(&mut self, at: Seconds, cause: Option<Cause>, bad: u64) {
        self.advance(at);
        let place = self.causes.iter().position(|(known, _)| *known == cause);
        let place = place.unwrap_or_else(|| {
            self.causes.push((cause, Box::new([0; DAYS])));
            self.causes.len() - 1
        });
        let day = &mut self.causes[place].1[self.today as usize % DAYS];
        *day = day.saturating_add(u32::try_from(bad).unwrap_or(u32::MAX));
    }

    /// Lets time pass.
    pub fn advance(&mut self, to: Seconds) {
        let today = (to / DAY).max(self.today);
        let first = (self.today + 1).max((today + 1).saturating_sub(DAYS as Seconds));
        for day in first..=today {
            for (_, days) in &mut self.causes {
                days[day as usize % DAYS] = 0;
            }
        }
        self.today = today;
    }

    /// The bad events by cause, the greatest part first, of the days from that of `start` on.
    #[must_use]
    pub fn since(&self, start: Seconds) -> Vec<(Option<Cause>, u64)> {
        let oldest = (self.today + 1).saturating_sub(DAYS as Seconds);
        let first = (start / DAY).max(oldest);
        let sums = self.causes.iter().map(|(cause, days)| {
            let sum = (first..=self.today).map(|day| u64::from(days[day as usize % DAYS])).sum();
            (*cause, sum)
        });
        let mut sums: Vec<_> = sums.filter(|(_, bad): &(_, u64)| *bad > 0).collect();
        sums.sort_by_key(|(cause, bad)| (std::cmp::Reverse(*bad), *cause));
        sums
    }
}

/// Cumulative counts of one objective, as whoever sees requests hands them over: nothing is sampled,
/// and nothing is lost if somebody looks late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Requests that met it.
    pub good: u64,
    /// Requests that did not, by cause: none first, then in the order of [`Cause::ALL`].
    pub bad: Box<[u64; Tally::PLACES]>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { good: 0, bad: Box::new([0; Self::PLACES]) }
    }
}

impl Tally {
    /// One place for each cause, and one for none.
    pub const PLACES: usize = Cause::ALL.len() + 1;

    /// The place of a cause.
    #[must_use]
    pub fn place(cause: Option<Cause>) -> usize {
        cause.map_or(0, |cause| cause as usize + 1)
    }

    /// The cause of a place.
    #[must_use]
    pub fn cause(place: usize) -> Option<Cause> {
        place.checked_sub(1).and_then(|place| Cause::ALL.get(place).copied())
    }

    /// How many of each.
    #[must_use]
    pub fn counts(&self) -> super::Counts {
        super::Counts { good: self.good, bad: self.bad.iter().sum() }
    }

    /// Adds another's, such as another worker's.
    pub fn merge(&mut self, other: &Self) {
        self.good += other.good;
        for (sum, bad) in self.bad.iter_mut().zip(other.bad.iter()) {
            *sum += bad;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_over_are_forgotten() {
        let mut causes = CauseDays::default();
        causes.record(0, None, 5);
        causes.advance(92 * DAY);
        assert_eq!(causes.since(0), [(None, 5)]);
        causes.advance(93 * DAY);
        assert_eq!(causes.since(0), []);
        causes.record(93 * DAY, None, 1);
        causes.record(10_000 * DAY, Some(Cause::UpstreamReset), 2);
        assert_eq!(causes.since(0), [(Some(Cause::UpstreamReset), 2)]);
    }

    #[test]
    fn the_greatest_part_comes_first() {
        let mut causes = CauseDays::default();
        causes.record(10, Some(Cause::UpstreamReset), 1);
        causes.record(10, None, 2);
        causes.record(5, Some(Cause::UpstreamReset), 2);
        assert_eq!(causes.since(0), [(Some(Cause::UpstreamReset), 3), (None, 2)]);
    }

    #[test]
    fn tallies_of_workers_add_up() {
        let mut sum = Tally::default();
        let mut one = Tally { good: 3, ..Tally::default() };
        one.bad[Tally::place(Some(Cause::UpstreamReset))] = 2;
        sum.merge(&one);
        sum.merge(&one);
        assert_eq!(sum.counts(), crate::slo::Counts { good: 6, bad: 4 });
        assert_eq!(
            Tally::cause(Tally::place(Some(Cause::UpstreamReset))),
            Some(Cause::UpstreamReset)
        );
        assert_eq!(Tally::cause(Tally::place(None)), None);
    }
}
