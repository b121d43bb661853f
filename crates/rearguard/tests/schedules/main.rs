//! Random programs that use scopes, driven at random, against one promise: **every cleanup runs
//! exactly once, or stands in a report as unfinished.**
//!
//! A `program` is data, made from a seed by `generate`, done by `interpret` and `script`, and driven
//! by `drive`: polled to its end, dropped, aborted, timed out, with its runtime taken away. What
//! happens is written down in a `world`, and `oracle` looks at it when everything is gone.
//!
//! `REARGUARD_SCHEDULES=1000000` runs as many, `REARGUARD_SCHEDULE_SEED=7` that one.
#![cfg(feature = "tokio")]

mod drive;
mod generate;
mod interpret;
mod oracle;
mod program;
mod script;
mod world;

use program::{Schedule, Threads};

/// Seeds that failed once.
const KEPT: &[u64] = &[];

/// How many are run where nothing else is said.
const DEFAULT_COUNT: u64 = 3_000;

/// One in so many runs on two threads, with the real clock.
const TWO_THREADS_IN: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}: expected a number")))
}

fn schedule(seed: u64) -> Schedule {
    let two = seed % TWO_THREADS_IN == TWO_THREADS_IN - 1;
    generate::schedule(seed, if two { Threads::Two } else { Threads::One })
}

/// Makes a failing schedule smaller as long as it fails.
fn smallest(mut schedule: Schedule) -> (Schedule, Vec<String>) {
    let mut wrong = drive::run(&schedule);
    for _ in 0..200 {
        let smaller = schedule.smaller().into_iter().find_map(|smaller| {
            let wrong = drive::run(&smaller);
            (!wrong.is_empty()).then_some((smaller, wrong))
        });
        match smaller {
            Some(smaller) => (schedule, wrong) = smaller,
            None => break,
        }
    }
    (schedule, wrong)
}

/// One test for all, as the observer and the reaper are the process's.
#[test]
fn every_cleanup_runs_exactly_once_or_stands_in_unfinished() {
    let seeds: Vec<u64> = match number("REARGUARD_SCHEDULE_SEED") {
        Some(seed) => vec![seed],
        None => {
            let count = number("REARGUARD_SCHEDULES").unwrap_or(DEFAULT_COUNT);
            KEPT.iter().copied().chain(0..count).collect()
        }
    };
    for seed in seeds {
        let schedule = schedule(seed);
        let wrong = drive::run(&schedule);
        if !wrong.is_empty() {
            let (smallest, still) = smallest(schedule);
            panic!("seed {seed}: {wrong:#?}\nat its smallest: {smallest:#?}\n{still:#?}");
        }
    }
}
