//! Which kind of profile it is, and which of its values to show: `profile.proto` names neither.

use super::{Function, Kind, Sample, data::ValueType};

/// The kind, told by the names of the values as Go's `runtime/pprof` writes them.
///
/// Mutex and block profiles have the same values. Who holds a lock up is sampled as it gives the
/// lock back, so the innermost call tells them apart.
pub(super) fn guess_kind(values: &[ValueType], functions: &[Function], samples: &[Sample]) -> Kind {
    let has = |name: &str| values.iter().any(|value| value.name == name);
    if has("cpu") {
        Kind::Cpu
    } else if has("goroutineleak") {
        Kind::GoroutineLeak
    } else if has("goroutine") || has("goroutines") {
        Kind::Goroutine
    } else if has("inuse_space") || has("alloc_space") {
        Kind::Heap
    } else if has("contentions") {
        let innermost = |sample: &Sample| {
            sample.stack.first().map(|frame| functions[frame.function as usize].name.as_str())
        };
        let unlocks = |name: &str| name.contains("nlock");
        match samples.first().and_then(innermost) {
            Some(name) if unlocks(name) => Kind::Mutex,
            Some(_) => Kind::Block,
            None => Kind::Other,
        }
    } else {
        Kind::Other
    }
}

/// The value that the profile asks for, else the last: what `go tool pprof` shows.
pub(super) fn shown_value(values: &[ValueType], asked: &str) -> usize {
    let found = values.iter().position(|value| value.name == asked);
    found.unwrap_or(values.len().saturating_sub(1))
}
