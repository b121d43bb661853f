//! What was left of each budget over time, for plots.

use std::collections::VecDeque;

use control::slo::{Engine, Store, StoreError};
use model::slo::{Counts, Objective, Seconds};

const HOUR: Seconds = 3_600;
const DAY: Seconds = 24 * HOUR;

/// The last day has a point for so long after a restart: what is kept of it.
pub(crate) const RESTORED_STEP: Seconds = 600;

/// So many points of a minute are kept: a day.
pub(crate) const DAY_POINTS: usize = 1_440;
/// So many points of an hour are kept: 30 days.
pub(crate) const MONTH_POINTS: usize = 720;

/// One point after another, the same times for all objectives.
#[derive(Debug)]
struct Plot {
    step: Seconds,
    most: usize,
    times: VecDeque<Seconds>,
    /// By objective, its place first: what was left, or not a number where nothing had been counted.
    left: Vec<VecDeque<f32>>,
}

/// The last day by the minute, and the last 30 days by the hour.
#[derive(Debug)]
pub(crate) struct Plots {
    day: Plot,
    month: Plot,
}

/// A time, and the share of the budget that was left.
pub(crate) type Point = (Seconds, f64);

impl Plot {
    fn new(step: Seconds, most: usize, objectives: usize) -> Self {
        Self { step, most, times: VecDeque::new(), left: vec![VecDeque::new(); objectives] }
    }

    fn is_due(&self, now: Seconds) -> bool {
        self.times.back().is_none_or(|last| now / self.step > last / self.step)
    }

    fn push(&mut self, at: Seconds, left: impl Iterator<Item = Option<f64>>) {
        self.times.push_back(at);
        let is_full = self.times.len() > self.most;
        if is_full {
            self.times.pop_front();
        }
        for (points, left) in self.left.iter_mut().zip(left) {
            points.push_back(left.map_or(f32::NAN, |left| left as f32));
            if is_full {
                points.pop_front();
            }
        }
    }

    /// Points of before, by objective.
    fn restore(&mut self, times: &[Seconds], left: &[Vec<Option<f64>>]) {
        for (index, at) in times.iter().enumerate() {
            let of_all = || left.iter().map(|points| points[index]);
            // Before anything was counted there is nothing to show.
            if !self.times.is_empty() || of_all().any(|left| left.is_some()) {
                self.push(*at, of_all());
            }
        }
    }

    /// What was at a place before is at another, or nowhere, or was not there.
    fn exchange(&mut self, before: &[Option<usize>]) {
        let mut old: Vec<_> = std::mem::take(&mut self.left).into_iter().map(Some).collect();
        let nothing = || std::iter::repeat_n(f32::NAN, self.times.len()).collect();
        let left = before.iter().map(|before| {
            before.and_then(|place| old.get_mut(place)?.take()).unwrap_or_else(nothing)
        });
        self.left = left.collect();
    }

    fn of(&self, place: usize) -> Vec<Point> {
        let Some(left) = self.left.get(place) else { return Vec::new() };
        let points = self.times.iter().zip(left).filter(|(_, left)| !left.is_nan());
        points.map(|(at, left)| (*at, f64::from(*left))).collect()
    }
}

impl Plots {
    pub(crate) fn new(objectives: usize) -> Self {
        Self {
            day: Plot::new(60, DAY_POINTS, objectives),
            month: Plot::new(HOUR, MONTH_POINTS, objectives),
        }
    }

    /// With what was written down: the month by the hour, and the last day by [`RESTORED_STEP`].
    pub(crate) fn restored(engine: &Engine, store: &Store) -> Result<Self, StoreError> {
        let mut plots = Self::new(engine.tracked().len());
        let now = engine.now();
        if now == 0 {
            return Ok(plots);
        }
        let hours = ends(now, HOUR, MONTH_POINTS as Seconds);
        let tens = ends(now, RESTORED_STEP, DAY / RESTORED_STEP);
        let (mut by_hour, mut by_ten) = (Vec::new(), Vec::new());
        for tracked in engine.tracked() {
            let objective = tracked.objective();
            let fine = now.saturating_sub(DAY);
            let counted = store.past_finely(objective, 0, fine, now + 1)?;
            by_hour.push(left_at(objective, &counted, &hours));
            by_ten.push(left_at(objective, &counted, &tens));
        }
        plots.month.restore(&hours, &by_hour);
        plots.day.restore(&tens, &by_ten);
        Ok(plots)
    }

    /// Takes a point, where one is due.
    pub(crate) fn sample(&mut self, engine: &Engine) {
        let now = engine.now();
        for plot in [&mut self.day, &mut self.month] {
            if plot.is_due(now) {
                let left = engine.tracked().iter().map(|it| it.budget(now).remaining_ratio());
                plot.push(now, left);
            }
        }
    }

    /// Other objectives; for each the place that it had before.
    pub(crate) fn exchange(&mut self, before: &[Option<usize>]) {
        self.day.exchange(before);
        self.month.exchange(before);
    }

