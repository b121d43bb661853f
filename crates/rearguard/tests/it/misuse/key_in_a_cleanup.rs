//! As `registers_late.rs`: a cleanup cannot withdraw another one of its scope.

use rearguard::scope;

fn main() {
    scope(|s| {
        let key = s.defer_keyed(|| {});
        s.defer(move || key.disarm());
    });
}
