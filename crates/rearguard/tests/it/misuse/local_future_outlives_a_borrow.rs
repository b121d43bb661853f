//! Dropping the future runs the cleanups, so what they borrow must still be there.

use rearguard::scope_local;

fn main() {
    let mut future = None;
    {
        let borrowed = String::new();
        future = Some(Box::pin(scope_local(async |s| s.defer(|| drop(borrowed.len())))));
    }
    drop(future);
}
