//! `cargo xtask test`: every test of the workspace, with the servers that they talk to.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::{
    shell::{self, say},
    tools::{self, Install},
};

const GO_EXAMPLES: &str = "examples/go";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Install nothing; only say what is missing.
    #[arg(long)]
    no_install: bool,
    /// Passed on to `cargo test`: a filter, `-p CRATE`, `-- --nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let install = if options.no_install { Install::Forbidden } else { Install::Allowed };
    let missing = tools::provide(tools::FOR_TESTS, install);
    let mut command = shell::cargo();
    command.args(["test", "--no-fail-fast", "--all-features"]);
    // A package that is asked for replaces the whole workspace.
    if !options.rest.iter().any(|word| word == "-p" || word.starts_with("--package")) {
        command.arg("--workspace");
    }
    for tool in tools::FOR_TESTS {
        if let Some(file) = tool.find() {
            command.env(tool.variable(), file);
        }
    }
    command.args(&options.rest);
    let mut failed = Vec::new();
    if !shell::succeeds(&mut command)? {
        failed.push("cargo's");
    }
    if options.rest.is_empty() && !go_tests()? {
        failed.push("Go's");
    }
    if !failed.is_empty() {
        bail!("tests failed: {} lines above say which", failed.join(" and "));
    }
    if !missing.is_empty() {
        bail!("tests passed, but without {}", tools::names(&missing));
    }
    say(format_args!("ok: every test passed"));
    Ok(())
}

/// The examples in Go have tests of their own, and depend on nothing that must be downloaded.
fn go_tests() -> Result<bool> {
    let (Some(go), true) = (tools::GO.find(), Path::new(GO_EXAMPLES).is_dir()) else {
        return Ok(true);
    };
    let mut command = Command::new(go);
    command.current_dir(GO_EXAMPLES).args(["test", "./..."]);
    shell::succeeds(command.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]))
}
