use std::cell::Cell;

use rearguard::{defer, scope};

pub(crate) fn main() {
    let open = Cell::new(0);
    for _ in 0..3 {
        open.set(open.get() + 1);
        // Ends with the block, which is the round of the loop.
        defer! { open.set(open.get() - 1) }
        println!("open: {}", open.get());
    }
    // Where all are to stay open, as in Go, the scope is outside of the loop.
    scope(|s| {
        for _ in 0..3 {
            open.set(open.get() + 1);
            s.defer(|| open.set(open.get() - 1));
        }
        println!("open together: {}", open.get());
    });
}
