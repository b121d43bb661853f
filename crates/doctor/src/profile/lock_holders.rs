//! Who holds the lock that others wait for.
//!
//! A goroutine profile does not name locks. The source does: a goroutine in `(*Mutex).Lock` waits
//! for what is locked on its caller's line, and a goroutine that stands after a `Lock` of the same
//! field, before its `Unlock`, holds it. Two values of one type have the same field, so with several
//! holders each is a candidate.

use std::collections::HashMap;

use super::{
    Frame, Place, Sample, Wait,
    blocked::UNSAID,
    join::{Join, Site},
    symbol,
};

/// A lock that goroutines wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContendedLock {
    /// Which: a field of a type, a variable of a package, or one of a function.
    pub lock: String,
    /// How many goroutines wait for it.
    pub waiters: i64,
    /// Where they wait, the most first.
    pub waiting: Vec<(Place, i64)>,
    /// Who holds it, goroutines that wait for something else first.
    pub holders: Vec<Holder>,
}

/// Goroutines that hold a lock, by what the source says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The function and the line on which it took the lock.
    pub taken: Place,
    /// Where it stands now, in the function that took it.
    pub stands: Place,
    /// Where it waits, innermost.
    pub waits: Option<Place>,
    /// What it waits for; none where it runs.
    pub reason: Option<String>,
    /// The deferred call that it runs, where it does.
    pub cleanup: Option<Site>,
    /// How many goroutines stand there.
    pub goroutines: i64,
}

#[derive(Debug, Default)]
struct Waiters {
    places: HashMap<Place, i64>,
    holders: HashMap<Holder, i64>,
}

/// The locks that goroutines wait for, the most waited for first.
pub(super) fn contended(join: &mut Join<'_>) -> Vec<ContendedLock> {
    let mut locks: HashMap<String, Waiters> = HashMap::new();
    let profile = join.profile;
    for sample in profile.samples.iter().filter(|sample| sample.wait != Wait::Running) {
        let Some((key, frame)) = awaited(join, &sample.stack) else { continue };
        let place = Place::of(join, frame);
        *locks.entry(key).or_default().places.entry(place).or_default() += profile.value(sample);
    }
    for sample in &profile.samples {
        for (key, holder) in holds(join, sample) {
            let Some(waiters) = locks.get_mut(&key) else { continue };
            *waiters.holders.entry(holder).or_default() += profile.value(sample);
        }
    }
    let mut list: Vec<_> = locks.into_iter().map(|(lock, waiters)| shown(lock, waiters)).collect();
    list.sort_by(|a, b| b.waiters.cmp(&a.waiters).then_with(|| a.lock.cmp(&b.lock)));
    list
}

fn shown(lock: String, waiters: Waiters) -> ContendedLock {
    let mut waiting: Vec<_> = waiters.places.into_iter().collect();
    waiting.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let holders = waiters.holders.into_iter();
    let mut holders: Vec<_> =
        holders.map(|(holder, goroutines)| Holder { goroutines, ..holder }).collect();
    holders.sort_by(|a, b| {
        let order = |it: &Holder| (it.reason.is_none(), std::cmp::Reverse(it.goroutines));
        order(a).cmp(&order(b)).then_with(|| (&a.stands, &a.waits).cmp(&(&b.stands, &b.waits)))
    });
    let waiters = waiting.iter().fold(0_i64, |sum, (_, count)| sum.saturating_add(*count));
    ContendedLock { lock, waiters, waiting, holders }
}

/// The lock that a stack waits for, and the frame that asked for it.
fn awaited(join: &mut Join<'_>, stack: &[Frame]) -> Option<(String, Frame)> {
    // The calls that lock are the innermost ones, all of the standard library.
    let inner = stack.iter().take_while(|frame| symbol::is_standard(join.symbol(**frame))).count();
    let lock = stack[..inner].iter().rposition(|frame| is_lock(join.symbol(*frame)))?;
    let caller = *stack.get(lock + 1)?;
    let found = join.found(caller);
    let lock = found.and_then(|found| found.function.lock_taken_on(caller.line));
    let key = match lock {
        Some(lock) => lock.key.clone(),
        None => format!("that is taken in {}", Place::of(join, caller)),
    };
    Some((key, caller))
}

fn is_lock(name: &str) -> bool {
    ["sync.(*Mutex).Lock", "sync.(*RWMutex).Lock", "sync.(*RWMutex).RLock"].contains(&name)
}

/// The locks that a goroutine holds, without the one that it waits for in the same function.
fn holds(join: &mut Join<'_>, sample: &Sample) -> Vec<(String, Holder)> {
    let mut held = Vec::new();
    let stack = &sample.stack;
    for (at, frame) in stack.iter().enumerate() {
        let Some(found) = join.found(*frame) else { continue };
        if found.function.locks.is_empty() {
            continue;
        }
        let call = at.checked_sub(1).and_then(|inner| join.deferred_at(stack, inner));
        let running = call.and_then(|call| call.site);
        let line = running.as_ref().map(|site| site.line);
        for lock in found.function.held_at(frame.line, line) {
            let stands = Place::of(join, *frame);
            let reason = match &sample.wait {
                Wait::Running => None,
                Wait::For { reason, .. } => Some(reason.clone()),
                Wait::Unknown => Some(UNSAID.to_owned()),
            };
            let holder = Holder {
                taken: Place { line: lock.line, ..stands.clone() },
                stands,
                waits: Place::innermost(join, stack),
                reason,
                cleanup: running.clone(),
                goroutines: 0,
            };
            held.push((lock.key.clone(), holder));
        }
    }
    held
}
