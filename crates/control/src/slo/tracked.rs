use std::time::Duration;

use model::{
    Cause,
    slo::{
        Alarm, AlertState, Budget, CauseDays, Counts, Evidence, Method, Objective, Observation,
        Seconds, Series, Slicer, Tally, Window,
    },
};

/// One objective with what is known about it.
#[derive(Clone, Debug)]
pub struct Tracked {
    objective: Objective,
    /// What its budget is counted in: events, or slices of time.
    counted: Series,
    slicer: Option<Slicer>,
    causes: CauseDays,
    alerts: Vec<AlertState>,
    /// Bad events by cause that nobody has written down yet, and what was counted.
    unwritten: Unwritten,
}

/// What came since it was last written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwritten {
    pub(super) counted: Vec<(Seconds, Counts)>,
    pub(super) causes: Vec<(Seconds, Option<Cause>, u64)>,
    pub(super) alerts: Alerts,
}

/// Whether an alert has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Alerts {
    #[default]
    AsWritten,
    Changed,
}

const MINUTE: Seconds = 60;

impl Tracked {
    pub(super) fn new(objective: Objective) -> Self {
        let alerts = vec![AlertState::default(); objective.alerts.len()];
        let windows = objective.alerts.iter().map(|alert| alert.long);
        let longest = windows.max().unwrap_or_default().max(match &objective.window {
            Window::Rolling(length) => *length,
            Window::Calendar(_) => model::slo::LONGEST_WINDOW,
        });
        let slicer = match objective.method {
            Method::Occurrences => None,
            Method::Timeslices { target, width } => Some(Slicer::new(width, target)),
        };
        Self {
            objective,
            counted: Series::new(longest),
            slicer,
            causes: CauseDays::default(),
            alerts,
            unwritten: Unwritten::default(),
        }
    }

    /// The objective.
    #[must_use]
    pub const fn objective(&self) -> &Objective {
        &self.objective
    }

    /// How much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.counted.bytes()
    }

    /// What was counted in the last so much time: events, or slices.
    #[must_use]
    pub fn over(&self, window: Duration) -> Counts {
        self.counted.over(window)
    }

    /// Adds events of this second.
    pub(super) fn record(&mut self, at: Seconds, events: &Tally) {
        let counts = events.counts();
        match &mut self.slicer {
            None => self.count(at, counts),
            Some(slicer) => {
                if let Some((end, slice)) = slicer.observe(at, counts) {
                    self.count(end, slice);
                }
            }
        }
        if counts.bad > 0 {
            for (place, bad) in events.bad.iter().enumerate().filter(|(_, bad)| **bad > 0) {
                let cause = Tally::cause(place);
                self.causes.record(at, cause, *bad);
                self.unwritten.causes.push((at, cause, *bad));
            }
        }
    }

    fn count(&mut self, at: Seconds, counts: Counts) {
        if counts == Counts::NONE {
            return;
        }
        // A slice that is judged late counts when it is: what came before may be written down.
        let at = at.max(self.counted.now());
        self.counted.record(at, counts);
        // At most a few minutes long: it is taken at every flush.
        match self.unwritten.counted.last_mut() {
            Some((last, sum)) if *last / MINUTE == at / MINUTE => *sum += counts,
            _ => self.unwritten.counted.push((at, counts)),
        }
    }

    /// What was written down before, in the order of time.
    pub(super) fn restore_counts(&mut self, at: Seconds, counts: Counts) {
        self.counted.record(at, counts);
    }

    pub(super) fn restore_cause(&mut self, at: Seconds, cause: Option<Cause>, bad: u64) {
        self.causes.record(at, cause, bad);
    }

    pub(super) fn restore_alert(&mut self, alert: usize, since: Seconds) {
        if let Some(state) = self.alerts.get_mut(alert) {
            *state = AlertState::firing_since(since);
        }
    }

    pub(super) fn take_unwritten(&mut self) -> Unwritten {
        std::mem::take(&mut self.unwritten)
    }

    /// Lets time pass; a slice may end by that.
    pub(super) fn advance(&mut self, now: Seconds) {
        if let Some((end, slice)) =
            self.slicer.as_mut().and_then(|slicer| slicer.observe(now, Counts::NONE))
        {
            self.count(end, slice);
        }
        self.counted.advance(now);
        self.causes.advance(now);
    }

    /// Looks at an alert again. `coverage` is the share of a window in which somebody looked.
    pub(super) fn look(
        &mut self,
        alert: usize,
        now: Seconds,
        evidence: Evidence,
        coverage: impl Fn(Duration) -> f64,
    ) -> Option<Alarm> {
        let rule = *self.objective.alerts.get(alert)?;
        let seen = Observation {
            long: self.counted.over(rule.long),
            short: self.counted.over(rule.short),
            coverage: coverage(rule.short),
        };
        let state = self.alerts.get_mut(alert)?;
        let changed = state.look(now, &rule, self.objective.target, evidence, seen)?;
        self.unwritten.alerts = Alerts::Changed;
        Some(changed)
    }

    /// The alerts' states, in the objective's order.
    #[must_use]
    pub fn alerts(&self) -> &[AlertState] {
        &self.alerts
    }

    /// What is left in the objective's window.
    #[must_use]
    pub fn budget(&self, now: Seconds) -> Budget {
        self.budget_for(self.objective.target, now)
    }

    /// The same for another target, such as a contract's.
    #[must_use]
    pub fn budget_for(&self, target: model::slo::Target, now: Seconds) -> Budget {
        let counts = self.counted.over(self.objective.window.elapsed(now));
        match &self.slicer {
            None => Budget::of_events(counts, target),
            Some(slicer) => {
                let period = self.objective.window.length(now);
                Budget::of_slices(counts, slicer.width(), period, target)
            }
        }
    }

    /// Which causes spent it, the greatest part first.
    #[must_use]
    pub fn causes(&self, now: Seconds) -> Vec<(Option<Cause>, u64)> {
        self.causes.since(self.objective.window.period(now).start)
    }

    /// How wide a slice is, if slices are counted.
    #[must_use]
    pub fn slice_width(&self) -> Option<Duration> {
        self.slicer.as_ref().map(Slicer::width)
    }
}
