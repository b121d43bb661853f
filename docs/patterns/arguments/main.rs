use std::cell::Cell;

use rearguard::scope;

pub(crate) fn main() {
    let x = Cell::new(1);
    scope(|s| {
        let early = x.get();
        s.defer(move || println!("by value: {early}"));
        s.defer(|| println!("by reference: {}", x.get()));
        x.set(2);
    });
}
