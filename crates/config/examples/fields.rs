//! Prints `docs/configuration-fields.md`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(config::field_reference().as_bytes())
}
