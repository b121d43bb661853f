use std::{convert::Infallible, error::Error, fmt, panic::Location};

use super::exit::Exit;
use crate::Outcome;

/// What the body of a scope may return: a [`Result`], nothing, or the [`Outcome`] itself.
///
/// Another type can be one that knows how the work ended, as an HTTP response does:
///
/// ```
/// use std::convert::Infallible;
///
/// use rearguard::{Outcome, ScopeResult, scope};
///
/// struct Response {
///     status: u16,
/// }
///
/// impl ScopeResult for Response {
///     type Error = Infallible;
///
///     fn outcome(&self) -> Outcome {
///         Outcome::from_http_status(self.status)
///     }
///
///     fn fail(&mut self, error: Infallible) -> Option<Infallible> {
///         match error {}
///     }
/// }
///
/// let mut undone = false;
/// let response = scope(|s| {
///     s.on_failure(|| undone = true);
///     Response { status: 503 }
/// });
/// assert!(undone && response.status == 503);
/// ```
#[diagnostic::on_unimplemented(
    message = "the body of a scope returns a `Result`, an `Outcome` or nothing, not `{Self}`",
    note = "a body that cannot fail returns `Ok::<_, Infallible>(value)`, \
            taken with `let Ok(value) = …`",
    note = "a body that never returns says what it would: `|s| -> Result<(), Infallible>`"
)]
pub trait ScopeResult {
    /// What a cleanup may fail with, to become the result of the scope; [`Infallible`] where a
    /// result has no place for an error.
    type Error;

    /// How a body that returned this has ended.
    fn outcome(&self) -> Outcome;

    /// Makes this an error; gives the error back if it is one already.
    fn fail(&mut self, error: Self::Error) -> Option<Self::Error>;
}

impl<T, E> ScopeResult for Result<T, E> {
    type Error = E;

    #[inline(always)]
    fn outcome(&self) -> Outcome {
        match self {
            Ok(_) => Outcome::Succeeded,
            Err(_) => Outcome::Failed,
        }
    }

    fn fail(&mut self, error: E) -> Option<E> {
        if self.is_err() {
            return Some(error);
        }
        *self = Err(error);
        None
    }
}

impl ScopeResult for () {
    type Error = Infallible;

    #[inline(always)]
    fn outcome(&self) -> Outcome {
        Outcome::Succeeded
    }

    fn fail(&mut self, error: Infallible) -> Option<Infallible> {
        match error {}
    }
}

impl ScopeResult for Outcome {
    type Error = Infallible;

    #[inline(always)]
    fn outcome(&self) -> Outcome {
        *self
    }

    fn fail(&mut self, error: Infallible) -> Option<Infallible> {
        match error {}
    }
}

/// What a cleanup of a [`crate::Scope`] may return: nothing, or a `Result<(), E>` whose error can
/// become that of the scope.
///
/// The error converts into that of the body, as with `?`, and can be printed, for reports. Where
/// something else went wrong before, it is suppressed: only its text is kept.
///
/// ```
/// use std::error::Error;
///
/// use rearguard::scope;
///
/// let result = scope(|s| -> Result<(), Box<dyn Error>> {
///     s.defer(|| "x".parse::<u32>().map(drop));
///     Ok(())
/// });
/// assert!(result.is_err_and(|error| error.is::<std::num::ParseIntError>()));
/// ```
#[diagnostic::on_unimplemented(
    message = "a cleanup of this scope cannot return `{Self}`",
    label = "what this cleanup returns would be lost",
    note = "a cleanup returns nothing, or a `Result<(), E>` whose error can be printed and converts \
            into the error of the scope's body",
    note = "the body of this scope returns `{R}`",
    note = "what does not matter is dropped with `drop(…)`"
)]
pub trait CleanupResult<R: ScopeResult> {
    #[doc(hidden)]
    fn settle(self, exit: &mut Exit<R>, at: &'static Location<'static>);
}

impl<R: ScopeResult> CleanupResult<R> for () {
    #[inline(always)]
    fn settle(self, _: &mut Exit<R>, _: &'static Location<'static>) {}
}

// A type that does not convert is then told of in the words above, not as a missing `From`.
#[diagnostic::do_not_recommend]
impl<R: ScopeResult, E: Into<R::Error> + fmt::Display> CleanupResult<R> for Result<(), E> {
    #[inline(always)]
    fn settle(self, exit: &mut Exit<R>, at: &'static Location<'static>) {
        if let Err(error) = self {
            let message = error.to_string();
            exit.cleanup_failed(error.into(), message, at);
        }
    }
}

/// A cleanup that only panics or loops: the type of `panic!()`, which has no stable name.
///
/// Named so, it may be any type as far as other crates can tell, so that they cannot implement the
/// trait. [`ScopeResult`], which they may implement, has no such implementation.
#[diagnostic::do_not_recommend]
impl<R: ScopeResult> CleanupResult<R> for <fn() -> ! as Returns>::Value {
    fn settle(self, _: &mut Exit<R>, _: &'static Location<'static>) {
        self
    }
}

pub trait Returns {
    type Value;
}

impl<T> Returns for fn() -> T {
    type Value = T;
}

/// The text of an error whose value went elsewhere.
#[derive(Debug)]
pub(crate) struct ErrorText(pub(crate) String);

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ErrorText {}