    /// The last day.
    pub(crate) fn day(&self, place: usize) -> Vec<Point> {
        self.day.of(place)
    }

    /// The last 30 days.
    pub(crate) fn month(&self, place: usize) -> Vec<Point> {
        self.month.of(place)
    }
}

/// The last seconds of so many steps that are over, the oldest first.
fn ends(now: Seconds, step: Seconds, most: Seconds) -> Vec<Seconds> {
    let this = now / step;
    (this.saturating_sub(most)..this).map(|number| (number + 1) * step - 1).collect()
}

/// What was left at each of these times, by sums of what was counted until then.
fn left_at(
    objective: &Objective,
    counted: &[(Seconds, Counts)],
    times: &[Seconds],
) -> Vec<Option<f64>> {
    let mut sums = vec![Counts::NONE];
    for (_, counts) in counted {
        let last = sums[sums.len() - 1];
        sums.push(last + *counts);
    }
    // All that began before a time.
    let before = |time: Seconds| sums[counted.partition_point(|(start, _)| *start < time)];
    let left = times.iter().map(|at| {
        let begin = (at + 1).saturating_sub(objective.window.elapsed(*at).as_secs());
        let counts = before(at + 1).since(before(begin));
        let length = objective.window.length(*at);
        let budget = objective.budget(counts, objective.target, length);
        budget.remaining_ratio().filter(|_| counts != Counts::NONE)
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use control::slo::Outbox;

    use super::{super::tests::objective, *};

    #[test]
    fn a_point_a_minute_and_a_point_an_hour() {
        let mut engine = Engine::new(vec![objective("pay")]);
        let mut plots = Plots::new(1);
        for at in 1..=2 * HOUR {
            engine.look(at);
            engine.record(0, at, &super::super::tests::tally(999, 1));
            engine.evaluate();
            plots.sample(&engine);
        }
        assert_eq!(plots.day(0).len(), 121);
        assert_eq!(plots.month(0).len(), 3);
        assert!(plots.day(0).iter().all(|(_, left)| left.abs() < 1e-6), "all of it was used");
    }

    #[test]
    fn the_hours_before_are_read_back_as_they_were() {
        let good = Counts { good: 9_990, bad: 10 };
        let counted = [(0, good), (HOUR, Counts { good: 10_000, bad: 0 })];
        let left = left_at(&objective("pay"), &counted, &[HOUR - 1, 2 * HOUR - 1, 3 * HOUR - 1]);
        assert_eq!(left, [Some(0.0), Some(0.5), Some(0.5)]);
        assert_eq!(left_at(&objective("pay"), &[], &[HOUR]), [None]);
    }

    #[test]
    fn after_a_restart_the_last_day_goes_on_by_ten_minutes_and_the_month_by_the_hour() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("slo.db")).unwrap();
        let mut engine = Engine::new(vec![objective("pay")]);
        let (start, mut plots) = (super::super::tests::START, Plots::new(1));
        for at in (start..start + 3 * DAY).step_by(10) {
            engine.look(at);
            // Worse and worse.
            let bad = (at - start) / HOUR;
            engine.record(0, at, &super::super::tests::tally(100_000 - bad, bad));
            engine.evaluate();
            plots.sample(&engine);
            if at % 600 == 0 {
                store.flush(&mut engine, &Outbox::default()).unwrap();
            }
        }
        store.flush(&mut engine, &Outbox::default()).unwrap();
        let restored = Plots::restored(&engine, &store).unwrap();
        assert_eq!((restored.day(0).len(), restored.month(0).len()), (144, 71));
        let steps = restored.day(0).windows(2).all(|pair| pair[1].0 - pair[0].0 == 600);
        assert!(steps, "{:?}", restored.day(0));
        // What was shown within the minute after.
        for (at, left) in restored.day(0) {
            let before = plots.day(0);
            let (_, shown) = *before.iter().find(|(time, _)| *time > at).unwrap();
            assert!((shown - left).abs() < 2e-3, "{left} at {at}, and {shown} was shown");
        }
    }

    #[test]
    fn points_stay_with_their_objectives() {
        let mut plot = Plot::new(60, 3, 2);
        plot.push(0, [Some(1.0), Some(2.0)].into_iter());
        plot.exchange(&[None, Some(1), Some(0)]);
        plot.push(60, [Some(5.0), None, Some(6.0)].into_iter());
        assert_eq!(plot.of(0), [(60, 5.0)]);
        assert_eq!(plot.of(1), [(0, 2.0)]);
        assert_eq!(plot.of(2), [(0, 1.0), (60, 6.0)]);
    }

    #[test]
    fn old_points_make_room() {
        let mut plot = Plot::new(60, 3, 1);
        for at in 0..5 {
            plot.push(at, [Some(at as f64)].into_iter());
        }
        assert_eq!(plot.of(0), [(2, 2.0), (3, 3.0), (4, 4.0)]);
    }
}
