//! The rows and sides, and the sync cases but those that panic.

use std::{cell::Cell, hint::black_box, sync::Mutex};

use crate::{
    futures, panics,
    work::{call, call_on, call_with},
};

/// One row of one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) row: &'static str,
    pub(crate) side: &'static str,
    /// Does it so many times.
    pub(crate) run: fn(u64),
}

pub(crate) const fn case(row: &'static str, side: &'static str, run: fn(u64)) -> Case {
    Case { row, side, run }
}

pub(crate) fn cases() -> Vec<Case> {
    [one_and_ten(), loops(), mutexes(), panics::cases(), futures::cases()].concat()
}

#[inline(always)]
pub(crate) fn repeat(times: u64, operation: impl Fn()) {
    for _ in 0..times {
        operation();
    }
}

/// Closures of any type, newest first, on every way out: what one writes by hand.
struct Boxed(Vec<Box<dyn FnOnce()>>);

impl Boxed {
    fn defer(&mut self, cleanup: impl FnOnce() + 'static) {
        self.0.push(Box::new(cleanup));
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        while let Some(cleanup) = self.0.pop() {
            cleanup();
        }
    }
}

/// Writes a statement ten times.
macro_rules! ten {
    ($($statement:tt)*) => {
        $($statement)* $($statement)* $($statement)* $($statement)* $($statement)*
        $($statement)* $($statement)* $($statement)* $($statement)* $($statement)*
    };
}

fn one_and_ten() -> Vec<Case> {
    const ONE: &str = "one deferred call";
    const TEN: &str = "ten in one function";
    const TEN_WITH: &str = "ten in one function, one word captured";
    vec![
        case(ONE, "scopeguard", |times| repeat(times, one_scopeguard)),
        case(ONE, "boxed", |times| repeat(times, one_boxed)),
        case(ONE, "defer!", |times| repeat(times, one_guard)),
        case(ONE, "scope", |times| repeat(times, one_scope)),
        case(TEN, "scopeguard", |times| repeat(times, ten_scopeguard)),
        case(TEN, "boxed", |times| repeat(times, ten_boxed)),
        case(TEN, "defer!", |times| repeat(times, ten_guard)),
        case(TEN, "scope", |times| repeat(times, ten_scope)),
        case(TEN_WITH, "scopeguard", |times| with_counter(times, ten_scopeguard_on)),
        case(TEN_WITH, "defer!", |times| with_counter(times, ten_guard_on)),
        case(TEN_WITH, "scope", |times| with_counter(times, ten_scope_on)),
    ]
}

#[inline(always)]
fn with_counter(times: u64, operation: impl Fn(&Cell<u64>)) {
    let counter = Cell::new(0);
    repeat(times, || operation(black_box(&counter)));
}

#[inline(never)]
fn one_scopeguard() {
    scopeguard::defer! { call() }
}

#[inline(never)]
fn one_boxed() {
    let mut boxed = Boxed(Vec::new());
    boxed.defer(call);
}

#[inline(never)]
fn one_guard() {
    rearguard::defer! { call() }
}

#[inline(never)]
fn one_scope() {
    rearguard::scope(|s| s.defer(call));
}

#[inline(never)]
fn ten_scopeguard() {
    ten! { scopeguard::defer! { call() } }
}

#[inline(never)]
fn ten_boxed() {
    let mut boxed = Boxed(Vec::new());
    ten! { boxed.defer(call); }
}

#[inline(never)]
fn ten_guard() {
    ten! { rearguard::defer! { call() } }
}

#[inline(never)]
fn ten_scope() {
    rearguard::scope(|s| {
        ten! { s.defer(call); }
    });
}

#[inline(never)]
fn ten_scopeguard_on(counter: &Cell<u64>) {
    ten! { scopeguard::defer! { call_on(counter) } }
}

#[inline(never)]
fn ten_guard_on(counter: &Cell<u64>) {
    ten! { rearguard::defer! { call_on(counter) } }
}

#[inline(never)]
fn ten_scope_on(counter: &Cell<u64>) {
    rearguard::scope(|s| {
        ten! { s.defer(|| call_on(counter)); }
    });
}

fn loops() -> Vec<Case> {
    macro_rules! rows {
        ($($count:literal)*) => {
            vec![$(
                case(concat!("loop of ", $count), "boxed", |times| {
                    repeat(times, || loop_boxed($count));
                }),
                case(concat!("loop of ", $count), "scope", |times| {
                    repeat(times, || loop_scope($count));
                }),
                case(concat!("loop of ", $count, ", three words captured"), "boxed", |times| {
                    repeat(times, || loop_boxed_with($count));
                }),
                case(concat!("loop of ", $count, ", three words captured"), "scope", |times| {
                    repeat(times, || loop_scope_with($count));
                }),
            )*]
        };
    }
    let mut rows = rows!(10 100 1000);
    rows.sort_by_key(|case| case.row.len());
    rows
}

#[inline(never)]
fn loop_boxed(count: u64) {
    let mut boxed = Boxed(Vec::new());
    for _ in 0..black_box(count) {
        boxed.defer(call);
    }
}

#[inline(never)]
fn loop_scope(count: u64) {
    rearguard::scope(|s| {
        for _ in 0..black_box(count) {
            s.defer(call);
        }
    });
}

#[inline(never)]
fn loop_boxed_with(count: u64) {
    let mut boxed = Boxed(Vec::new());
    for one in 0..black_box(count) {
        let (two, three) = (one + 1, one + 2);
        boxed.defer(move || call_with(one, two, three));
    }
}

#[inline(never)]
fn loop_scope_with(count: u64) {
    rearguard::scope(|s| {
        for one in 0..black_box(count) {
            let (two, three) = (one + 1, one + 2);
            s.defer(move || call_with(one, two, three));
        }
    });
}

static MUTEX: Mutex<()> = Mutex::new(());

fn mutexes() -> Vec<Case> {
    const BY_HAND: &str = "mutex, released by hand";
    const BY_DEFER: &str = "mutex, released by defer";
    vec![
        case(BY_HAND, "plain", |times| repeat(times, mutex_by_hand)),
        case(BY_DEFER, "scopeguard", |times| repeat(times, mutex_scopeguard)),
        case(BY_DEFER, "defer!", |times| repeat(times, mutex_guard)),
        case(BY_DEFER, "scope", |times| repeat(times, mutex_scope)),
    ]
}

#[inline(never)]
fn mutex_by_hand() {
    let locked = MUTEX.lock();
    call();
    drop(locked);
}

#[inline(never)]
fn mutex_scopeguard() {
    let locked = MUTEX.lock();
    scopeguard::defer! { drop(locked) }
    call();
}

#[inline(never)]
fn mutex_guard() {
    let locked = MUTEX.lock();
    rearguard::defer! { drop(locked) }
    call();
}

#[inline(never)]
fn mutex_scope() {
    rearguard::scope(|s| {
        let locked = MUTEX.lock();
        s.defer(move || drop(locked));
        call();
    });
}
