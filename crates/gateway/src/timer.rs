//! A deadline that is moved for every request but costs a timer only now and then.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

/// One deadline at a time. Moving it later leaves the timer where it is: when that fires too early
/// it is set again. So a busy connection sets a timer once in as long as its shortest bound.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
    /// Whether the sleep has been polled since it was set, so that it will wake the task.
    waits: bool,
}

impl Timer {
    /// Sets the deadline, or none.
    pub(crate) fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        if let (Some(sleep), Some(deadline)) = (&mut self.sleep, deadline)
            && deadline < sleep.deadline()
        {
            sleep.as_mut().reset(deadline);
            self.waits = false;
        }
    }

    /// Ready once the deadline has passed; never without one. The task that polls must stay the
    /// same, as a connection's does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if self.waits && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                self.waits = true;
                return Poll::Pending;
            }
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_moved_later_fires_then() {
        let start = Instant::now();
        let mut timer = Timer::default();
        timer.set(Some(start + Duration::from_secs(1)));
        assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
        timer.set(Some(start + Duration::from_secs(5)));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_moved_earlier_fires_then() {
        let start = Instant::now();
        let mut timer = Timer::default();
        timer.set(Some(start + Duration::from_secs(5)));
        assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
        timer.set(Some(start + Duration::from_secs(1)));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
