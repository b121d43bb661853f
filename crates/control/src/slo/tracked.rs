use std::time::Duration;

use model::{
    Cause,
    slo::{
        Alarm, AlertState, Budget, CauseDays, Counts, Data, Evidence, Indicator, Method, Objective,
        Observation, Seconds, Series, Slicer, Tally, Window,
    },
};

/// One objective with what is known about it.
#[derive(Clone, Debug)]
pub struct Tracked {
    objective: Objective,
    /// What its budget is counted in: events, or slices of time.
    counted: Series,
    slicer: Option<Slicer>,
    /// Slices that have ended since somebody took them, where somebody does: after each second.
    ended: Option<Vec<(Seconds, Counts)>>,
    /// Where it is polled: the seconds that an answer tells of (good), or none does (bad).
    polls: Option<Polls>,
    causes: CauseDays,
    alerts: Vec<AlertState>,
    /// Bad events by cause that nobody has written down yet, and what was counted.
    unwritten: Unwritten,
}

#[derive(Clone, Debug)]
struct Polls {
    seconds: Series,
    /// The latest poll. None since the start of the process.
    last: Option<Seconds>,
}

/// What came since it was last written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwritten {
    pub(super) counted: Vec<(Seconds, Counts)>,
    pub(super) polls: Vec<(Seconds, Counts)>,
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

/// Whether a poll had an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// It tells of the time since the poll before.
    Known,
    /// It does not.
    Missing,
}

const MINUTE: Seconds = 60;
const DAY: Seconds = 86_400;

/// Adds to the minute's sum. At most a few are kept: they are taken at every flush.
pub(super) fn note(unwritten: &mut Vec<(Seconds, Counts)>, at: Seconds, counts: Counts) {
    match unwritten.last_mut() {
        Some((last, sum)) if *last / MINUTE == at / MINUTE => *sum += counts,
        _ => unwritten.push((at, counts)),
    }
}

/// How far back anything is asked for.
fn longest(objective: &Objective) -> Duration {
    let windows = objective.alerts.iter().map(|alert| alert.long);
    windows.max().unwrap_or_default().max(match &objective.window {
        Window::Rolling(length) => *length,
        Window::Calendar(_) => model::slo::LONGEST_WINDOW,
    })
}

impl Tracked {
    pub(super) fn new(objective: Objective) -> Self {
        let alerts = vec![AlertState::default(); objective.alerts.len()];
        let longest = longest(&objective);
        let slicer = match objective.method {
            Method::Occurrences => None,
            Method::Timeslices { target, width } => Some(Slicer::new(width, target)),
            Method::RatioTimeslices { width } => Some(Slicer::averaging(width)),
        };
        let polls = match objective.indicator {
            Indicator::Requests(_) => None,
            Indicator::Prometheus(_) | Indicator::Samples(_) => {
                Some(Polls { seconds: Series::new(longest), last: None })
            }
        };
        Self {
            objective,
            counted: Series::new(longest),
            polls,
            slicer,
            ended: None,
            causes: CauseDays::default(),
            alerts,
            unwritten: Unwritten::default(),
        }
    }

    /// Whether another objective can go on with what was counted for this one.
    pub(super) fn is_followed_by(&self, next: &Objective) -> bool {
        let source = |objective: &Objective| std::mem::discriminant(&objective.indicator);
        let this = &self.objective;
        this.name == next.name
            && this.method == next.method
            && source(this) == source(next)
            && longest(this) == longest(next)
    }

    /// Goes on for another objective, which [follows](Self::is_followed_by) this one.
    pub(super) fn followed_by(mut self, next: Objective) -> Self {
        if self.objective.alerts != next.alerts {
            let states = next.alerts.iter().map(|alert| {
                let known = self.objective.alerts.iter().position(|known| known == alert);
                known.map_or_else(AlertState::default, |known| self.alerts[known])
            });
            self.alerts = states.collect();
            self.unwritten.alerts = Alerts::Changed;
        }
        self.objective = next;
        // Asked for again by the composite that it is of now.
        self.ended = None;
        self
    }

    /// How far back anything is asked for.
    pub(super) fn longest(&self) -> Duration {
        longest(&self.objective)
    }

    /// The objective.
    #[must_use]
    pub const fn objective(&self) -> &Objective {
        &self.objective
    }

