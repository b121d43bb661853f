use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::inner::Inner;
use crate::scope::{observer, report::Report};

/// Runs the cleanups of a scope that has ended, newest first, and yields its [`Report`].
///
/// Made by [`OwnedScope::end`](super::OwnedScope::end). It is `Send`, `Unpin` and refers to nothing
/// else, so a response body or a layer can keep it and poll it. Dropped before it is done, it hands
/// the cleanup that waits, as it is, and the rest to the [`Reaper`](super::Reaper); the outcome
/// stays what it was. Polled again when it is done, it panics.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rearguard::{Closing, Outcome, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// scope.defer(async { Err("not closed") });
/// let closing: Closing = scope.end(Outcome::Succeeded);
/// assert_eq!(closing.await.failures().len(), 1);
/// # }
/// ```
#[must_use = "cleanups run as it is polled; dropped, they run in the reaper"]
pub struct Closing(pub(super) Inner);

impl Future for Closing {
    type Output = Report;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        let report = ready!(self.0.poll_end(context));
        observer::notify(&report);
        Poll::Ready(report)
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closing").field(&self.0).finish()
    }
}
