//! What is deferred: the same on all sides. None of it is inlined, as a real cleanup is not.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Captures nothing.
#[inline(never)]
pub(crate) fn call() {
    add(1);
}

/// Captures one word.
#[inline(never)]
pub(crate) fn call_on(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// Captures three words.
#[inline(never)]
pub(crate) fn call_with(one: u64, two: u64, three: u64) {
    add(one + two + three);
}

/// As cheap as Go's `counter += value`: neither is meant for several threads.
#[inline(always)]
fn add(value: u64) {
    COUNTER.store(COUNTER.load(Relaxed) + value, Relaxed);
}

/// One counter for each of two threads, far from one another.
#[repr(align(128))]
struct Apart(AtomicU64);

static FINISHED: [Apart; 2] = [const { Apart(AtomicU64::new(0)) }; 2];

/// What is deferred where a cleanup may run on another thread.
#[inline(never)]
pub(crate) fn finish(thread: usize) {
    FINISHED[thread].0.fetch_add(1, Relaxed);
}

/// How often [`finish`] was called for this thread.
pub(crate) fn finished(thread: usize) -> u64 {
    FINISHED[thread].0.load(Relaxed)
}
