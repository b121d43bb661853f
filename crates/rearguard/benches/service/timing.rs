//! How long an operation takes.

use std::time::{Duration, Instant};

/// Long enough that reading the clock does not show, short enough that some go undisturbed.
const BATCH: Duration = Duration::from_micros(500);

const BATCHES: u32 = 8;

/// The least time that one operation took, over a few batches of many.
pub(crate) fn least_ns(run: fn(u64)) -> f64 {
    let mut times = 1;
    while took(run, times) < BATCH {
        times *= 2;
    }
    let batches = (0..BATCHES).map(|_| took(run, times).as_nanos() as f64 / times as f64);
    batches.fold(f64::INFINITY, f64::min)
}

fn took(run: fn(u64), times: u64) -> Duration {
    let begin = Instant::now();
    run(times);
    begin.elapsed()
}
