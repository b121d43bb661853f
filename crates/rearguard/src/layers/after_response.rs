//! Cleanup that the answer need not wait for: bounded, counted, drained at shutdown.
//!
//! It runs where cancelled scopes are finished, in the [`Reaper`](crate::Reaper), once the answer has
//! ended. What is more than a queue may hold runs before that, in the request's own scope: nothing
//! is dropped, and a service that is slow to release becomes slow to answer.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// How many cleanups may wait and run after their responses unless [`AfterResponse::new`] says
/// otherwise.
pub const DEFAULT_AFTER_RESPONSE_CAPACITY: usize = 1024;

/// The cleanups that run after their responses: [`RequestScope::after_response`] puts them here.
///
/// A clone is the same queue. Call [`drain`](Self::drain) before the runtime stops.
///
/// [`RequestScope::after_response`]: super::RequestScope::after_response
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::layers::{AfterResponse, ServiceLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let after = AfterResponse::new(256);
/// let layer = ServiceLayer::new().after_response(after.clone());
/// // … serve with the layer; when it stops:
/// let left = after.drain(Duration::from_secs(10)).await;
/// assert_eq!(left.waiting + left.running, 0);
/// # drop(layer);
/// # }
/// ```
#[derive(Clone)]
pub struct AfterResponse(Arc<Queue>);

struct Queue {
    capacity: usize,
    waiting: AtomicUsize,
    running: AtomicUsize,
    ended: AtomicU64,
    refused: AtomicU64,
    left: Notify,
}

/// What an [`AfterResponse`] holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AfterResponseStats {
    /// How many it may hold.
    pub capacity: usize,
    /// Registered, and not begun: their responses have not ended, or they have not had their turn.
    pub waiting: usize,
    /// Begun, and not ended.
    pub running: usize,
    /// Ended, ever. Those that failed, overran or were lost are in their scope's report.
    pub ended: u64,
    /// Came when it was full, ever, and ran before their response ended.
    pub refused: u64,
}

impl AfterResponse {
    /// A queue that holds so many: what waits and what runs together.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Queue {
            capacity,
            waiting: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            left: Notify::new(),
        }))
    }

    /// The process's own, of [`DEFAULT_AFTER_RESPONSE_CAPACITY`]: what layers use unless they are
    /// given another.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<AfterResponse> =
            LazyLock::new(|| AfterResponse::new(DEFAULT_AFTER_RESPONSE_CAPACITY));
        &GLOBAL
    }

    /// What it holds and has done.
    #[must_use]
    pub fn stats(&self) -> AfterResponseStats {
        let queue = &*self.0;
        AfterResponseStats {
            capacity: queue.capacity,
            waiting: queue.waiting.load(Relaxed),
            running: queue.running.load(Relaxed),
            ended: queue.ended.load(Relaxed),
            refused: queue.refused.load(Relaxed),
        }
    }

    /// Waits until nothing is left, `deadline` at most, and says what is held then. To be called
    /// before the runtime is shut down, when no new requests come in.
    ///
    /// # Panics
    /// Outside of a runtime with timers.
    pub async fn drain(&self, deadline: Duration) -> AfterResponseStats {
        let emptied = async {
            loop {
                let mut left = pin!(self.0.left.notified());
                left.as_mut().enable();
                let AfterResponseStats { waiting, running, .. } = self.stats();
                if waiting + running == 0 {
                    return;
                }
                left.await;
            }
        };
        // Where the deadline passes first, what is left shows in the answer.
        drop(tokio::time::timeout(deadline, emptied).await);
        self.stats()
    }

    /// A place, if there is one.
    pub(super) fn enter(&self) -> Option<Place> {
        let queue = &*self.0;
        let take = |waiting| {
            (waiting + queue.running.load(Relaxed) < queue.capacity).then_some(waiting + 1)
        };
        if queue.waiting.fetch_update(Relaxed, Relaxed, take).is_err() {
            queue.refused.fetch_add(1, Relaxed);
            return None;
        }
        Some(Place { queue: Arc::clone(&self.0), stage: Stage::Waiting })
    }
}

/// The process's own.
impl Default for AfterResponse {
    fn default() -> Self {
        Self::global().clone()
    }
}

impl fmt::Debug for AfterResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AfterResponse").field(&self.stats()).finish()
    }
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Waiting,
    Running,
}

impl Place {
    /// Runs a cleanup in this place.
    pub(super) async fn run<F: Future>(mut self, cleanup: F) -> F::Output {
        // In this order, so that the two together are never seen below what is held.
        self.queue.running.fetch_add(1, Relaxed);
        self.queue.waiting.fetch_sub(1, Relaxed);
        self.stage = Stage::Running;
        cleanup.await
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let held = match self.stage {
            Stage::Waiting => &self.queue.waiting,
            Stage::Running => &self.queue.running,
        };
        self.queue.ended.fetch_add(1, Relaxed);
        held.fetch_sub(1, Relaxed);
        self.queue.left.notify_waiters();
    }
}
