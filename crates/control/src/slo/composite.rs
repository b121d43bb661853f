//! Composites: an SLO of several objectives, each with its own indicator (OpenSLO v1, "Notes
//! (Composite SLO)").
//!
//! Where events or averages are counted, a composite is a weighted sum, and needs no memory of its
//! own. Where slices are judged, a slice that was bad for any of the objectives is bad for the
//! composite, whatever the weights; those slices are counted here, and written down.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::slo::{Budget, Counts, Method, Seconds, Series, Target, burn, composite};

use super::{
    Engine, Tracked,
    status::{BURN_WINDOWS, Burn},
    tracked::note,
};

/// Several objectives that are looked at as one.
#[derive(Clone, Debug)]
pub(super) struct Composite {
    pub(super) name: Arc<str>,
    /// The places of its objectives.
    parts: Vec<usize>,
    united: Option<United>,
}

/// Slices that were bad for any of the objectives.
#[derive(Clone, Debug)]
struct United {
    width: Duration,
    longest: Duration,
    counted: Series,
    unwritten: Vec<(Seconds, Counts)>,
}

/// How a composite stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeStatus {
    /// The SLO's name.
    pub name: Arc<str>,
    /// Its objectives, with their weights.
    pub parts: Vec<(Arc<str>, f64)>,
    /// How it is put together.
    pub kind: CompositeKind,
    /// The share of the budget that is used; above 1 when overspent. `None` without events.
    pub used_ratio: Option<f64>,
    /// How fast it burns.
    pub burns: Vec<Burn>,
}

/// How a composite is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompositeKind {
    /// What the objectives have used, and how fast they burn, times their weights.
    Sum,
    /// The slices that were bad for any, against the strictest of the targets.
    AnyBadSlice(Target),
}

impl Composite {
    /// Those of these objectives. What was counted for one before goes on where it is counted in the
    /// same way.
    pub(super) fn of(tracked: &[Tracked], before: Vec<Self>) -> Vec<Self> {
        let mut parts: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
        for (place, tracked) in tracked.iter().enumerate() {
            parts.entry(&tracked.objective().slo).or_default().push(place);
        }
        parts.retain(|_, parts| parts.len() > 1);
        let mut before: BTreeMap<_, _> =
            before.into_iter().map(|it| (Arc::clone(&it.name), it.united)).collect();
        let composites = parts.into_iter().map(|(name, parts)| {
            let known = before.remove(name).flatten();
            let united = United::of(&parts, tracked).map(|new| match known {
                Some(known) if known.width == new.width && known.longest == new.longest => known,
                _ => new,
            });
            Self { name: Arc::clone(name), parts, united }
        });
        composites.collect()
    }

    /// Has its objectives keep what it has to [take](Self::advance).
    pub(super) fn mark(&self, tracked: &mut [Tracked]) {
        for place in self.parts.iter().filter(|_| self.united.is_some()) {
            tracked[*place].keep_ended();
        }
    }

    /// Takes the slices that have ended for its objectives.
    pub(super) fn advance(&mut self, tracked: &mut [Tracked], now: Seconds) {
        let Some(united) = &mut self.united else { return };
        let mut ended: BTreeMap<Seconds, bool> = BTreeMap::new();
        for place in &self.parts {
            for (end, slice) in tracked[*place].take_ended() {
                *ended.entry(end).or_default() |= slice.bad > 0;
            }
        }
        for (end, is_bad) in ended {
            let slice = Counts { good: u64::from(!is_bad), bad: u64::from(is_bad) };
            let at = end.max(united.counted.now());
            united.counted.record(at, slice);
            note(&mut united.unwritten, at, slice);
        }
        united.counted.advance(now);
    }

    /// The name that its slices are written down by: that of no objective, as those have no tab.
    pub(super) fn key(&self) -> String {
        let width = self.united.as_ref().map_or(0, |united| united.width.as_secs());
        format!("{}\tcomposite\t{width}", self.name)
    }

    /// Whether it counts slices, and none yet.
    pub(super) fn is_empty(&self) -> bool {
        self.united.as_ref().is_some_and(|united| united.counted.total() == Counts::NONE)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.united.as_ref().map_or(0, |united| united.counted.bytes())
    }

    pub(super) fn restore(&mut self, at: Seconds, slices: Counts) {
        if let Some(united) = &mut self.united {
            united.counted.record(at, slices);
        }
    }

    pub(super) fn take_unwritten(&mut self) -> Vec<(Seconds, Counts)> {
        self.united.as_mut().map(|it| std::mem::take(&mut it.unwritten)).unwrap_or_default()
    }

    pub(super) fn status(&self, engine: &Engine) -> CompositeStatus {
        let parts: Vec<_> = self.parts.iter().map(|place| &engine.tracked()[*place]).collect();
        let now = engine.now();
        let sum = |ratio: &dyn Fn(&Tracked) -> Option<f64>| {
            composite(parts.iter().map(|part| (part.objective().weight, ratio(part))))
        };
        // There is a strictest, as there are parts.
        let targets = parts.iter().map(|part| part.objective().target);
        let united = self.united.as_ref().zip(targets.max());
        let used_ratio = match united {
            None => sum(&|part| part.budget(now).used_ratio()),
            Some((united, target)) => united.used_ratio(&parts, target, now),
        };
        let burns = BURN_WINDOWS.map(|window| Burn {
            window,
            burn: match united {
                None => sum(&|part| burn(part.over(window), part.objective().target)),
                Some((united, target)) => burn(united.counted.over(window), target),
            },
            coverage: parts
                .iter()
                .map(|part| part.polled(window).unwrap_or(engine.coverage(window)))
                .fold(1.0, f64::min),
        });
        CompositeStatus {
            name: Arc::clone(&self.name),
            parts: parts
                .iter()
                .map(|part| (Arc::clone(&part.objective().name), part.objective().weight))
                .collect(),
            kind: united.map_or(CompositeKind::Sum, |it| CompositeKind::AnyBadSlice(it.1)),
            used_ratio,
            burns: burns.to_vec(),
        }
    }
}

impl United {
    /// Where slices are judged.
    fn of(parts: &[usize], tracked: &[Tracked]) -> Option<Self> {
        let parts = || parts.iter().map(|place| &tracked[*place]);
        let width = match parts().next()?.objective().method {
            Method::Timeslices { width, .. } => width,
            Method::Occurrences | Method::RatioTimeslices { .. } => return None,
        };
        let longest = parts().map(Tracked::longest).max().unwrap_or_default();
        let counted = Series::new(longest);
        Some(Self { width, longest, counted, unwritten: Vec::new() })
    }

    fn used_ratio(&self, parts: &[&Tracked], target: Target, now: Seconds) -> Option<f64> {
        // All objectives of an SLO have its window.
        let window = &parts.first()?.objective().window;
        let counts = self.counted.over(window.elapsed(now));
        if counts == Counts::NONE {
            return None;
        }
        Budget::of_slices(counts, self.width, window.length(now), target).used_ratio()
    }
}

impl CompositeStatus {
    /// The share of the budget that is left; negative when overspent.
    #[must_use]
    pub fn remaining_ratio(&self) -> Option<f64> {
        self.used_ratio.map(|used| 1.0 - used)
    }
}
