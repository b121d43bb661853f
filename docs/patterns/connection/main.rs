use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use rearguard::{Options, Reaper, scope_async};
use tokio::{sync::Notify, time::timeout};

static ANSWER: Notify = Notify::const_new();
static OPEN: AtomicU32 = AtomicU32::new(0);

async fn dial() -> Result<(), Infallible> {
    ANSWER.notified().await; // the network takes its time
    OPEN.fetch_add(1, SeqCst);
    println!("dialled");
    Ok(())
}

async fn work() {
    scope_async(Options::new(), async |s| {
        let close = |(), outcome| async move {
            OPEN.fetch_sub(1, SeqCst);
            println!("closed, {outcome}");
        };
        let Ok(_connection) = s.acquire(dial(), close).await;
    })
    .await
    .into_returned();
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    println!("work: {:?}", timeout(Duration::from_millis(10), work()).await);
    ANSWER.notify_one();
    Reaper::global().drain(Duration::from_secs(5)).await;
    println!("still open: {}", OPEN.load(SeqCst));
}
