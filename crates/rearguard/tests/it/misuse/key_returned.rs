//! As `key_escapes.rs`, by the result.

use rearguard::scope;

fn main() {
    let _ = scope(|s| Ok::<_, ()>(s.defer_keyed(|| {})));
}
