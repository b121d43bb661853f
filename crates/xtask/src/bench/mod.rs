//! `cargo xtask bench AREA`: speeds as ratios against peers, measured side by side in one run.

mod client;
mod counts;
mod gateway;
mod load;
mod machine;
mod measured;
mod proxy;
mod report;
mod server;
mod statistics;
mod variant;

use std::path::PathBuf;

use anyhow::Result;

use proxy::Proxy;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is measured.
    area: Area,
    /// Write the numbers to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only these.
    #[arg(long, value_delimiter = ',', default_value = "nginx,haproxy,rearguard")]
    only: Vec<Proxy>,
    /// Rounds; in each, every proxy has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long a turn lasts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Idle connections whose memory is measured; 0 leaves that out.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Count user instructions with valgrind, for machines without `perf`. Slow.
    #[arg(long)]
    callgrind: bool,
    /// Measure this program as Rearguard instead of building it.
    #[arg(long, value_name = "PROGRAM")]
    rearguard: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Area {
    /// nginx, haproxy and Rearguard in front of the same upstream, under the same load.
    Gateway,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match options.area {
        Area::Gateway => gateway::run(options),
    }
}
