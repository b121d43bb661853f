//! The pool against a scripted server, in paused time, and against real PostgreSQL (with the feature
//! `postgres`).
//!
//! `REARGUARD_POOL_CASES=100000` makes the random schedules run longer.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod closing;
mod connecting;
mod fake;
mod getting;
mod leaks;
#[cfg(feature = "postgres")]
mod postgres;
mod returning;
mod schedules;

use std::time::Duration;

use fake::Fake;
use rearguard::pool::Pool;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets what is ready run. In paused time it passes when nothing else can.
async fn settle() {
    tokio::time::sleep(ms(1)).await;
}

/// Waits until nothing is being reset or closed.
async fn quiet(pool: &Pool<Fake>) {
    for _ in 0..100_000 {
        let seen = pool.snapshot();
        if seen.resetting + seen.closing == 0 {
            return;
        }
        settle().await;
    }
    panic!("it is never quiet: {:?}", pool.snapshot());
}

/// Waits until this many sessions are left.
async fn sessions(fake: &Fake, left: usize) {
    for _ in 0..100_000 {
        if fake.seen().sessions == left {
            return;
        }
        settle().await;
    }
    panic!("there are never {left} sessions: {:?}", fake.seen());
}
