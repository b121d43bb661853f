//! The error of a cleanup may become that of the scope.

use std::{io, num::ParseIntError};

use rearguard::scope;

fn main() {
    let _ = scope(|s| -> Result<(), ParseIntError> {
        s.defer(|| -> io::Result<()> { Err(io::ErrorKind::Other.into()) });
        Ok(())
    });
}
