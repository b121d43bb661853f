use std::time::Duration;

use rearguard::{Outcome, OwnedScope, Reaper};

/// A response whose scope goes where the body goes.
struct Body {
    chunks: Vec<&'static str>,
    scope: OwnedScope,
}

async fn get() -> Body {
    let mut scope = OwnedScope::new();
    scope.defer_with(|outcome| async move { println!("connection closed, {outcome}") });
    Body { chunks: vec!["hello"], scope }
}

async fn read(mut body: Body) {
    while let Some(chunk) = body.chunks.pop() {
        println!("read: {chunk}");
    }
    body.scope.end(Outcome::Succeeded).await;
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() {
    read(get().await).await;
    drop(get().await); // nobody reads it
    Reaper::global().drain(Duration::from_secs(5)).await;
}
