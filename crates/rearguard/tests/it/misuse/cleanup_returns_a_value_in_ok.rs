//! Nobody would see the value of the `Ok`.

use std::io::{Error, Write, stdout};

use rearguard::scope;

fn main() {
    let _ = scope(|s| -> Result<(), Error> {
        s.defer(|| stdout().write(b"closed"));
        Ok(())
    });
}
