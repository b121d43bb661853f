//! A scope belongs to the thread that runs its body.

use rearguard::scope;

fn main() {
    scope(|s| {
        std::thread::scope(|threads| {
            threads.spawn(|| s.defer(|| {}));
        });
    });
}
