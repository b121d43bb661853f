//! A cleanup may outlive the function that registered it, so it borrows nothing of it.

use rearguard::{Options, scope_async};

async fn body() {
    let name = String::from("local");
    let ended = scope_async(Options::new(), async |s| {
        s.defer(async { println!("{name}") });
    });
    drop(ended.await);
}

fn main() {
    drop(body());
}
