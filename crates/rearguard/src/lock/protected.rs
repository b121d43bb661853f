//! Work that is dropped as soon as its lock is lost.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{Lease, Loss};
use crate::Error;

pin_project! {
    /// The body of a lock's scope. It is ready, and so the body is dropped, when the body is, or when
    /// the lock is lost.
    pub(super) struct Protected<F> {
        #[pin]
        body: F,
        lease: Lease,
        lost: Pin<Box<dyn Future<Output = Option<Loss>> + Send>>,
    }
}

impl<F> Protected<F> {
    pub(super) fn new(lease: Lease, body: F) -> Self {
        let watched = lease.clone();
        Self { body, lease, lost: Box::pin(async move { watched.lost().await }) }
    }
}

impl<T, E: From<Error>, F: Future<Output = Result<T, E>>> Future for Protected<F> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The clock is read each time, so work does not go on after a pause (of the process, of the
        // machine) in which its lock may have expired, even where timers have not noticed yet.
        if let Some(loss) = this.lease.loss() {
            return Poll::Ready(Err(this.lease.lost_error(loss).into()));
        }
        if let Poll::Ready(Some(loss)) = this.lost.as_mut().poll(context) {
            return Poll::Ready(Err(this.lease.lost_error(loss).into()));
        }
        let Poll::Ready(result) = this.body.poll(context) else { return Poll::Pending };
        // What ended after the deadline was not protected to its end.
        Poll::Ready(match (result, this.lease.loss()) {
            (Ok(_), Some(loss)) => Err(this.lease.lost_error(loss).into()),
            (result, _) => result,
        })
    }
}
