//! The shop as a user meets it: the program is started, and driven by HTTP.
//!
//! Needs PostgreSQL and Redis, which it starts itself. `SHOP_SOAK_SECONDS` says how long the soak
//! lasts (3 by default); `cargo test --release -p shop soak` with 60 is the run for a release.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod checkout;
mod database;
mod http;
mod kill;
mod panics;
mod receipts;
mod shop;
mod shutdown;
mod soak;
mod transfers;

use std::time::{Duration, Instant};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < PATIENCE, "it took too long: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
