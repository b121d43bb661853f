//! A plain value does not say how the body ended.

use rearguard::scope;

fn main() {
    let _ = scope(|s| {
        s.defer(|| {});
        1
    });
}
