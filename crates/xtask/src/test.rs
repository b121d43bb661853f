//! `cargo xtask test`: every test of the workspace, with the servers that they talk to.

use anyhow::{Result, bail};

use crate::{
    shell::{self, say},
    tools::{self, Install},
};

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
    command.args(["test", "--no-fail-fast"]);
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
    if !shell::succeeds(&mut command)? {
        bail!("tests failed; cargo's lines above say which");
    }
    if !missing.is_empty() {
        bail!("tests passed, but without {}", tools::names(&missing));
    }
    say(format_args!("ok: every test passed"));
    Ok(())
}
