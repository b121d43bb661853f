//! `rearguard check PATH…`

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    process::ExitCode,
};

use config::Upstream;
use gateway::Timeouts;

use crate::documents::{self, s};

/// What `check` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A service, as for `up`
    #[arg(long, value_name = "[HOST[/SUBSET]=]URL")]
    upstream: Vec<Upstream>,
}

/// Runs the command.
pub(crate) fn run(arguments: &CheckArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = documents::read(&arguments.paths)?;
    let loaded = documents::load(&sources, &arguments.upstream, &Timeouts::default());
    let color = documents::color(io::stdout().is_terminal());
    documents::show(&loaded.diagnostics, &sources, color, out)?;
    if loaded.has_errors() {
        return Ok(ExitCode::FAILURE);
    }
    let routing = &loaded.routing;
    let (services, hosts) = (routing.services.len(), routing.virtual_hosts.len());
    let routes: usize = routing.virtual_hosts.iter().map(|host| host.routes.len()).sum();
    writeln!(
        out,
        "ok: {} file{}, {services} service{}, {hosts} virtual service{}, {routes} route{}",
        sources.len(),
        s(sources.len()),
        s(services),
        s(hosts),
        s(routes)
    )?;
    Ok(ExitCode::SUCCESS)
}
