use std::process;

use rearguard::scope;

pub(crate) fn main() {
    scope::<()>(|s| {
        s.defer(|| println!("never printed"));
        process::exit(3);
    });
}
