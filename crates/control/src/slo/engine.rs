use std::{collections::HashMap, sync::Arc, time::Duration};

use model::slo::{
    Alarm, Counts, Evidence, LONGEST_WINDOW, Objective, Origin, Seconds, Series, Tally,
};

use super::{
    composite::{Composite, CompositeStatus},
    status::Status,
    tracked::{Polled, Tracked, Unwritten, note},
};

/// A gap up to this long between two looks is none: whoever looks was only late.
const LATE: Seconds = 5;

/// An alert that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The objective, by its place.
    pub objective: usize,
    /// The alert, by its place in the objective.
    pub alert: usize,
    /// What has changed.
    pub alarm: Alarm,
    /// Since when it was so, or is.
    pub since: Seconds,
    /// When.
    pub at: Seconds,
}

/// All objectives with their counts and alerts. It takes counts, lets time pass, and says what has
/// changed; it reads no clock and writes nothing.
///
/// Time does not go back: a second before the latest counts as the latest.
#[derive(Clone, Debug)]
pub struct Engine {
    tracked: Vec<Tracked>,
    names: HashMap<Arc<str>, usize>,
    composites: Vec<Composite>,
    /// Seconds in which somebody looked (good) or did not (bad).
    looked: Series,
    unwritten_looks: Vec<(Seconds, Counts)>,
    evidence: Evidence,
    now: Seconds,
}

impl Engine {
    /// Watches these. Of several with the same name the first is watched.
    #[must_use]
    pub fn new(objectives: Vec<Objective>) -> Self {
        let mut engine = Self {
            tracked: Vec::new(),
            names: HashMap::new(),
            composites: Vec::new(),
            looked: Series::new(LONGEST_WINDOW),
            unwritten_looks: Vec::new(),
            evidence: Evidence::default(),
            now: 0,
        };
        engine.exchange(objectives);
        engine
    }

    /// Watches these from now on. One that has the name of one that was watched, and is counted in the
    /// same way, goes on where that was, with those of its alerts that are the same; any other begins
    /// anew. Returns, for each place, which place its objective had before.
    pub fn exchange(&mut self, objectives: Vec<Objective>) -> Vec<Option<usize>> {
        let mut old: Vec<_> = std::mem::take(&mut self.tracked).into_iter().map(Some).collect();
        let names = std::mem::take(&mut self.names);
        let mut before = Vec::new();
        for objective in objectives {
            let place = self.tracked.len();
            if *self.names.entry(Arc::clone(&objective.name)).or_insert(place) != place {
                continue;
            }
            let known = names.get(&objective.name).copied().filter(|known| {
                old[*known].as_ref().is_some_and(|tracked| tracked.is_followed_by(&objective))
            });
            self.tracked.push(match known.and_then(|known| old[known].take()) {
                Some(tracked) => tracked.followed_by(objective),
                None => Tracked::new(objective),
            });
            before.push(known);
        }
        self.composites = Composite::of(&self.tracked, std::mem::take(&mut self.composites));
        for composite in &self.composites {
            composite.mark(&mut self.tracked);
        }
        before
    }

    /// The alerts that an [exchange](Self::exchange) for these objectives would end while they fire, or
    /// lack data.
    #[must_use]
    pub fn ending(&self, objectives: &[Objective]) -> Vec<Event> {
        let next: HashMap<&str, &Objective> =
            objectives.iter().map(|objective| (&*objective.name, objective)).collect();
        let stays = |event: &Event| {
            let tracked = &self.tracked[event.objective];
            next.get(&*tracked.objective().name).is_some_and(|next| {
                tracked.is_followed_by(next)
                    && next.alerts.contains(&tracked.objective().alerts[event.alert])
            })
        };
        let ending = self.firing().into_iter().filter(|event| !stays(event));
        ending.map(|event| Event { alarm: event.alarm.end(), ..event }).collect()
    }

    /// Every alert that fires or lacks data, as if that had come just now.
    #[must_use]
    pub fn firing(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (objective, tracked) in self.tracked.iter().enumerate() {
            for (alert, state) in tracked.alerts().iter().enumerate() {
                let begun = [(Alarm::Fired, state.since()), (Alarm::NoData, state.no_data_since())];
                for (alarm, since) in begun {
                    let event = |since| Event { objective, alert, alarm, since, at: self.now };
                    events.extend(since.map(event));
                }
            }
        }
        events
    }

    /// The objectives, by their places.
    #[must_use]
    pub fn tracked(&self) -> &[Tracked] {
        &self.tracked
    }

