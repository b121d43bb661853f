//! Prints `docs/doctor/README.md`; `cargo xtask generate` writes it.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(doctor::catalogue::page().as_bytes())
}
