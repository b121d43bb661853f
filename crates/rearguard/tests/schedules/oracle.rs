//! What must be true when everything is gone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rearguard::Outcome;

use crate::{
    program::{Fate, Threads},
    world::{Record, State, Summary, What, World, lock},
};

/// What was wrong.
pub(crate) fn judge(world: &World, reports: &[Summary], threads: Threads) -> Vec<String> {
    let mut wrong = std::mem::take(&mut *lock(&world.wrong));
    let records = std::mem::take(&mut *lock(&world.records));
    for record in &records {
        if let Err(what) = once(record) {
            wrong.push(format!("{what}: {record:?}"));
        }
    }
    wrong.extend(finished_or_told(&records, reports));
    wrong.extend(outcomes(&records, reports));
    wrong.extend(after_the_body(world, &records));
    wrong.extend(counts(&records, reports));
    if threads == Threads::One {
        wrong.extend(newest_first(&records));
    }
    wrong
}

/// Nothing happens twice, and every capture is dropped.
fn once(record: &Record) -> Result<(), &'static str> {
    let state = record.state();
    if matches!(record.what, What::Adopted(_)) {
        return Ok(());
    }
    if state.made.len() > 1 || state.begun.len() > 1 || state.ended.len() > 1 {
        return Err("it ran more than once");
    }
    if state.dropped.len() != 1 {
        return Err("its capture was not dropped exactly once");
    }
    if state.disarmed && !(state.begun.is_empty() && state.made.is_empty()) {
        return Err("it was disarmed, and ran");
    }
    if state.values.0 != state.values.1 {
        return Err("what it held was not dropped exactly once");
    }
    Ok(())
}

/// How often something may stand in reports as unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected {
    least: usize,
    most: usize,
}

/// Whether a record must, or may, stand in a report as unfinished.
fn expected(record: &Record, state: &State, outcomes: &HashSet<Outcome>) -> Expected {
    let ran = !state.ended.is_empty();
    let exactly = |count| Expected { least: count, most: count };
    match record.what {
        What::Cleanup(_) if ran || state.disarmed => exactly(0),
        What::Cleanup(kind) => {
            // A scope that took in an acquisition half way tells of that one as well, by its name.
            let applied = outcomes.iter().filter(|outcome| kind.applies(**outcome)).count();
            Expected {
                least: usize::from(applied == outcomes.len() && applied > 0),
                most: usize::from(applied > 0),
            }
        }
        What::Held(Fate::Taken) => Expected { least: 0, most: 1 },
        What::Held(_) if ran => exactly(0),
        What::Held(_) => exactly(1),
        // The getting, the wait for it and the release have one place.
        What::Acquired(_) => {
            let owed = state.values.0 > 0 && !ran && !state.lent;
            Expected { least: usize::from(owed), most: 2 }
        }
        What::Adopted(_) => Expected { least: 0, most: 1 },
        What::Task => Expected { least: 0, most: 1 },
    }
}

/// The promise: it ran to its end, or a report says that it did not. Records of one scope and one
/// line are counted together.
fn finished_or_told(records: &[Arc<Record>], reports: &[Summary]) -> Vec<String> {
    let mut outcomes: HashMap<usize, HashSet<Outcome>> = HashMap::new();
    let mut told: HashMap<(usize, u32), usize> = HashMap::new();
    for report in reports {
        if report.outcome != Outcome::Lost {
            outcomes.entry(report.scope).or_default().insert(report.outcome);
        }
        for (line, _) in &report.unfinished {
            *told.entry((report.scope, *line)).or_default() += 1;
        }
    }
    let none = HashSet::new();
    let mut sums: HashMap<(usize, u32), Expected> = HashMap::new();
    for record in records {
        let state = record.state();
        let of = outcomes.get(&state.scope).unwrap_or(&none);
        let one = expected(record, &state, of);
        let sum = sums.entry((state.scope, state.line)).or_default();
        (sum.least, sum.most) = (sum.least + one.least, sum.most + one.most);
    }
    let mut wrong = Vec::new();
    for (place, sum) in &sums {
        let told = told.remove(place).unwrap_or(0);
        if told < sum.least || told > sum.most {
            let of: Vec<_> = records
                .iter()
                .filter(|record| {
                    let state = record.state();
                    (state.scope, state.line) == *place
                })
                .collect();
            wrong.push(format!("{told} told as unfinished, expected {sum:?}: {of:#?}"));
        }
    }
    wrong.extend(told.into_keys().map(|place| format!("{place:?} is unfinished, and unknown")));
    wrong
}

/// A cleanup sees the outcome that a report of its scope has.
fn outcomes(records: &[Arc<Record>], reports: &[Summary]) -> Vec<String> {
    let mut wrong = Vec::new();
    for record in records {
        let state = record.state();
        let Some(seen) = state.outcome else { continue };
        let told = reports.iter().any(|one| one.scope == state.scope && one.outcome == seen);
        if !told {
            wrong.push(format!("it saw {seen}, which no report of its scope has: {record:?}"));
        }
    }
    wrong
}

/// Locals of a body are dropped before its scope's cleanups begin.
fn after_the_body(world: &World, records: &[Arc<Record>]) -> Vec<String> {
    let scopes = lock(&world.scopes);
    let mut wrong = Vec::new();
    for record in records.iter().filter(|record| !matches!(record.what, What::Task)) {
        let state = record.state();
        let (Some(begun), false) = (state.begun.first(), state.early) else { continue };
        let gone = scopes.get(state.scope).and_then(|scope| lock(&scope.state).body_gone);
        if gone.is_some_and(|gone| gone > *begun) && !record_is_apart(record) {
            wrong.push(format!("it began before the body was gone: {record:?}"));
        }
    }
    wrong
}

/// An acquisition that was dropped half way is released by itself.
fn record_is_apart(record: &Record) -> bool {
    matches!(record.what, What::Acquired(_))
}

/// What ran was counted.
fn counts(records: &[Arc<Record>], reports: &[Summary]) -> Vec<String> {
    let mut ran: HashMap<usize, usize> = HashMap::new();
    for record in records.iter().filter(|record| !matches!(record.what, What::Task)) {
        let state = record.state();
        if !state.ended.is_empty() {
            *ran.entry(state.scope).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for (scope, ran) in ran {
        let told: usize =
            reports.iter().filter(|one| one.scope == scope).map(|one| one.cleanups).sum();
        if told < ran {
            wrong.push(format!("scope {scope}: {ran} cleanups ran, and {told} were told of"));
        }
    }
    wrong
}

/// Of two that were registered before the older one began, the newer one begins first.
fn newest_first(records: &[Arc<Record>]) -> Vec<String> {
    let plain: Vec<_> = records
        .iter()
        .filter(|record| matches!(record.what, What::Cleanup(_)) && record.is_plain())
        .filter_map(|record| {
            let state = record.state();
            Some((state.scope, state.registered, *state.begun.first()?, record))
        })
        .collect();
    let mut wrong = Vec::new();
    for (scope, registered, begun, older) in &plain {
        for (other, later, other_begun, newer) in &plain {
            if scope == other && later > registered && later < begun && other_begun > begun {
                wrong.push(format!("the older ran first: {older:?}\nthe newer: {newer:?}"));
            }
        }
    }
    wrong
}
