//! Who is in the reaper, since when, and who waits for it to be empty.
//!
//! Apart from the reaper so that its races can be searched through: it knows no clock and no
//! runtime.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use super::sync::Mutex;

/// What is held, in the order in which it came.
#[derive(Debug)]
pub(crate) struct Registry<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    held: BTreeMap<u64, T>,
    next: u64,
    waiting: Vec<Waker>,
}

impl<T: Copy> Registry<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State { held: BTreeMap::new(), next: 0, waiting: Vec::new() }))
    }

    /// Lets one in, unless `capacity` are held already.
    pub(crate) fn enter(&self, since: T, capacity: usize) -> Option<u64> {
        let mut state = self.state();
        if state.held.len() >= capacity {
            return None;
        }
        let ticket = state.next;
        state.next += 1;
        state.held.insert(ticket, since);
        Some(ticket)
    }

    /// Lets one out; the last wakes who waits.
    pub(crate) fn leave(&self, ticket: u64) {
        let mut state = self.state();
        state.held.remove(&ticket);
        if state.held.is_empty() {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// How many are held, and since when the oldest is.
    pub(crate) fn held(&self) -> (usize, Option<T>) {
        let state = self.state();
        (state.held.len(), state.held.values().next().copied())
    }

    /// Waits until none is held.
    pub(crate) async fn emptied(&self) {
        poll_fn(|context| self.poll_emptied(context)).await;
    }

    pub(crate) fn poll_emptied(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.held.is_empty() {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn state(&self) -> super::sync::MutexGuard<'_, State<T>> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(all(test, shuttle))]
mod races {
    use std::sync::Arc;

    use shuttle::{check_pct, check_random, future::block_on, thread};

    use super::Registry;

    /// Scopes come and go while somebody waits for all to be gone: a wake that is lost would leave
    /// him waiting, which the model checker reports as a deadlock.
    fn the_last_one_out_wakes_who_waits() {
        let registry = Arc::new(Registry::new());
        let first = registry.enter(0, 8);
        let leaving = (0..3).map(|since| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                if let Some(ticket) = registry.enter(since, 8) {
                    registry.leave(ticket);
                }
            })
        });
        let leaving: Vec<_> = leaving.collect();
        let waits = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || block_on(registry.emptied()))
        };
        registry.leave(first.expect("there is room"));
        for thread in leaving {
            thread.join().expect("it only enters and leaves");
        }
        waits.join().expect("it is woken");
        assert_eq!(registry.held(), (0, None));
    }

    /// However many come at once, no more are in than may be.
    fn no_more_enter_than_there_is_room_for() {
        let registry = Arc::new(Registry::new());
        let entering = (0..3).map(|since| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || registry.enter(since, 2).is_some())
        });
        let entering: Vec<_> = entering.collect();
        let entered = entering.into_iter().filter_map(|thread| thread.join().ok());
        assert_eq!(entered.filter(|entered| *entered).count(), 2);
    }

    #[test]
    fn races_of_the_registry() {
        check_random(the_last_one_out_wakes_who_waits, 100_000);
        check_pct(the_last_one_out_wakes_who_waits, 100_000, 3);
        check_random(no_more_enter_than_there_is_room_for, 100_000);
    }
}
