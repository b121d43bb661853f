//! What was left of each budget over time, for plots.

use std::collections::VecDeque;

use control::slo::{Engine, Store, StoreError};
use model::slo::{Counts, Objective, Seconds};

const HOUR: Seconds = 3_600;

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

    /// With the hours that were written down. The minutes of the last day are not: they are read
    /// from the hours.
    pub(crate) fn restored(engine: &Engine, store: &Store) -> Result<Self, StoreError> {
        let mut plots = Self::new(engine.tracked().len());
        let now = engine.now();
        if now == 0 {
            return Ok(plots);
        }
        let this_hour = now / HOUR;
        let first = this_hour.saturating_sub(MONTH_POINTS as Seconds - 1);
        let ends: Vec<Seconds> = (first..this_hour).map(|hour| (hour + 1) * HOUR - 1).collect();
        let mut left = Vec::new();
        for tracked in engine.tracked() {
            let objective = tracked.objective();
            left.push(left_at(objective, &store.past(&objective.name, 0, now + 1)?, &ends));
        }
        for (index, end) in ends.iter().enumerate() {
            let of_all = || left.iter().map(|points| points[index]);
            // Before anything was counted there is nothing to show.
            if plots.month.times.is_empty() && of_all().all(|left| left.is_none()) {
                continue;
            }
            plots.month.push(*end, of_all());
            if now - end <= 24 * HOUR {
                plots.day.push(*end, of_all());
            }
        }
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
