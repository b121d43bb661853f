use std::{fmt, panic::Location};

use super::{
    ended::{End, Ended},
    observer,
    panic::Panic,
    report::{CleanupFailure, Report, Times},
    result::{ErrorText, ScopeResult},
};
use crate::Outcome;

/// How a scope is ending, as its cleanups see it and may change it. It is lent to what
/// [`Scope::defer_with`](crate::Scope::defer_with) and [`Scope::hold`](crate::Scope::hold) register.
///
/// ```
/// use rearguard::{Outcome, scope};
///
/// let result = scope(|s| -> Result<u32, String> {
///     s.defer_with(|exit| {
///         // The outcome is the body's, whatever became of it since.
///         assert_eq!(exit.outcome(), Outcome::Panicked);
///         assert!(exit.panic().is_none());
///         assert_eq!(exit.result(), Some(&mut Ok(0)));
///     });
///     s.defer_with(|exit| {
///         assert!(exit.panic().is_some_and(|panic| panic.message() == "out of range"));
///         exit.recover(|_| Ok(0));
///     });
///     panic!("out of range");
/// });
/// assert_eq!(result, Ok(0));
/// ```
pub struct Exit<R: ScopeResult> {
    pub(crate) outcome: Outcome,
    pub(crate) result: Option<R>,
    pub(crate) cleanups: usize,
    /// Aside, so that a scope in which all goes well has one word to look at.
    trouble: Option<Box<Trouble<R>>>,
}

/// What went wrong.
struct Trouble<R: ScopeResult> {
    /// What the scope will end in.
    panic: Option<Panic>,
    failures: Vec<CleanupFailure>,
    /// The error of a cleanup where there was no result to put it in.
    unplaced: Option<R::Error>,
}

