//! `cargo xtask bench AREA`: speeds as ratios against peers, measured side by side in one run.

mod client;
mod counts;
mod doctor;
mod gateway;
mod machine;
mod output;
mod program;
mod scope;
mod server;
mod service;
mod slo;
mod statistics;

use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is measured.
    #[command(subcommand)]
    area: Area,
}

#[derive(Debug, clap::Subcommand)]
enum Area {
    /// Reading Go code, beside `go vet`.
    Doctor(doctor::Options),
    /// nginx, haproxy and Rearguard in front of the same upstream, under the same load.
    Gateway(gateway::Options),
    /// Cleanup in Go, by hand and with Rearguard.
    Scope(scope::Options),
    /// What the layers of a service, and what it does for a request, cost.
    Service(service::Options),
    /// Evaluating objectives, and recording requests into them.
    Slo(slo::Options),
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.area {
        Area::Doctor(options) => doctor::run(options),
        Area::Gateway(options) => gateway::run(options),
        Area::Scope(options) => scope::run(options),
        Area::Service(options) => service::run(options),
        Area::Slo(options) => slo::run(options),
    }
}
