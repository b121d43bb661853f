//! `rearguard slo check PATH…`

use std::{
    io::{self, IsTerminal as _, Write},
    process::ExitCode,
};

use super::PathArguments;
use crate::documents::{self, s};

pub(super) fn run(arguments: &PathArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = documents::read(&arguments.paths)?;
    let loaded = super::load(&sources);
    let color = documents::color(io::stdout().is_terminal());
    documents::show(&loaded.diagnostics, &sources, color, out)?;
    if loaded.has_errors() {
        return Ok(ExitCode::FAILURE);
    }
    for objective in &loaded.objectives {
        writeln!(
            out,
            "{}: {} of {}, {} alert{}",
            objective.name,
            objective.target,
            objective.service,
            objective.alerts.len(),
            s(objective.alerts.len())
        )?;
    }
    let (files, count) = (sources.len(), loaded.objectives.len());
    writeln!(out, "ok: {files} file{}, {count} objective{}", s(files), s(count))?;
    Ok(ExitCode::SUCCESS)
}
