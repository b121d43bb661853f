use core::mem;
use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use super::{Exit, Panic, Scope, ScopeResult};
use crate::{Outcome, scope::arena::Arena};

/// An async body with cleanups that are plain closures: they may borrow, need not be `Send`, and
/// run at once, also when the future is dropped half way, with [`Outcome::Cancelled`].
///
/// A future that is dropped before it was first polled has registered nothing. The future is not
/// `Send`, as its cleanups need not be. Cleanups must not be lost, so the future must be dropped:
/// one that is forgotten runs none. For cleanups that must await, there is `scope_async`, with the
/// feature `tokio`.
///
/// # Panics
/// As [`scope`](crate::scope()) does. When the future is dropped, what cleanups panic with is kept from coming out,
/// and told to the process's [`Observer`](crate::Observer).
///
/// ```
/// use std::{cell::RefCell, future::{Future, ready}, pin::pin, task::{Context, Poll, Waker}};
///
/// use rearguard::{Scope, scope_local};
///
/// let seen = RefCell::new(Vec::new());
/// let future = scope_local(async |s: &Scope<'_, Result<u32, String>>| {
///     s.defer_with(|exit| seen.borrow_mut().push(exit.outcome().as_str()));
///     Ok(ready(1).await)
/// });
/// let mut context = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(future).poll(&mut context), Poll::Ready(Ok(1)));
/// assert_eq!(*seen.borrow(), ["succeeded"]);
/// ```
pub async fn scope_local<'env, R: ScopeResult>(body: impl AsyncFnOnce(&Scope<'env, R>) -> R) -> R {
    let mut local = Local { scope: Scope::with(Arena::new()), exit: Exit::new() };
    let caught = {
        // Made in place, so that it stands in this future once.
        let mut future = pin!(None);
        // A body that is not an async closure may panic before it has made its future.
        match catch_unwind(AssertUnwindSafe(|| future.set(Some(body(&local.scope))))) {
            Ok(()) => poll_fn(|context| poll_body(future.as_mut(), context)).await,
            Err(payload) => Err(Panic::new(payload)),
        }
    };
    let Local { scope, exit } = &mut local;
    match caught {
        Ok(result) => scope.run::<false>(exit, |_| result),
        Err(panic) => scope.take().drain_after::<false>(panic, exit),
    }
    mem::replace(exit, Exit::new()).conclude()
}

/// Polls the body, and makes its panic a value.
fn poll_body<F: Future>(
    future: Pin<&mut Option<F>>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    let poll = || match future.as_pin_mut() {
        Some(future) => future.poll(context),
        None => unreachable!("the future was made before it is polled"),
    };
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(Panic::new(payload))),
    }
}

/// Runs the cleanups of a future that is dropped.
struct Local<'env, R: ScopeResult> {
    scope: Scope<'env, R>,
    exit: Exit<R>,
}

impl<R: ScopeResult> Drop for Local<'_, R> {
    fn drop(&mut self) {
        if self.scope.arena.is_empty() {
            return;
        }
        self.exit.outcome = Outcome::Cancelled;
        self.scope.drain_all::<false>(&mut self.exit);
        self.exit.observe();
    }
}
