//! Drops a future after its first poll, its second, and so on, until one run gets through.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use rearguard::Reaper;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Dropped after this many polls.
    Dropped(usize),
    /// It got through.
    Finished,
}

/// Runs `make()` again and again, dropped after 0, 1, 2 … polls, and calls `check` when the reaper
/// has nothing left to do.
pub(crate) fn at_every_poll<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(Run),
) -> usize {
    for polls in 0..10_000 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let run = runtime.unwrap().block_on(async {
            let run = drop_after(polls, make()).await;
            // Time is paused, so this passes as soon as nothing of this runtime has to run; other
            // tests may have theirs in the reaper meanwhile.
            Reaper::global().drain(Duration::from_secs(600)).await;
            run
        });
        check(run);
        if run == Run::Finished {
            return polls;
        }
    }
    panic!("it never got through");
}

/// Polls a future this many times, then drops it.
pub(crate) async fn drop_after<F: Future>(polls: usize, future: F) -> Run {
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
