//! Drops a future after its first poll, its second, and so on.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// A future that is polled more often than this never gets through [`at_every_poll`].
pub const MAX_POLLS: usize = 10_000;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Dropped after this many polls.
    Dropped(usize),
    /// It got through.
    Finished,
}

/// Runs what `make` makes again and again, dropped after 0, 1, 2 … polls, until one run gets
/// through, and calls `check` after each. Returns how many polls that took.
///
/// ```
/// use rearguard::testing::{Run, at_every_poll};
/// use tokio::task::yield_now;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let polls = at_every_poll(
///     || async { yield_now().await },
///     |run| async move { assert!(run == Run::Finished || run == Run::Dropped(0) || run == Run::Dropped(1)) },
/// );
/// assert_eq!(polls.await, 2);
/// # }
/// ```
///
/// # Panics
/// If a future is not done after [`MAX_POLLS`].
pub async fn at_every_poll<F: Future, C: Future<Output = ()>>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(Run) -> C,
) -> usize {
    for polls in 0..MAX_POLLS {
        let run = drop_after(polls, make()).await;
        check(run).await;
        if run == Run::Finished {
            return polls;
        }
    }
    panic!("it was not done after {MAX_POLLS} polls");
}

/// Polls a future until it is done, but at most this many times, and drops it.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Run {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(Run::Dropped(polls));
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(Run::Finished),
            Poll::Pending if left == 0 => Poll::Ready(Run::Dropped(polls)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
