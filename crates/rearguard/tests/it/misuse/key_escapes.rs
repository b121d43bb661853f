//! A key is of no use when its scope has ended.

use rearguard::scope;

fn main() {
    let mut escaped = None;
    scope(|s| {
        escaped = Some(s.defer_keyed(|| {}));
    });
    drop(escaped);
}
