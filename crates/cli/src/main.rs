//! The one binary.

#[cfg_attr(not(test), expect(dead_code, reason = "`up` will start it"))]
#[expect(unused_imports, reason = "`up` will start it")]
mod admin;

fn main() {}
