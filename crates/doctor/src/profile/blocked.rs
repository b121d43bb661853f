//! Goroutines that wait, gathered by where and why, and which of them wait in a deferred call.

use std::collections::HashMap;

use super::{
    Place, Sample, Wait,
    handler::{handler, served},
    join::{Join, Site},
    symbol,
};

/// What a goroutine waits for where the dump does not say it.
pub const UNSAID: &str = "not said";

/// Goroutines that wait at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// How many.
    pub goroutines: i64,
    /// What for, in the runtime's words; [`UNSAID`] where the dump does not say it (`debug=1`).
    pub reason: String,
    /// For how long the longest of them has waited at least, in minutes, where that is said.
    pub minutes: Option<u64>,
    /// Where.
    pub place: Place,
    /// The handler or, for a goroutine that serves nobody, its outermost function.
    pub handler: String,
    /// Whether the handler serves a request.
    pub serves: bool,
    /// The deferred call that they wait in; of several within each other, the innermost.
    pub cleanup: Option<CleanupCall>,
    /// The labels of the longest waiting one.
    pub labels: Vec<(String, String)>,
}

/// A deferred call that goroutines wait in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CleanupCall {
    /// The function that was deferred.
    pub callee: String,
    /// The `defer` statement, where the source has it.
    pub site: Option<Site>,
    /// The function that defers, and the line on which it ends.
    pub caller: Place,
    /// Whether a panic runs it.
    pub by_panic: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    reason: String,
    handler: String,
    serves: bool,
    cleanup: Option<CleanupCall>,
}

#[derive(Debug, Default)]
struct Waiting {
    goroutines: i64,
    minutes: Option<u64>,
    labels: Vec<(String, String)>,
}

/// Every goroutine that waits: those in cleanup first, then the most.
pub(super) fn blocked(join: &mut Join<'_>) -> Vec<Blocked> {
    let mut groups: HashMap<Key, Waiting> = HashMap::new();
    for sample in &join.profile.samples {
        let Some((key, minutes)) = key(join, sample) else { continue };
        let group = groups.entry(key).or_default();
        group.goroutines = group.goroutines.saturating_add(join.profile.value(sample));
        if group.goroutines == 1 || minutes > group.minutes {
            group.labels.clone_from(&sample.labels);
        }
        group.minutes = group.minutes.max(minutes);
    }
    let mut list: Vec<Blocked> = groups
        .into_iter()
        .map(|(key, waiting)| Blocked {
            goroutines: waiting.goroutines,
            reason: key.reason,
            minutes: waiting.minutes,
            place: key.place,
            handler: key.handler,
            serves: key.serves,
            cleanup: key.cleanup,
            labels: waiting.labels,
        })
        .collect();
    list.sort_by(|a, b| {
        let order = |it: &Blocked| (it.cleanup.is_none(), std::cmp::Reverse(it.goroutines));
        order(a)
            .cmp(&order(b))
            .then_with(|| (&a.place, &a.reason, &a.handler).cmp(&(&b.place, &b.reason, &b.handler)))
    });
    list
}

fn key(join: &mut Join<'_>, sample: &Sample) -> Option<(Key, Option<u64>)> {
    let stack = &sample.stack;
    let (reason, minutes) = match &sample.wait {
        Wait::Running => return None,
        Wait::For { reason, minutes } => (reason.clone(), *minutes),
        Wait::Unknown => (reason_without_state(join, sample)?, None),
    };
    let place = Place::innermost(join, stack)?;
    let served = served(join, stack);
    let handler = served.or_else(|| handler(join, stack));
    let name = symbol::short(join.symbol(stack[handler.unwrap_or(stack.len() - 1)])).to_owned();
    let cleanup =
        join.innermost_deferred(stack, handler.unwrap_or(stack.len())).map(|call| CleanupCall {
            callee: symbol::short(join.symbol(stack[call.at])).to_owned(),
            site: call.site,
            caller: Place::of(join, stack[call.at + 1]),
            by_panic: call.by_panic,
        });
    Some((Key { place, reason, handler: name, serves: served.is_some(), cleanup }, minutes))
}

/// `debug=1` leaves the state out, and the runtime's own calls. Whoever writes the dump does not
/// wait, and of the others nearly all do.
fn reason_without_state(join: &Join<'_>, sample: &Sample) -> Option<String> {
    let names = || sample.stack.iter().map(|frame| join.symbol(*frame));
    let writes = names().any(|name| name.starts_with("runtime/pprof."));
    (!writes).then(|| super::wait::of_calls(names()).unwrap_or(UNSAID).to_owned())
}
