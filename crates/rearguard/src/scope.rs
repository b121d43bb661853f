use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::Outcome;

type Cleanup<'a> = Box<dyn FnOnce(Outcome) + 'a>;

/// Keeps what must be undone, and runs it, newest first, when the scope ends.
///
/// A scope ends in one of two ways: [`Scope::end`] says how the work went, or the scope is
/// dropped, which is a cancellation. Either way every cleanup runs exactly once, and one that
/// panics does not keep the others from running.
///
/// ```
/// use rearguard::{Outcome, Scope};
/// use std::cell::RefCell;
///
/// let seen = RefCell::new(Vec::new());
/// let mut scope = Scope::new();
/// scope.defer(|outcome| seen.borrow_mut().push(("opened first", outcome)));
/// scope.defer(|outcome| seen.borrow_mut().push(("opened last", outcome)));
/// let report = scope.end(Outcome::Succeeded);
/// assert!(report.panics.is_empty());
/// assert_eq!(
///     *seen.borrow(),
///     [("opened last", Outcome::Succeeded), ("opened first", Outcome::Succeeded)],
/// );
/// ```
///
/// Not covered: `panic = "abort"`, `process::exit`, SIGKILL and `mem::forget` run nothing.
#[must_use = "a scope that is dropped at once runs its cleanups at once"]
#[derive(Default)]
pub struct Scope<'a> {
    cleanups: Vec<Cleanup<'a>>,
}

/// What ending a scope brought to light beside its outcome.
#[derive(Debug)]
pub struct Report {
    /// How the scope ended, frozen before the first cleanup ran.
    pub outcome: Outcome,
    /// How many cleanups ran.
    pub cleanups: usize,
    /// The panics of cleanups, in the order in which they happened.
    pub panics: Vec<CleanupPanic>,
}

/// A cleanup panicked; the others ran all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupPanic {
    /// The panic's message, or a placeholder where its payload was not text.
    pub message: String,
}

impl<'a> Scope<'a> {
    /// A scope with nothing to undo yet; allocates nothing.
    pub const fn new() -> Self {
        Self { cleanups: Vec::new() }
    }

    /// Registers a cleanup, to be run once with the scope's outcome.
    pub fn defer(&mut self, cleanup: impl FnOnce(Outcome) + 'a) {
        self.cleanups.push(Box::new(cleanup));
    }

    /// Ends the scope: runs every cleanup, newest first, and says what went wrong in them.
    pub fn end(mut self, outcome: Outcome) -> Report {
        self.run(outcome)
    }

    fn run(&mut self, outcome: Outcome) -> Report {
        let mut report = Report { outcome, cleanups: 0, panics: Vec::new() };
        while let Some(cleanup) = self.cleanups.pop() {
            report.cleanups += 1;
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| cleanup(outcome))) {
                report.panics.push(CleanupPanic { message: contain(payload) });
            }
        }
        report
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        // After `end` nothing is left, so this is the way out of a dropped future or an unwind.
        if !self.cleanups.is_empty() {
            drop(self.run(Outcome::Cancelled));
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("cleanups", &self.cleanups.len()).finish()
    }
}

/// The message of a panic. Dropping a payload may itself panic, which is contained here.
fn contain(payload: Box<dyn Any + Send>) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is not text".to_owned());
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // The payload's drop panicked with a payload of its own, which may do the same.
        std::mem::forget(second);
    }
    message
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn cleanups_run_newest_first_whatever_their_number() {
        for count in [0, 1, 8, 9, 1000] {
            let seen = RefCell::new(Vec::new());
            let mut scope = Scope::new();
            for index in 0..count {
                let seen = &seen;
                scope.defer(move |_| seen.borrow_mut().push(index));
            }
            assert_eq!(scope.end(Outcome::Succeeded).cleanups, count);
            assert_eq!(*seen.borrow(), (0..count).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_dropped_scope_was_cancelled() {
        let seen = Cell::new(None);
        let mut scope = Scope::new();
        scope.defer(|outcome| seen.set(Some(outcome)));
        drop(scope);
        assert_eq!(seen.get(), Some(Outcome::Cancelled));
    }

    #[test]
    fn an_unwinding_body_still_runs_its_cleanups() {
        let ran = Cell::new(false);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut scope = Scope::new();
            scope.defer(|_| ran.set(true));
            panic!("in the body");
        }));
        assert!(result.is_err());
        assert!(ran.get());
    }

    #[test]
    fn a_panicking_cleanup_does_not_keep_the_others_from_running() {
        let ran = Cell::new(0);
        let mut scope = Scope::new();
        scope.defer(|_| ran.set(ran.get() + 1));
        scope.defer(|_| panic!("first to run"));
        scope.defer(|_| ran.set(ran.get() + 1));
        let report = scope.end(Outcome::Failed);
        assert_eq!(ran.get(), 2);
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(report.panics, [CleanupPanic { message: "first to run".to_owned() }]);
    }

    #[test]
    fn a_payload_whose_drop_panics_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    panic!("in the payload's drop");
                }
            }
        }
        let ran = Cell::new(false);
        let mut scope = Scope::new();
        scope.defer(|_| ran.set(true));
        scope.defer(|_| std::panic::panic_any(Bomb));
        assert_eq!(scope.end(Outcome::Succeeded).panics.len(), 1);
        assert!(ran.get());
    }
}
