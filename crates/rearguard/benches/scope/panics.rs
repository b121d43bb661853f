//! Recovering, from nothing and from a panic.

use std::{convert::Infallible, hint::black_box, panic::catch_unwind};

use crate::{
    cases::{Case, case, repeat},
    work::call,
};

pub(crate) fn cases() -> Vec<Case> {
    const QUIET: &str = "recover, no panic";
    const PANIC: &str = "recover, with a panic";
    vec![
        case(QUIET, "plain", |times| repeat(times, || _ = black_box(caught(work)))),
        case(QUIET, "scope", |times| repeat(times, || _ = black_box(recovered(work)))),
        case(PANIC, "plain", |times| repeat(times, || _ = black_box(caught(fail)))),
        case(PANIC, "scope", |times| repeat(times, || _ = black_box(recovered(fail)))),
    ]
}

#[inline(never)]
fn work() -> u64 {
    call();
    1
}

#[inline(never)]
fn fail() -> u64 {
    call();
    panic!("on purpose")
}

#[inline(never)]
fn caught(body: fn() -> u64) -> u64 {
    catch_unwind(body).unwrap_or(0)
}

#[inline(never)]
fn recovered(body: fn() -> u64) -> u64 {
    let Ok(value) = rearguard::scope(|s| -> Result<u64, Infallible> {
        s.recover(|_| Ok(0));
        Ok(body())
    });
    value
}
