//! A task of a scope registers cleanups by a handle: the scope itself is the body's.

use rearguard::{Options, scope_async};

async fn body() {
    let ended = scope_async(Options::new(), async |s| {
        drop(s.spawn(async { s.defer(async {}) }));
    });
    drop(ended.await);
}

fn main() {
    drop(body());
}