impl<R: ScopeResult> Exit<R> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            // Until the body has returned, any other way out is a panic.
            outcome: Outcome::Panicked,
            result: None,
            cleanups: 0,
            trouble: None,
        }
    }

    /// For a cleanup that runs before the scope ends.
    pub(crate) const fn early() -> Self {
        let mut exit = Self::new();
        exit.outcome = Outcome::Succeeded;
        exit
    }

    /// How the body ended. It is frozen: nothing that a cleanup does changes it.
    ///
    /// ```
    /// use rearguard::{Outcome, scope};
    ///
    /// let result = scope(|s| {
    ///     s.defer_with(|exit| assert_eq!(exit.outcome(), Outcome::Failed));
    ///     Err::<(), _>("no room left")
    /// });
    /// assert!(result.is_err());
    /// ```
    #[inline(always)]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What the scope will return, to be read or changed; `None` where the body panicked and nobody
    /// has recovered from it, and in a scope that was cancelled. After the panic of a cleanup it is
    /// still what the body returned, though the scope will end in that panic.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.defer_with(|exit| {
    ///         if let Some(Ok(number)) = exit.result() {
    ///             *number *= 2;
    ///         }
    ///     });
    ///     Ok(21)
    /// });
    /// assert_eq!(result, Ok(42));
    /// ```
    pub const fn result(&mut self) -> Option<&mut R> {
        self.result.as_mut()
    }

    /// The panic that the scope will end in, which is the body's or, where the body succeeded, that
    /// of a cleanup; `None` where there is none, or none any more.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<(), String> {
    ///     s.recover(|panic| Err(panic.message().to_owned()));
    ///     s.defer_with(|exit| {
    ///         assert_eq!(exit.panic().map(|panic| panic.message()), Some("out of range"));
    ///     });
    ///     panic!("out of range");
    /// });
    /// assert_eq!(result, Err("out of range".to_owned()));
    /// ```
    pub fn panic(&self) -> Option<&Panic> {
        self.trouble.as_ref()?.panic.as_ref()
    }

    /// The cleanups that have failed so far, in the order in which they ran.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.defer_with(|exit| {
    ///         assert_eq!(exit.failures().len(), 2);
    ///         assert!(exit.failures()[1].to_string().ends_with("failed: second"));
    ///     });
    ///     s.defer(|| Err::<(), _>("second".to_owned()));
    ///     s.defer(|| Err::<(), _>("first".to_owned()));
    ///     Ok(1)
    /// });
    /// assert_eq!(result, Err("first".to_owned()));
    /// ```
    pub fn failures(&self) -> &[CleanupFailure] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.failures)
    }

    /// Ends the panic, and makes `value` the result of the scope; nothing happens where there is
    /// no panic. Older cleanups see the result, and the outcome as it was.
    ///
    /// If `value` panics, that is the scope's panic from then on.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.defer_with(|exit| {
    ///         // Only what was meant to be recovered from.
    ///         if exit.panic().is_some_and(|panic| panic.message() == "empty") {
    ///             exit.recover(|_| Ok(0));
    ///         }
    ///     });
    ///     panic!("empty");
    /// });
    /// assert_eq!(result, Ok(0));
    /// ```
    pub fn recover(&mut self, value: impl FnOnce(Panic) -> R) {
        if let Some(panic) = self.trouble.as_mut().and_then(|trouble| trouble.panic.take()) {
            self.result = Some(value(panic));
        }
    }

    #[inline(always)]
    pub(crate) fn returned(&mut self, result: R) {
        self.outcome = result.outcome();
        self.result = Some(result);
    }

    /// Something panicked: the body, if there is no result yet, or a cleanup.
    pub(crate) fn panicked(&mut self, panic: Panic, at: &'static Location<'static>) {
        if self.result.is_none() && self.trouble.is_none() {
            self.trouble().panic = Some(panic);
        } else {
            self.cleanup_panicked(panic, at);
        }
    }

    /// Keeps the first failure as the scope's own, and later ones beside it.
    pub(crate) fn cleanup_failed(
        &mut self,
        error: R::Error,
        message: String,
        at: &'static Location<'static>,
    ) {
        let panicking = self.panic().is_some();
        let left = match &mut self.result {
            Some(result) if !panicking => result.fail(error),
            _ => Some(error),
        };
        let trouble = self.trouble();
        trouble.unplaced = left;
        trouble.failures.push(CleanupFailure::error(at, Box::new(ErrorText(message))));
    }

    /// A cleanup's panic is the scope's own if nothing went wrong before.
    pub(crate) fn cleanup_panicked(&mut self, panic: Panic, at: &'static Location<'static>) {
        let failed_already = match &self.result {
            Some(result) => result.outcome() != Outcome::Succeeded,
            // A panic that was taken and is raised again finds no result either.
            None => self.panic().is_some() || self.outcome == Outcome::Cancelled,
        };
        let trouble = self.trouble();
        trouble.failures.push(CleanupFailure::panic(at, &panic));
        if trouble.panic.is_none() && !failed_already {
            trouble.panic = Some(panic);
        }
    }

    fn trouble(&mut self) -> &mut Trouble<R> {
        self.trouble.get_or_insert_with(|| {
            Box::new(Trouble { panic: None, failures: Vec::new(), unplaced: None })
        })
    }

    /// The error of a cleanup that ran early.
    pub(crate) fn into_early(self) -> Result<(), R::Error> {
        self.trouble.and_then(|trouble| trouble.unplaced).map_or(Ok(()), Err)
    }

    /// What becomes of the scope when all cleanups have run.
    #[inline(always)]
    pub(crate) fn conclude(self) -> R {
        if self.trouble.is_some() {
            return self.conclude_troubled();
        }
        match self.result {
            Some(result) => result,
            None => unreachable!("a body that has neither returned nor panicked"),
        }
    }

    #[cold]
    fn conclude_troubled(mut self) -> R {
        self.observe();
        match self.into_end() {
            End::Returned(result) => result,
            End::Panicked(panic) => panic.resume(),
            End::TimedOut => unreachable!("a plain scope has no deadline"),
        }
    }

    fn into_end(self) -> End<R> {
        match (self.trouble.and_then(|trouble| trouble.panic), self.result) {
            (Some(panic), _) => End::Panicked(panic),
            (None, Some(result)) => End::Returned(result),
            (None, None) => unreachable!("a body that has neither returned nor panicked"),
        }
    }

    pub(crate) fn into_ended(mut self, name: &'static str, times: Times) -> Ended<R> {
        let mut report = self.report(name);
        report.times = Some(times);
        observer::notify(&report);
        Ended { end: self.into_end(), report }
    }

    /// Tells the observer of failures that the scope's result may not show.
    #[cold]
    pub(crate) fn observe(&mut self) {
        if !self.failures().is_empty() {
            observer::notify(&self.report(""));
        }
    }

    fn report(&mut self, name: &'static str) -> Report {
        let mut report = Report::new(name, self.outcome);
        report.cleanups = self.cleanups;
        if let Some(trouble) = &mut self.trouble {
            report.trouble().failures = std::mem::take(&mut trouble.failures);
        }
        report
    }
}

impl<R: ScopeResult> fmt::Debug for Exit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit")
            .field("outcome", &self.outcome)
            .field("panic", &self.panic())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}