    /// The place of an objective.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The latest second that it knows of.
    #[must_use]
    pub const fn now(&self) -> Seconds {
        self.now
    }

    /// How much memory all of them take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let composites = self.composites.iter().map(Composite::bytes);
        let tracked = self.tracked.iter().map(Tracked::bytes);
        self.looked.bytes() + tracked.sum::<usize>() + composites.sum::<usize>()
    }

    /// Says that somebody looked at this second, and thereby that nobody did in between.
    pub fn look(&mut self, at: Seconds) {
        let at = at.max(self.now);
        let gap = if self.now == 0 { 1 } else { at - self.now };
        let seen = if gap <= LATE {
            Counts { good: gap, bad: 0 }
        } else {
            Counts { good: 1, bad: gap - 1 }
        };
        if gap > 0 {
            self.looked.record(at, seen);
            note(&mut self.unwritten_looks, at, seen);
        }
        self.now = at;
    }

    /// Adds events of this second to the objective at this place.
    pub fn record(&mut self, place: usize, at: Seconds, events: &Tally) {
        if let Some(tracked) = self.tracked.get_mut(place) {
            tracked.record(at.max(self.now), events);
        }
    }

    /// Says that a server was asked for the objective at this place, and whether its answer tells of
    /// the time since the last poll; the events in it are [recorded](Self::record).
    pub fn poll(&mut self, place: usize, at: Seconds, polled: Polled) {
        if let Some(tracked) = self.tracked.get_mut(place) {
            tracked.poll(at.max(self.now), polled);
        }
    }

    /// Lets time pass to the latest look, and says which alerts have changed.
    pub fn evaluate(&mut self) -> Vec<Event> {
        let (now, evidence) = (self.now, self.evidence);
        for tracked in &mut self.tracked {
            tracked.advance(now);
        }
        for composite in &mut self.composites {
            composite.advance(&mut self.tracked, now);
        }
        let mut events = Vec::new();
        for (objective, tracked) in self.tracked.iter_mut().enumerate() {
            if tracked.objective().origin == Origin::Suggested {
                continue;
            }
            let ran = |window| coverage(&self.looked, window);
            for alert in 0..tracked.alerts().len() {
                let changed = tracked.look(alert, now, evidence, &ran);
                events.extend(changed.into_iter().flatten().map(|(alarm, since)| Event {
                    objective,
                    alert,
                    alarm,
                    since,
                    at: now,
                }));
            }
        }
        events
    }

    /// The share of the last so much time in which somebody looked, 0 to 1.
    #[must_use]
    pub fn coverage(&self, window: Duration) -> f64 {
        coverage(&self.looked, window)
    }

    /// How an objective stands.
    #[must_use]
    pub fn status(&self, place: usize) -> Option<Status> {
        self.tracked.get(place).map(|tracked| Status::of(tracked, self))
    }

    /// How each composite stands: each SLO of several objectives.
    #[must_use]
    pub fn composites(&self) -> Vec<CompositeStatus> {
        self.composites.iter().map(|composite| composite.status(self)).collect()
    }

    /// Keeps nothing for a store: to be called now and then where there is none.
    pub fn discard_unwritten(&mut self) {
        drop(self.take_unwritten());
    }

    pub(super) fn tracked_mut(&mut self, place: usize) -> Option<&mut Tracked> {
        self.tracked.get_mut(place)
    }

    pub(super) fn restore_look(&mut self, at: Seconds, seen: Counts) {
        self.looked.record(at, seen);
    }

    pub(super) fn restore_now(&mut self, at: Seconds) {
        self.now = self.now.max(at);
    }

    pub(super) fn composites_mut(&mut self) -> &mut [Composite] {
        &mut self.composites
    }

    pub(super) fn take_unwritten(&mut self) -> UnwrittenOfAll {
        let composites = self.composites.iter_mut();
        UnwrittenOfAll {
            looks: std::mem::take(&mut self.unwritten_looks),
            objectives: self.tracked.iter_mut().map(Tracked::take_unwritten).collect(),
            composites: composites
                .map(|composite| (composite.key(), composite.take_unwritten()))
                .collect(),
        }
    }
}

/// What came since it was last written down.
#[derive(Debug)]
pub(super) struct UnwrittenOfAll {
    pub(super) looks: Vec<(Seconds, Counts)>,
    /// By place.
    pub(super) objectives: Vec<Unwritten>,
    /// By [key](Composite::key).
    pub(super) composites: Vec<(String, Vec<(Seconds, Counts)>)>,
}

fn coverage(looked: &Series, window: Duration) -> f64 {
    looked.over(window).good as f64 / window.as_secs_f64().max(1.0)
}
