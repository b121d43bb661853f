use std::future::pending;

use rearguard::{Options, defer, scope_async};
use tokio::sync::oneshot;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    let (started, starts) = oneshot::channel();
    let ended = scope_async(Options::new(), async |s| -> Result<(), &str> {
        let worker = s.spawn(async move {
            defer! { println!("worker closed") }
            started.send(()).unwrap();
            pending::<()>().await; // works until it is cancelled
        });
        drop(worker);
        starts.await.unwrap();
        Err("enough") // after `Ok`, the scope would wait for the worker
    })
    .await;
    println!("main returns, {:?}", ended.end);
}
