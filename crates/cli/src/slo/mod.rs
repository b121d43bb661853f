//! `rearguard slo`: objectives and their budgets.
//!
//! * `check`: OpenSLO documents, without watching them.
//! * `budget`: what is left of a budget, from two durations.
//! * `export`: the same objectives as rules for Prometheus.
//! * `status`: how a running gateway's objectives stand.
//! * `report`: a month, as Markdown.
//! * `watch`: what runs beside the gateway.

mod budget;
mod check;
mod export;
mod prepare;
mod report;
mod status;
pub(crate) mod watch;

use std::{io::Write, path::PathBuf, process::ExitCode};

use config::{LoadedObjectives, Source};
use jiff::tz::TimeZone;

pub(crate) use budget::spoken;
pub(crate) use prepare::Prepared;

/// What `slo` is given.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SloCommand {
    /// Checks OpenSLO documents; exits with 1 if there are errors
    Check(PathArguments),
    /// Says what is left of a budget
    Budget(budget::BudgetArguments),
    /// Writes the objectives as rules for those who keep their Prometheus
    Export(export::ExportArguments),
    /// Says how the objectives of a running gateway stand
    Status(status::StatusArguments),
    /// Writes a report of a month, as Markdown
    Report(report::ReportArguments),
}

/// Files to read.
#[derive(Debug, clap::Args)]
pub(crate) struct PathArguments {
    /// YAML files with OpenSLO documents, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// Runs a command.
pub(crate) fn run(command: &SloCommand, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        SloCommand::Check(arguments) => check::run(arguments, out),
        SloCommand::Budget(arguments) => budget::run(arguments, out),
        SloCommand::Export(arguments) => export::run(arguments, out),
        SloCommand::Status(arguments) => status::run(arguments, out),
        SloCommand::Report(arguments) => report::run(arguments, out),
    }
}

/// Reads the OpenSLO documents of files.
pub(crate) fn load(sources: &[Source]) -> LoadedObjectives {
    config::load_objectives(sources, &|name| TimeZone::get(name).ok())
}
