use std::ops::{Add, AddAssign};

/// How many events were good and how many bad. What does not count is in neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They met the objective.
    pub good: u64,
    /// They did not.
    pub bad: u64,
}

impl Counts {
    /// None of either.
    pub const NONE: Self = Self { good: 0, bad: 0 };

    /// Both.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// The share of bad ones, 0 to 1. `None` where there is no event: that is no success.
    #[must_use]
    pub fn bad_ratio(self) -> Option<f64> {
        let total = self.total();
        (total > 0).then(|| self.bad as f64 / total as f64)
    }

    /// What came since `earlier`, of a count that only grows. One that shrank was begun anew, so all
    /// of it is new (as Prometheus reads counters).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        if self.good < earlier.good || self.bad < earlier.bad {
            return self;
        }
        Self { good: self.good - earlier.good, bad: self.bad - earlier.bad }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { good: self.good.saturating_add(other.good), bad: self.bad.saturating_add(other.bad) }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn without_events_there_is_no_ratio() {
        assert_eq!(Counts::NONE.bad_ratio(), None);
        assert_eq!(Counts { good: 3, bad: 1 }.bad_ratio(), Some(0.25));
    }

    #[test]
    fn a_count_that_shrank_began_anew() {
        let (earlier, later) = (Counts { good: 10, bad: 1 }, Counts { good: 15, bad: 3 });
        assert_eq!(later.since(earlier), Counts { good: 5, bad: 2 });
        assert_eq!(earlier.since(later), earlier);
    }
}
