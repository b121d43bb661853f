//! The scope is lent to its body, and cannot be kept beyond it.

use rearguard::{Options, OwnedScope, scope_async};

async fn body() {
    let mut kept: Option<&mut OwnedScope> = None;
    let ended = scope_async(Options::new(), async |s| {
        kept = Some(s);
    });
    drop(ended.await);
    kept.unwrap().defer(async {});
}

fn main() {
    drop(body());
}
