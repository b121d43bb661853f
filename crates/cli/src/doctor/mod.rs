//! `rearguard doctor`: finds deferred mistakes of Go services.
//!
//! * [`check`]: what the rules find in Go code; the command without a subcommand.
//! * [`explain`]: the page of a rule.
//! * [`lsp`]: findings and quick fixes in an editor.
//! * [`profile`]: what a pprof profile says about cleanup.

mod check;
mod explain;
mod lsp;
pub(crate) mod profile;

use std::{io, process::ExitCode};

/// What `doctor` is given.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct DoctorArguments {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    #[command(flatten)]
    check: check::CheckArguments,
}

#[derive(Debug, clap::Subcommand)]
enum DoctorCommand {
    /// Shows the page of a rule; `list` shows all rules
    Explain(explain::ExplainArguments),
    Profile(profile::ProfileArguments),
    /// Speaks the Language Server Protocol on standard input and output: findings and quick fixes
    Lsp(lsp::LspArguments),
}

/// What the command ends with.
const EXIT_CODES: &str = "\
Exit codes: 0 nothing found, 1 something found, 2 called wrongly or something could not be read, \
3 a package could not be analysed because of a mistake of this program";

/// Runs the command.
pub(crate) fn run(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let out = &mut io::stdout().lock();
    match &arguments.command {
        None => check::run(&arguments.check, out),
        Some(DoctorCommand::Explain(arguments)) => {
            explain::run(arguments, out).map(|()| ExitCode::SUCCESS)
        }
        Some(DoctorCommand::Profile(arguments)) => {
            profile::run(arguments, out).map(|()| ExitCode::SUCCESS)
        }
        Some(DoctorCommand::Lsp(arguments)) => lsp::run(arguments, &mut io::stdin().lock(), out),
    }
}
