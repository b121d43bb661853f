use std::{error::Error, fmt};

use super::{
    panic::Panic,
    report::{CleanupFailure, Report},
};

/// A scope that has ended: how its body did, and what ending it brought to light.
///
/// ```
/// use rearguard::{End, scope_reported};
///
/// let ended = scope_reported("panics", |s| -> Result<u32, String> {
///     s.defer(|| panic!("the cleanup"));
///     panic!("the body");
/// });
/// assert_eq!(ended.report.failures().len(), 1);
/// match ended.end {
///     End::Panicked(panic) => assert_eq!(panic.message(), "the body"),
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[must_use = "it carries the result of the scope's body, which may be an error or a panic"]
#[derive(Debug)]
pub struct Ended<R> {
    /// How the body ended.
    pub end: End<R>,
    /// What ending the scope brought to light.
    pub report: Report,
}

/// How the body of a scope ended, and what cleanups made of it.
///
/// ```
/// use rearguard::{End, scope_reported};
///
/// let ended = scope_reported("three", |_| Ok::<_, String>(3));
/// assert!(matches!(ended.end, End::Returned(Ok(3))));
/// ```
#[derive(Debug)]
pub enum End<R> {
    /// It returned.
    Returned(R),
    /// It panicked, or it succeeded and a cleanup of a [`crate::Scope`] panicked.
    Panicked(Panic),
    /// The scope's deadline passed, and the body was dropped.
    TimedOut,
}

/// Why a scope has no value.
///
/// ```
/// use rearguard::{ScopeError, scope_reported};
///
/// let ended = scope_reported("open", |_| Err::<(), _>("no such file"));
/// assert!(matches!(ended.into_result(), Err(ScopeError::Failed("no such file"))));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ScopeError<E> {
    /// The body returned this error, or a cleanup of a [`crate::Scope`] made it the result.
    Failed(E),
    /// The scope's deadline passed.
    TimedOut,
    /// The body succeeded, and then this cleanup failed.
    Cleanup(CleanupFailure),
    /// The body succeeded, and then this many cleanups did not run to their end.
    Unfinished(usize),
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the scope's deadline passed"),
            Self::Cleanup(failure) => failure.fmt(f),
            Self::Unfinished(1) => f.write_str("a cleanup did not run to its end"),
            Self::Unfinished(count) => write!(f, "{count} cleanups did not run to their end"),
        }
    }
}

impl<E: Error + 'static> Error for ScopeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is this error's own, so the chain goes on behind it.
            Self::Failed(error) => error.source(),
            Self::Cleanup(failure) => failure.source(),
            Self::TimedOut | Self::Unfinished(_) => None,
        }
    }
}

impl<R> Ended<R> {
    /// Turns the panic that the scope ended in into a value; anything else stays as it is.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("panics", |_| -> Result<u32, String> { panic!("the body") });
    /// let ended = ended.recover(|panic| Err(panic.message().to_owned()));
    /// assert_eq!(ended.into_returned(), Some(Err("the body".to_owned())));
    /// ```
    pub fn recover(self, value: impl FnOnce(Panic) -> R) -> Self {
        let end = match self.end {
            End::Panicked(panic) => End::Returned(value(panic)),
            end => end,
        };
        Self { end, ..self }
    }

    /// What the body returned; `None` if the scope's deadline passed.
    ///
    /// # Panics
    /// Goes on panicking if the scope ended in a panic.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("counts", |s| s.defer(|| {}));
    /// assert_eq!(ended.report.cleanups, 1);
    /// assert_eq!(ended.into_returned(), Some(()));
    /// ```
    pub fn into_returned(self) -> Option<R> {
        match self.end {
            End::Returned(value) => Some(value),
            End::Panicked(panic) => panic.resume(),
            End::TimedOut => None,
        }
    }
}

impl<T, E> Ended<Result<T, E>> {
    /// The body's value, or the first thing that went wrong: its error, then a cleanup that
    /// failed, then one that did not finish. What was suppressed stands in
    /// [`report`](Self::report), to be read before.
    ///
    /// # Errors
    /// As said.
    ///
    /// # Panics
    /// Goes on panicking if the scope ended in a panic.
    ///
    /// ```
    /// use rearguard::scope_reported;
    ///
    /// let ended = scope_reported("fails", |s| -> Result<u32, String> {
    ///     s.defer(|| Err::<(), _>("could not close".to_owned()));
    ///     Ok(1)
    /// });
    /// let error = ended.into_result().expect_err("a cleanup failed");
    /// assert_eq!(error.to_string(), "could not close");
    /// ```
    pub fn into_result(self) -> Result<T, ScopeError<E>> {
        match self.end {
            End::Returned(Ok(value)) if self.report.is_clean() => Ok(value),
            End::Returned(Ok(_)) => {
                let unfinished = self.report.unfinished().len();
                let failure = self.report.into_failure();
                Err(failure.map_or(ScopeError::Unfinished(unfinished), ScopeError::Cleanup))
            }
            End::Returned(Err(error)) => Err(ScopeError::Failed(error)),
            End::Panicked(panic) => panic.resume(),
            End::TimedOut => Err(ScopeError::TimedOut),
        }
    }
}
