//! Who in this process waits for which lock.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The names that are waited for. It holds no more than there are waiters.
#[derive(Debug, Default)]
pub(super) struct Wakeups(Mutex<HashMap<String, Waiters>>);

#[derive(Debug)]
struct Waiters {
    told: watch::Sender<()>,
    count: usize,
}

impl Wakeups {
    /// One more waits. Also says whether it is the first.
    pub(super) fn add(&self, name: &str) -> (watch::Receiver<()>, bool) {
        let mut names = self.names();
        let waiters = names
            .entry(name.to_owned())
            .or_insert_with(|| Waiters { told: watch::Sender::new(()), count: 0 });
        waiters.count += 1;
        (waiters.told.subscribe(), waiters.count == 1)
    }

    /// One waits no more. Says whether it was the last.
    pub(super) fn remove(&self, name: &str) -> bool {
        let mut names = self.names();
        let Some(waiters) = names.get_mut(name) else { return false };
        waiters.count -= 1;
        let last = waiters.count == 0;
        if last {
            names.remove(name);
        }
        last
    }

    /// The lock may be free.
    pub(super) fn wake(&self, name: &str) {
        if let Some(waiters) = self.names().get(name) {
            waiters.told.send_replace(());
        }
    }

    /// What was told may have been missed.
    pub(super) fn wake_all(&self) {
        for waiters in self.names().values() {
            waiters.told.send_replace(());
        }
    }

    /// What is waited for.
    #[cfg(feature = "redis")]
    pub(super) fn known(&self) -> Vec<String> {
        self.names().keys().cloned().collect()
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Waiters>> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Wakeups;

    #[test]
    fn a_name_is_known_while_somebody_waits_for_it() {
        let wakeups = Wakeups::default();
        let (mut one, first) = wakeups.add("a");
        let (_two, second) = wakeups.add("a");
        assert!(first && !second);
        wakeups.wake("b");
        assert!(!one.has_changed().expect("open"));
        wakeups.wake("a");
        assert!(one.has_changed().expect("open"));
        one.mark_unchanged();
        wakeups.wake_all();
        assert!(one.has_changed().expect("open"));
        assert!(!wakeups.remove("a"));
        assert!(wakeups.remove("a") && !wakeups.remove("a"));
    }
}
