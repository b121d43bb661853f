//! Profiles that tests write by hand.

use super::{
    Frame, Function, Kind, Profile, Sample, Wait,
    data::{Functions, ValueType},
};

/// Goroutines that wait, one for each stack: calls, the innermost first, each a symbol and a line of
/// `/build/pay.go`.
pub(super) fn goroutines(stacks: &[&[(&str, u32)]]) -> Profile {
    let mut functions = Functions::default();
    let mut sample = |stack: &&[(&str, u32)]| {
        let frame = |&(name, line): &(&str, u32)| {
            let function =
                Function { name: name.to_owned(), file: "/build/pay.go".to_owned(), first_line: 0 };
            Frame { function: functions.number(function), line }
        };
        let wait = Wait::For { reason: "chan receive".to_owned(), minutes: None };
        let stack = stack.iter().map(frame).collect();
        Sample { values: vec![1], stack, wait, ..Sample::default() }
    };
    let samples = stacks.iter().map(&mut sample).collect();
    let values = vec![ValueType { name: "goroutine".to_owned(), unit: "count".to_owned() }];
    let kind = Kind::Goroutine;
    Profile { kind, values, samples, functions: functions.into_list(), ..Profile::default() }
}

/// The same stacks as time on a processor, each with its nanoseconds.
pub(super) fn seconds(stacks: &[(i64, &[(&str, u32)])]) -> Profile {
    let calls: Vec<_> = stacks.iter().map(|(_, stack)| *stack).collect();
    let mut profile = goroutines(&calls);
    for (sample, (value, _)) in profile.samples.iter_mut().zip(stacks) {
        sample.values = vec![*value];
        sample.wait = Wait::Unknown;
    }
    profile.kind = Kind::Cpu;
    profile.values = vec![ValueType { name: "cpu".to_owned(), unit: "nanoseconds".to_owned() }];
    profile
}