    /// How much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let polls = self.polls.as_ref().map_or(0, |polls| polls.seconds.bytes());
        size_of::<Self>() + self.counted.bytes() + polls
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
                    self.count_slice(end, slice);
                }
            }
        }
        // A sample has no cause, and is counted in parts.
        if counts.bad > 0 && !matches!(self.objective.indicator, Indicator::Samples(_)) {
            for (place, bad) in events.bad.iter().enumerate().filter(|(_, bad)| **bad > 0) {
                let cause = Tally::cause(place);
                self.causes.record(at, cause, *bad);
                self.note_cause(at, cause, *bad);
            }
        }
    }

    /// Adds to the day's sum of a cause, so that there are no more of them than causes.
    fn note_cause(&mut self, at: Seconds, cause: Option<Cause>, bad: u64) {
        let causes = &mut self.unwritten.causes;
        let known = causes.iter_mut().find(|it| it.0 / DAY == at / DAY && it.1 == cause);
        match known {
            Some((_, _, sum)) => *sum += bad,
            None => causes.push((at, cause, bad)),
        }
    }

    fn count_slice(&mut self, end: Seconds, slice: Counts) {
        if let Some(ended) = &mut self.ended {
            ended.push((end, slice));
        }
        self.count(end, slice);
    }

    /// Has ended slices kept until they are [taken](Self::take_ended).
    pub(super) fn keep_ended(&mut self) {
        self.ended.get_or_insert_default();
    }

    pub(super) fn take_ended(&mut self) -> Vec<(Seconds, Counts)> {
        self.ended.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn count(&mut self, at: Seconds, counts: Counts) {
        if counts == Counts::NONE {
            return;
        }
        // A slice that is judged late counts when it is: what came before may be written down.
        let at = at.max(self.counted.now());
        self.counted.record(at, counts);
        note(&mut self.unwritten.counted, at, counts);
    }

    /// Says that somebody asked at this second, and whether an answer tells of the time since the
    /// last poll.
    pub(super) fn poll(&mut self, at: Seconds, polled: Polled) {
        let Some(polls) = &mut self.polls else { return };
        let before = polls.last.replace(at.max(polls.seconds.now()));
        let Some(seconds) = before.map(|before| at.saturating_sub(before)).filter(|it| *it > 0)
        else {
            return;
        };
        let seconds = match polled {
            Polled::Known => Counts { good: seconds, bad: 0 },
            Polled::Missing => Counts { good: 0, bad: seconds },
        };
        polls.seconds.record(at, seconds);
        note(&mut self.unwritten.polls, at, seconds);
    }

    /// The share of a window that answers tell of, where it is polled.
    pub(super) fn polled(&self, window: Duration) -> Option<f64> {
        let seconds = self.polls.as_ref()?.seconds.over(window).good;
        Some((seconds as f64 / window.as_secs_f64().max(1.0)).min(1.0))
    }

    pub(super) fn restore_poll(&mut self, at: Seconds, polled: Counts) {
        if let Some(polls) = &mut self.polls {
            polls.seconds.record(at, polled);
        }
    }

    /// What was written down before, in the order of time.
    pub(super) fn restore_counts(&mut self, at: Seconds, counts: Counts) {
        self.counted.record(at, counts);
    }

    pub(super) fn restore_cause(&mut self, at: Seconds, cause: Option<Cause>, bad: u64) {
        self.causes.record(at, cause, bad);
    }

    pub(super) fn restore_alert(&mut self, alert: usize, restored: AlertState) {
        if let Some(state) = self.alerts.get_mut(alert) {
            *state = restored;
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
            self.count_slice(end, slice);
        }
        self.counted.advance(now);
        if let Some(polls) = &mut self.polls {
            polls.seconds.advance(now);
        }
        self.causes.advance(now);
    }

    /// Looks at an alert again. `ran` is the share of a window in which the process ran. Returns what
    /// has changed, and since when it is or was so.
    pub(super) fn look(
        &mut self,
        alert: usize,
        now: Seconds,
        evidence: Evidence,
        ran: &dyn Fn(Duration) -> f64,
    ) -> [Option<(Alarm, Seconds)>; 2] {
        let Some(rule) = self.objective.alerts.get(alert).copied() else { return [None; 2] };
        let ran_short = ran(rule.short);
        let seen = Observation {
            long: self.counted.over(rule.long),
            short: self.counted.over(rule.short),
            coverage: self.polled(rule.short).unwrap_or(ran_short),
        };
        let (target, evidence) = (self.objective.target, self.objective.evidence(evidence));
        let Some(state) = self.alerts.get_mut(alert) else { return [None; 2] };
        let (since, no_data_since) = (state.since(), state.no_data_since());
        let burns = state.look(now, &rule, target, evidence, seen);
        let has_data = if rule.when.no_data {
            state.look_for_data(now, Data::of(&seen, ran_short, ran(rule.long)))
        } else {
            None
        };
        if burns.is_some() || has_data.is_some() {
            self.unwritten.alerts = Alerts::Changed;
        }
        [
            burns.map(|alarm| (alarm, since.unwrap_or(now))),
            has_data.map(|alarm| (alarm, no_data_since.unwrap_or(now))),
        ]
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
        self.objective.budget(counts, target, self.objective.window.length(now))
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
