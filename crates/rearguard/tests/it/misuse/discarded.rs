//! Values that do nothing, or too much at once, when they are discarded.
#![deny(unused_must_use)]

use rearguard::{guard, scope, scope_local, scope_reported};

fn main() {
    guard(1, |_| {});
    scope(|s| {
        s.defer_keyed(|| {});
    });
    scope_local(async |s| s.defer(|| {}));
    scope_reported("discarded", |s| s.defer(|| {}));
    scope(|s| -> Result<(), ()> {
        s.defer(|| {});
        Ok(())
    });
}
