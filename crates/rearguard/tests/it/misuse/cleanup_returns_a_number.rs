//! Nobody would see it.

use rearguard::scope;

fn main() {
    scope(|s| {
        s.defer(|| 1 + 1);
    });
}
