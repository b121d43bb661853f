//! What is lent to the body is not for another cleanup.

use rearguard::scope;

fn main() {
    scope(|s| {
        let held = s.hold(String::new(), |_, _| {});
        s.defer(move || held.push('x'));
    });
}
