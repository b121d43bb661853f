//! When the cleanups run, the list is closed.

use rearguard::scope;

fn main() {
    scope(|s| {
        s.defer(|| s.defer(|| {}));
    });
}
