//! Clippy and rustdoc, with warnings as errors.

use anyhow::Result;

use super::Problems;
use crate::shell;

pub(super) fn clippy() -> Result<Problems> {
    let mut command = shell::cargo();
    command.args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    if shell::succeeds(&mut command)? {
        return Ok(Vec::new());
    }
    Ok(vec!["clippy has something to say: see its lines above".to_owned()])
}

pub(super) fn doc() -> Result<Problems> {
    let mut command = shell::cargo();
    command.args(["doc", "--quiet", "--workspace", "--all-features", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    if shell::succeeds(&mut command)? {
        return Ok(Vec::new());
    }
    Ok(vec!["rustdoc has something to say: see its lines above".to_owned()])
}
