//! The scope gives the value to the cleanup when the body has ended.

use rearguard::scope;

fn main() {
    let mut escaped = None;
    scope(|s| {
        escaped = Some(s.hold(String::new(), |_, _| {}));
    });
    drop(escaped);
}
