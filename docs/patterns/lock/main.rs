use std::{convert::Infallible, future::pending, time::Duration};

use rearguard::{Options, Reaper, scope_async};
use tokio::time::timeout;

async fn work() {
    scope_async(Options::new(), async |s| -> Result<(), Infallible> {
        println!("locked");
        s.defer_with(|outcome| async move { println!("unlocked, {outcome}") });
        pending().await // work that takes too long
    })
    .await
    .into_returned();
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    println!("work: {:?}", timeout(Duration::from_millis(10), work()).await);
    // Before the process ends, what was cancelled is given time to finish.
    Reaper::global().drain(Duration::from_secs(5)).await;
}
