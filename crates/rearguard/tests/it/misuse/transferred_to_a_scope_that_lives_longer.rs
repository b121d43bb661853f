//! The outer scope's cleanups cannot borrow what is gone before they run.

use rearguard::scope;

fn main() {
    scope(|outer| {
        let local = String::new();
        scope(|inner| {
            inner.defer_keyed(|| drop(local.len())).transfer(outer);
        });
    });
}
