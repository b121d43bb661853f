//! The code stands as rustfmt leaves it.

use anyhow::Result;

use super::Problems;
use crate::shell;

pub(super) fn check() -> Result<Problems> {
    if shell::succeeds(shell::cargo().args(["fmt", "--all", "--check"]))? {
        return Ok(Vec::new());
    }
    Ok(vec!["the code is not formatted: run `cargo fmt`".to_owned()])
}
