//! The one binary.

#[expect(dead_code, unused_imports, reason = "the command `up` will start the shop")]
mod shop;

fn main() {}
