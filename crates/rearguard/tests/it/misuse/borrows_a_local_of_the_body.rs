//! The locals of the body are gone when the cleanups run.

use rearguard::scope;

fn main() {
    scope(|s| {
        let local = String::from("local");
        s.defer(|| drop(local.len()));
    });
}
