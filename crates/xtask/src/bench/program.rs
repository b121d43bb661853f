//! The programs that measure: benches of our crates, built as a user would ship them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{counts, output::Folder};
use crate::{
    shell::{self, say},
    tools::{self, Install},
};

/// Builds a bench with the profile that is measured and shipped.
pub(super) fn build(package: &str, features: &str, bench: &str) -> Result<PathBuf> {
    say(format_args!("building the bench with the profile dist"));
    let mut command = shell::cargo();
    command.args(["build", "--quiet", "--profile", "dist", "-p", package]);
    command.args(["--features", features, "--bench", bench, "--message-format=json"]);
    let messages = shell::capture(&mut command)?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = built
        .filter(|it| it["target"]["name"] == bench)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo names no program that it built")
}

/// Builds the binary that is shipped.
pub(super) fn rearguard() -> Result<PathBuf> {
    say(format_args!("building rearguard with the profile dist"));
    shell::run(shell::cargo().args(["build", "--quiet", "--profile", "dist", "-p", "cli"]))?;
    let mut command = shell::cargo();
    let text = shell::capture(command.args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(folder).join("dist/rearguard"))
}

/// Provides valgrind, or fails.
pub(super) fn provide_valgrind() -> Result<()> {
    if !tools::provide(&[tools::VALGRIND], Install::Allowed).is_empty() {
        bail!("instructions cannot be counted without valgrind");
    }
    say(format_args!("counting instructions under valgrind"));
    Ok(())
}

/// User instructions of one of what the program does so often, as the last argument says. What starting
/// and stopping cost cancels between the two.
pub(super) fn instructions(
    program: &Path,
    arguments: &[&str],
    (few, many): (u32, u32),
    folder: &Folder,
) -> Result<f64> {
    let count = |times: u32| -> Result<u64> {
        let out = folder.0.join("callgrind");
        let mut command = Command::new(tools::VALGRIND.find().context("no valgrind")?);
        command.args(["--tool=callgrind", "--quiet"]);
        command.arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(program).args(arguments).arg(times.to_string());
        // What it prints is not asked for.
        shell::capture(&mut command)?;
        counts::read_callgrind(&out)
    };
    Ok((count(many)? as f64 - count(few)? as f64) / f64::from(many - few))
}
