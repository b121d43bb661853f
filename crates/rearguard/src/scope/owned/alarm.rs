//! Deadlines, on tokio's timers.

use std::{
    future::Future,
    panic::catch_unwind,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::unconstrained,
    time::{Sleep, sleep, sleep_until},
};

/// A deadline of cleanups. Where there is no timer to be had, it never comes: a cleanup without a
/// deadline is better than none.
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub(super) fn after(duration: Option<Duration>) -> Self {
        // Outside of a runtime, and on one whose timers are off, making it panics.
        let duration = duration.filter(|_| Handle::try_current().is_ok());
        Self(duration.and_then(|duration| catch_unwind(|| Box::pin(sleep(duration))).ok()))
    }

    /// Goes on as an alarm of the runtime that is at hand, if it has timers.
    pub(super) fn renew(&mut self) {
        if let Some(deadline) = self.0.as_ref().map(|sleep| sleep.deadline()) {
            self.0 = catch_unwind(|| Box::pin(sleep_until(deadline))).ok();
        }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) => poll_sleep(sleep.as_mut(), context),
            None => Poll::Pending,
        }
    }
}

/// Polls a deadline even where what it bounds has used up the task's budget of this turn: else what
/// does so at each turn would never run out of time.
pub(super) fn poll_sleep(sleep: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(sleep)).poll(context)
}
