//! What a future and the thread that works for it say to each other.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::InterruptHandle;
use tokio::{sync::Notify, time::timeout};

use crate::Outcome;

/// How often the statement that runs is interrupted until the body has ended: one interrupt reaches only
/// what runs at that moment, and a body may begin another statement.
pub const INTERRUPT_INTERVAL: Duration = Duration::from_millis(5);

/// A body on its thread.
pub(super) struct Job {
    stage: Mutex<Stage>,
    interrupt: InterruptHandle,
    ended: Notify,
}

#[derive(Debug)]
struct Stage {
    /// How the future ended that the body works for, unless it waits for it.
    left: Option<Outcome>,
    /// The body runs. What comes after it, and whoever has the connection next, is not interrupted.
    in_body: bool,
    ended: bool,
}

impl Job {
    pub(super) fn new(interrupt: InterruptHandle) -> Self {
        let stage = Stage { left: None, in_body: true, ended: false };
        Self { stage: Mutex::new(stage), interrupt, ended: Notify::new() }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the future ended, if it did before the body.
    pub(super) fn left(&self) -> Option<Outcome> {
        self.stage().left
    }

    /// The body is done. From here on it is neither cancelled nor interrupted.
    pub(super) fn leave_body(&self) {
        self.stage().in_body = false;
    }

    /// Waits until the thread is done with the connection.
    pub(super) async fn ended(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.stage().ended {
                return;
            }
            ended.await;
        }
    }

    /// Cancels it, if it is in the body, and waits until it has ended.
    pub(super) async fn stop(&self, outcome: Outcome) {
        loop {
            {
                // Locked, so that the body is not left in between.
                let mut stage = self.stage();
                if stage.in_body && !stage.ended {
                    stage.left = Some(outcome);
                    self.interrupt.interrupt();
                }
            }
            if timeout(INTERRUPT_INTERVAL, self.ended()).await.is_ok() {
                return;
            }
        }
    }
}

/// The thread's end of a job, which tells when it is dropped.
pub(super) struct Thread(pub(super) Arc<Job>);

impl Deref for Thread {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.stage().ended = true;
        self.0.ended.notify_waiters();
    }
}
