use std::cell::Cell;

use rearguard::scope;

pub(crate) fn main() {
    let rounds = Cell::new(0);
    scope(|s| {
        for i in 0..5 {
            rounds.set(rounds.get() + 1);
            // `i` moves in, `rounds` is borrowed.
            let rounds = &rounds;
            s.defer(move || println!("{i} of {}", rounds.get()));
        }
    });
}
