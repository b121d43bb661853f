//! What a goroutine waits for, told by its stack.
//!
//! A profile without `debug=2` does not say it. A goroutine that waits stands in `runtime.gopark`,
//! and the calls that led there are as telling as the runtime's own word.

use super::{Frame, Function, Wait, symbol};

/// The innermost calls that wait, and the runtime's word for it (`waitReasonStrings` in
/// `runtime/runtime2.go`). The first that is found on the way out counts.
const REASONS: &[(&str, &str)] = &[
    ("sync.(*Mutex).", "sync.Mutex.Lock"),
    ("internal/sync.(*Mutex).", "sync.Mutex.Lock"),
    ("sync.runtime_SemacquireRWMutexR", "sync.RWMutex.RLock"),
    ("sync.runtime_SemacquireRWMutex", "sync.RWMutex.Lock"),
    ("sync.(*RWMutex).RLock", "sync.RWMutex.RLock"),
    ("sync.(*RWMutex).Lock", "sync.RWMutex.Lock"),
    ("sync.(*WaitGroup).Wait", "sync.WaitGroup.Wait"),
    ("sync.runtime_SemacquireWaitGroup", "sync.WaitGroup.Wait"),
    ("sync.(*Cond).Wait", "sync.Cond.Wait"),
    ("sync.runtime_notifyListWait", "sync.Cond.Wait"),
    ("runtime.chanrecv", "chan receive"),
    ("runtime.chansend", "chan send"),
    ("runtime.selectgo", "select"),
    ("runtime.block", "select (no cases)"),
    ("time.Sleep", "sleep"),
    ("internal/poll.runtime_pollWait", "IO wait"),
    ("internal/poll.runtime_Semacquire", "semacquire"),
    ("sync.runtime_Semacquire", "semacquire"),
];

/// How deep the runtime's own calls are looked through.
const DEEPEST: usize = 12;

/// What a goroutine with this stack does.
pub(super) fn of_stack(functions: &[Function], stack: &[Frame]) -> Wait {
    let names = || stack.iter().map(|frame| functions[frame.function as usize].name.as_str());
    if names().next() != Some("runtime.gopark") {
        return Wait::Running;
    }
    let reason = of_calls(names()).unwrap_or("waiting").to_owned();
    Wait::For { reason, minutes: None }
}

/// What calls wait for, the innermost first.
pub(super) fn of_calls<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'static str> {
    let of_call = |name: &str| {
        REASONS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, reason)| *reason)
    };
    names.take(DEEPEST).take_while(|name| symbol::is_standard(name)).find_map(of_call)
}
