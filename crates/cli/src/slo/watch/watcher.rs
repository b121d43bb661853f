//! What is watched, as it stands. It reads no clock, and sends nothing.

use std::{collections::HashMap, sync::Arc};

use control::slo::{
    Engine, Event, LetterState, Notice, Outbox, Polled, REPEAT_INTERVAL, Receiver, Store,
    StoreError,
};
use model::slo::{Counts, Indicator, Objective, Seconds, Tally};

use super::{
    plots::Plots,
    standing::{ObjectiveStanding, Standing},
};

/// The engine with those who are told, and where it is written down.
#[derive(Debug)]
pub(crate) struct Watcher {
    engine: Engine,
    outbox: Outbox,
    plots: Plots,
    receivers: Vec<Receiver>,
    /// Where people see more.
    page: String,
    store: Option<Store>,
    /// The objective of each of the gateway's tallies, by its place in the engine.
    places: Vec<usize>,
    /// The gateway's tallies when they were looked at last.
    seen: Vec<Tally>,
    flushed: Seconds,
    /// When those who forget were told again.
    repeated: Seconds,
    /// The last complaint of the store, if it does not write.
    trouble: Option<String>,
    /// How often other objectives have come: places are others then.
    exchanges: u64,
}

impl Watcher {
    /// With what was written down before. `places` are the objectives that requests are counted for.
    pub(crate) fn new(
        mut engine: Engine,
        places: Vec<usize>,
        receivers: Vec<Receiver>,
        page: String,
        store: Option<Store>,
    ) -> Result<Self, StoreError> {
        let (mut outbox, mut plots) = (Outbox::default(), Plots::new(engine.tracked().len()));
        if let Some(store) = &store {
            store.load(&mut engine)?;
            outbox = store.outbox()?;
            plots = Plots::restored(&engine, store)?;
        }
        Ok(Self {
            seen: vec![Tally::default(); places.len()],
            flushed: engine.now(),
            repeated: engine.now(),
            trouble: None,
            exchanges: 0,
            engine,
            outbox,
            plots,
            receivers,
            page,
            store,
            places,
        })
    }

