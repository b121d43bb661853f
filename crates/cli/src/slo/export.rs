//! `rearguard slo export --prometheus PATH…`

use std::{
    io::{self, Write},
    process::ExitCode,
};

use control::slo::rules;

use super::PathArguments;
use crate::documents;

/// What `export` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    /// As recording and alerting rules
    #[arg(long, required = true)]
    prometheus: bool,
    #[command(flatten)]
    paths: PathArguments,
}

pub(super) fn run(arguments: &ExportArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = documents::read(&arguments.paths.paths)?;
    let loaded = super::load(&sources);
    let color = documents::stderr_color();
    documents::show(&loaded.diagnostics, &sources, color, &mut io::stderr())?;
    if loaded.has_errors() {
        return Ok(ExitCode::FAILURE);
    }
    let (page, left_out) = rules(&loaded.objectives);
    for objective in left_out {
        writeln!(io::stderr(), "left out: {}: {}", objective.objective, objective.reason)?;
    }
    out.write_all(page.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
