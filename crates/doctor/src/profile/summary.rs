//! Flat and cumulative values by function, and the share of defer bookkeeping.

use super::{Frame, Profile, symbol};

/// The runtime's functions that keep the books of deferred calls, as of Go 1.27. Calling what was
/// deferred is not among them: `runtime.deferreturn` does not show in stacks. Names that only look
/// alike are others' (`tryDeferToSpanScan` is the garbage collector's), so the list is exact.
pub const BOOKKEEPING: &[&str] = &[
    "runtime.deferproc",
    "runtime.deferprocStack",
    "runtime.deferprocat",
    "runtime.deferconvert",
    "runtime.newdefer",
    "runtime.popDefer",
    "runtime.(*_panic).nextDefer",
    "runtime.(*_panic).start",
    "runtime.gopanic",
];

/// What a function costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The function.
    pub function: String,
    /// Its file, as the profile has it.
    pub file: String,
    /// What was counted in it alone.
    pub flat: i64,
    /// What was counted in it and in all that it calls.
    pub cumulative: i64,
}

/// Every function's costs, the largest flat value first.
#[must_use]
pub fn by_function(profile: &Profile) -> Vec<Row> {
    let mut rows: Vec<Row> = profile
        .functions
        .iter()
        .map(|function| Row {
            function: function.name.clone(),
            file: function.file.clone(),
            flat: 0,
            cumulative: 0,
        })
        .collect();
    // The sample that a function was last counted for: a recursive one counts once.
    let mut counted = vec![usize::MAX; rows.len()];
    for (number, sample) in profile.samples.iter().enumerate() {
        let value = profile.value(sample);
        if let Some(innermost) = sample.stack.first() {
            let row = &mut rows[innermost.function as usize];
            row.flat = row.flat.saturating_add(value);
        }
        for frame in &sample.stack {
            let at = frame.function as usize;
            if counted[at] != number {
                counted[at] = number;
                rows[at].cumulative = rows[at].cumulative.saturating_add(value);
            }
        }
    }
    rows.retain(|row| row.cumulative != 0);
    rows.sort_by(|a, b| {
        (b.flat, b.cumulative)
            .cmp(&(a.flat, a.cumulative))
            .then_with(|| a.function.cmp(&b.function))
    });
    rows
}

/// What was counted in defer bookkeeping: in one of [`BOOKKEEPING`], or in what the runtime calls
/// for it. Deferred functions that `gopanic` calls are not bookkeeping.
#[must_use]
pub fn bookkeeping(profile: &Profile) -> i64 {
    let is_runtime: Vec<bool> =
        profile.functions.iter().map(|it| symbol::is_runtime(&it.name)).collect();
    let keeps_books: Vec<bool> =
        profile.functions.iter().map(|it| BOOKKEEPING.contains(&it.name.as_str())).collect();
    let in_runtime = |frame: &&Frame| is_runtime[frame.function as usize];
    let mut sum = 0_i64;
    for sample in &profile.samples {
        let mut inner = sample.stack.iter().take_while(in_runtime);
        if inner.any(|frame| keeps_books[frame.function as usize]) {
            sum = sum.saturating_add(profile.value(sample));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand::seconds, *};

    #[test]
    fn bookkeeping_is_what_the_runtime_does_for_defers_and_not_what_is_deferred() {
        let profile = seconds(&[
            (
                1,
                &[
                    ("runtime.mallocgc", 0),
                    ("runtime.newdefer", 0),
                    ("runtime.deferproc", 0),
                    ("main.f", 1),
                ],
            ),
            (2, &[("runtime.(*_panic).nextDefer", 0), ("runtime.gopanic", 0), ("main.f", 1)]),
            (4, &[("main.close", 9), ("runtime.gopanic", 0), ("main.f", 1)]),
            (8, &[("runtime.tryDeferToSpanScan", 0), ("runtime.gcDrain", 0)]),
            (16, &[("main.deferproc", 9), ("main.f", 1)]),
        ]);
        assert_eq!(bookkeeping(&profile), 3);
    }

    #[test]
    fn a_recursive_function_is_counted_once_in_what_it_costs() {
        let profile = seconds(&[(5, &[("main.f", 1), ("main.f", 2), ("main.g", 3)])]);
        let rows = by_function(&profile);
        let costs: Vec<_> =
            rows.iter().map(|row| (row.function.as_str(), row.flat, row.cumulative)).collect();
        assert_eq!(costs, [("main.f", 5, 5), ("main.g", 0, 5)]);
    }
}