    /// The latest second that it knows of.
    pub(crate) const fn now(&self) -> Seconds {
        self.engine.now()
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Looks at the gateway's tallies, which only grow, and at every alert.
    pub(crate) fn tick(&mut self, at: Seconds, tallies: Vec<Tally>) {
        self.engine.look(at);
        for (place, (seen, now)) in self.places.iter().zip(self.seen.iter().zip(&tallies)) {
            if now != seen {
                self.engine.record(*place, at, &difference(now, seen));
            }
        }
        self.seen = tallies;
        self.evaluate();
    }

    /// Takes what a server answered, or that it did not.
    pub(crate) fn poll(&mut self, place: usize, at: Seconds, answer: Option<Counts>) {
        let polled = if answer.is_some() { Polled::Known } else { Polled::Missing };
        self.engine.poll(place, at, polled);
        if let Some(counts) = answer {
            let mut events = Tally { good: counts.good, ..Tally::default() };
            events.bad[Tally::place(None)] = counts.bad;
            self.engine.record(place, at, &events);
        }
    }

    fn evaluate(&mut self) {
        let events = self.engine.evaluate();
        for event in &events {
            self.tell(event, |_| true);
        }
        self.repeat();
        self.plots.sample(&self.engine);
        let is_due = self.engine.now() >= self.flushed + control::slo::FLUSH_INTERVAL.as_secs();
        // An alert is written down before anybody is told of it: none is told twice.
        if is_due || !events.is_empty() {
            self.flush();
        }
    }

    /// Has receivers that forget told again of what still fires.
    fn repeat(&mut self) {
        let now = self.engine.now();
        let forgets = |receiver: &Receiver| receiver.format.forgets();
        if !self.receivers.iter().any(forgets) || now < self.repeated + REPEAT_INTERVAL.as_secs() {
            return;
        }
        self.repeated = now;
        for event in self.engine.firing() {
            self.tell(&event, forgets);
        }
    }

    /// Has these receivers told.
    fn tell(&mut self, event: &Event, whom: impl Fn(&Receiver) -> bool) {
        let notice = Notice::of(&self.engine, event).filter(Notice::is_wanted);
        let Some(notice) = notice else { return };
        let state = LetterState::from(event.alarm);
        for receiver in self.receivers.iter().filter(|receiver| whom(receiver)) {
            let body = receiver.body(&notice, &self.page);
            self.outbox.push(&notice.key(), state, receiver, body, event.at);
        }
    }

    /// Watches these objectives from now on, whose tallies the gateway has from now on. Those that
    /// were watched go on. An alert that goes while it fires is told to be over.
    ///
    /// # Errors
    /// Where the store has no part in it: everything is watched all the same, and what it did not
    /// give begins anew.
    pub(crate) fn exchange(
        &mut self,
        objectives: Vec<Objective>,
        places: Vec<usize>,
    ) -> Result<(), StoreError> {
        let ending = self.engine.ending(&objectives);
        for event in &ending {
            self.tell(event, |_| true);
        }
        self.flush();
        let mut stored = Ok(());
        if let Some(store) = &mut self.store {
            let mut ended = ending.iter().map(|event| &self.engine.tracked()[event.objective]);
            stored = ended.try_for_each(|tracked| store.end_alerts(tracked.objective()));
        }
        let seen = self.seen_by_name();
        let before = self.engine.exchange(objectives);
        let next = places.iter().map(|place| self.engine.tracked()[*place].objective());
        let next = next.map(|objective| {
            let known = seen.get(&objective.name).filter(|it| counts_the_same(&it.0, objective));
            known.map(|(_, seen)| seen.clone()).unwrap_or_default()
        });
        self.seen = next.collect();
        self.places = places;
        self.plots.exchange(&before);
        if let Some(store) = &self.store {
            let mut new = (0..before.len()).filter(|place| before[*place].is_none());
            let loaded = new.try_for_each(|place| store.load_objective(&mut self.engine, place));
            stored = stored.and(loaded).and_then(|()| store.load_composites(&mut self.engine));
        }
        self.exchanges += 1;
        self.flush();
        stored
    }

    /// What was seen of the gateway's tallies, with the objective of each.
    fn seen_by_name(&self) -> HashMap<Arc<str>, (Objective, Tally)> {
        let objectives = self.places.iter().map(|place| self.engine.tracked()[*place].objective());
        let seen = objectives.zip(&self.seen);
        seen.map(|(it, seen)| (Arc::clone(&it.name), (it.clone(), seen.clone()))).collect()
    }

    /// How often other objectives have come.
    pub(crate) const fn exchanges(&self) -> u64 {
        self.exchanges
    }

    /// Writes down what came since the last time, where there is a store.
    pub(crate) fn flush(&mut self) {
        self.flushed = self.engine.now();
        let Some(store) = &mut self.store else {
            self.engine.discard_unwritten();
            return;
        };
        let written = store.flush(&mut self.engine, &self.outbox);
        self.trouble = written.err().map(|error| error.to_string());
    }

    /// Why budgets are not written down, where they should be.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(crate) const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// A receiver has taken a letter. It is struck off at once, so that no death of the process has it
    /// sent again.
    pub(crate) fn delivered(&mut self, number: u64) {
        self.outbox.delivered(number);
        self.flush();
    }

    /// How everything stands.
    pub(crate) fn standing(&self) -> Standing {
        let objectives = self.engine.tracked().iter().enumerate().filter_map(|(place, tracked)| {
            Some(ObjectiveStanding {
                status: self.engine.status(place)?,
                length: tracked.objective().window.length(self.engine.now()),
                day: self.plots.day(place),
                month: self.plots.month(place),
                observed_p99: None,
            })
        });
        Standing {
            now: self.engine.now(),
            objectives: objectives.collect(),
            composites: self.engine.composites(),
            waiting: self.outbox.waiting().cloned().collect(),
            dead: self.outbox.dead().cloned().collect(),
            died: self.outbox.died(),
            is_written: self.store.is_some(),
            trouble: self.trouble.clone(),
        }
    }
}

/// Whether the gateway goes on counting for the first where it is asked for the second.
fn counts_the_same(one: &Objective, other: &Objective) -> bool {
    let is_same_rule = match (&one.indicator, &other.indicator) {
        (Indicator::Requests(one), Indicator::Requests(other)) => one == other,
        _ => false,
    };
    is_same_rule && one.name == other.name && one.service == other.service
}

fn difference(now: &Tally, seen: &Tally) -> Tally {
    let mut events = Tally { good: now.good.saturating_sub(seen.good), ..Tally::default() };
    for (more, (now, seen)) in events.bad.iter_mut().zip(now.bad.iter().zip(seen.bad.iter())) {
        *more = now.saturating_sub(*seen);
    }
    events
}
