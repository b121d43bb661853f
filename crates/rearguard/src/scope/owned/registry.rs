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
