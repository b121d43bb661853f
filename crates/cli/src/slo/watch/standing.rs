//! How all objectives stand, for whoever shows it.

use std::time::Duration;

use control::slo::{CompositeStatus, Letter, Status};
use model::slo::Seconds;

use super::plots::Point;

/// A picture of what is watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// When this was so.
    pub(crate) now: Seconds,
    pub(crate) objectives: Vec<ObjectiveStanding>,
    /// SLOs of several objectives.
    pub(crate) composites: Vec<CompositeStatus>,
    /// Letters that were not taken yet.
    pub(crate) waiting: Vec<Letter>,
    /// Letters that were given up.
    pub(crate) dead: Vec<Letter>,
    /// How many ever were.
    pub(crate) died: u64,
    /// Whether it outlives the process.
    pub(crate) is_written: bool,
    /// Why it does not, although it should.
    pub(crate) trouble: Option<String>,
}

/// One objective.
#[derive(Clone, Debug)]
pub(crate) struct ObjectiveStanding {
    pub(crate) status: Status,
    /// How long its whole period is.
    pub(crate) length: Duration,
    /// What was left over the last day, by the minute.
    pub(crate) day: Vec<Point>,
    /// What was left over the last 30 days, by the hour.
    pub(crate) month: Vec<Point>,
    /// For a suggestion: 99 % of the service's requests took no longer, since the start.
    pub(crate) observed_p99: Option<Duration>,
}

impl ObjectiveStanding {
    /// For how long everything could fail with what is left, at the rate of the period so far; where
    /// slices are counted, what is left itself. Negative when overspent, in seconds.
    pub(crate) fn remaining_seconds(&self) -> Option<f64> {
        if self.status.slice.is_some() {
            return Some(self.status.budget.remaining());
        }
        let whole = self.length.as_secs_f64() * self.status.target.budget_ratio();
        self.status.budget.remaining_ratio().map(|ratio| ratio * whole)
    }

    /// Since when the most urgent of its alerts fires.
    pub(crate) fn is_firing(&self) -> bool {
        self.status.alerts.iter().any(|alert| alert.since.is_some())
    }
}
