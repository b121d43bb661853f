//! The one binary.

#[expect(dead_code, unused_imports, reason = "`up` will start it")]
mod admin;

fn main() {}
