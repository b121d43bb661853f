//! A body that returns nothing has no place for an error.

use std::fs::remove_file;

use rearguard::scope;

fn main() {
    scope(|s| {
        s.defer(|| remove_file("temporary"));
    });
}
