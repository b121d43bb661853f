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
    time::{Sleep, sleep},
};

/// A deadline of cleanups. Where there is no timer to be had, it never comes: a cleanup without a
/// deadline is better than none.
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub(super) fn after(duration: Duration) -> Self {
        // Outside of a runtime, and on one whose timers are off, making it panics.
        if Handle::try_current().is_err() {
            return Self(None);
        }
        Self(catch_unwind(|| Box::pin(sleep(duration))).ok())
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
