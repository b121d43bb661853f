//! What the async tests share: a log of what happened, cleanups that write to it, runtimes.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use rearguard::{Outcome, Reaper};
use tokio::runtime::Builder;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What was said since it was last asked.
    pub(crate) fn said(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(", ")
    }

    /// A cleanup that says its name, at once.
    pub(crate) fn cleanup(&self, name: &'static str) -> impl Future<Output = ()> + Send + use<> {
        let log = self.clone();
        async move { log.say(name) }
    }

    /// A cleanup that says its name and how the scope ended.
    pub(crate) fn told(
        &self,
        name: &'static str,
    ) -> impl FnOnce(Outcome) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + use<> {
        let log = self.clone();
        move |outcome| Box::pin(async move { log.say(format!("{name} {outcome}")) })
    }

    /// A cleanup that is ready at its `polls + 1`st poll, and says each.
    pub(crate) fn steps(&self, name: &'static str, polls: usize) -> Steps {
        Steps { log: self.clone(), name, polled: 0, polls }
    }

    /// Says so when it is dropped.
    pub(crate) fn dropped(&self, name: &'static str) -> SaysDropped {
        SaysDropped(self.clone(), name)
    }

    /// A cleanup that never ends, and says so when it is dropped.
    pub(crate) fn hangs(&self, name: &'static str) -> impl Future<Output = ()> + Send + use<> {
        let dropped = self.dropped(name);
        async move {
            let _dropped = dropped;
            std::future::pending().await
        }
    }
}

/// Counts its own polls: one that is begun anew says `1` twice.
pub(crate) struct Steps {
    log: Log,
    name: &'static str,
    polled: usize,
    polls: usize,
}

impl Future for Steps {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.polled += 1;
        self.log.say(format!("{}{}", self.name, self.polled));
        if self.polled > self.polls {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if self.polled <= self.polls {
            self.log.say(format!("{} dropped", self.name));
        }
    }
}

pub(crate) struct SaysDropped(Log, &'static str);

impl Drop for SaysDropped {
    fn drop(&mut self) {
        self.0.say(format!("{} dropped", self.1));
    }
}

/// Panics when it is dropped.
pub(crate) struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Runs a test whose time passes as soon as there is nothing to do.
pub(crate) fn paused<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// Waits until the reaper has nothing of this runtime to do; time must be paused.
pub(crate) async fn reaped() {
    Reaper::global().drain(Duration::from_secs(3600)).await;
}

/// Waits for what other threads bring about, ten seconds at most.
pub(crate) fn eventually(mut met: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !met() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never came about");
        std::thread::yield_now();
    }
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
