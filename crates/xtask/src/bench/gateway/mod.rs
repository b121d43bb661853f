//! `cargo xtask bench gateway`: nginx, haproxy and Rearguard in front of the same upstream.
//!
//! What counts is the processor time a request costs, as a ratio to nginx in the same round: it
//! holds still where requests per second do not.

pub(super) mod instructions;
mod load;
mod measured;
mod proxy;
mod report;
mod variant;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use self::{
    load::Load,
    measured::{Idle, Measured, Turn},
    proxy::{Proxy, Setup, Workers},
    variant::{Variant, variants},
};
use super::{
    client, counts,
    machine::{self, Machine},
    output::{Folder, write_json},
    program,
    server::{Server, Under},
};
use crate::{
    shell::say,
    tools::{self, Install},
};

/// Connections that carry the load, for each thread of `wrk`.
const CONNECTIONS: usize = 64;

/// The connections that a proxy must be able to hold under load, to both sides.
const ROOM: usize = 4096;

/// Long enough that pools are full and code is warm.
const WARM_UP_SECONDS: u32 = 1;
const WARM_UP_BATCHES: usize = 80;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
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

struct Bench<'a> {
    options: &'a Options,
    folder: Folder,
    rearguard: PathBuf,
    perf: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    provide(options)?;
    machine::raise_open_files((options.idle + ROOM + 1000).try_into()?)?;
    let rearguard = match &options.rearguard {
        Some(program) => program.clone(),
        None if options.only.contains(&Proxy::Rearguard) => program::rearguard()?,
        None => PathBuf::new(),
    };
    let folder = Folder::new()?;
    let perf = counts::perf_works();
    let bench = Bench { options, folder, rearguard, perf };
    let machine = Machine::look();
    let versions = bench.versions();
    let mut report = report::Report::new(&machine, &versions, options);
    // What was measured is shown, whatever goes wrong afterwards.
    let result = bench.fill(&mut report, machine.cores);
    let report = report.finish(begin.elapsed());
    say(format_args!("\n{}", report.text));
    if let Some(file) = &options.json {
        write_json(file, &report.json)?;
    }
    result
}

fn provide(options: &Options) -> Result<()> {
    let mut needed = vec![tools::NGINX, tools::WRK];
    if options.only.contains(&Proxy::Haproxy) {
        needed.push(tools::HAPROXY);
    }
    if options.callgrind {
        needed.push(tools::VALGRIND);
    }
    let missing = tools::provide(&needed, Install::Allowed);
    if !missing.is_empty() {
        bail!("the bench needs {}", tools::names(&missing));
    }
    Ok(())
}

impl Bench<'_> {
    fn fill(&self, report: &mut report::Report, cores: usize) -> Result<()> {
        for variant in variants(cores) {
            say(format_args!("measuring: {}", variant.name));
            report.add_variant(&variant, &self.measure(&variant)?);
        }
        if self.options.idle > 0 {
            say(format_args!("measuring: {} idle connections", self.options.idle));
            report.add_idle(&self.measure_idle()?);
        }
        if self.options.callgrind {
            say(format_args!("counting instructions under valgrind"));
            report.add_callgrind(&self.count_instructions()?);
        }
        Ok(())
    }

    fn versions(&self) -> Vec<(&'static str, String)> {
        let mut versions = Vec::new();
        for proxy in &self.options.only {
            let (program, argument) = match proxy {
                Proxy::Nginx => (tools::NGINX.find(), "-v"),
                Proxy::Haproxy => (tools::HAPROXY.find(), "-v"),
                Proxy::Rearguard => (Some(self.rearguard.clone()), "--version"),
            };
            let version = program.map_or_else(String::new, |it| machine::version(&it, argument));
            versions.push((proxy.name(), version));
        }
        versions
    }

    /// Every proxy has its turn in every round, so that what disturbs the machine disturbs all.
    fn measure(&self, variant: &Variant) -> Result<Vec<Measured>> {
        let half = variant.workers.div_ceil(2);
        let upstream = self.start_upstream(half, &variant.others)?;
        let load = Load {
            threads: variant.load_threads,
            connections: CONNECTIONS * variant.load_threads,
            under: variant.others.clone(),
        };
        let workers = Workers::Count(variant.workers);
        let mut running = Vec::new();
        for &proxy in &self.options.only {
            let server =
                self.start(proxy, upstream.port(), workers, ROOM, variant.proxy.clone())?;
            let seen = load
                .run(server.port(), WARM_UP_SECONDS, &[])
                .with_context(|| format!("in front of {}", proxy.name()))?;
            running.push((proxy, server, seen.requests, Vec::new()));
        }
        for _ in 0..self.options.rounds {
            for (proxy, server, _, turns) in &mut running {
                let turn = self.turn(server, &load);
                turns.push(turn.with_context(|| format!("in front of {}", proxy.name()))?);
            }
        }
        let mut measured = Vec::new();
        for (proxy, server, warm_up, turns) in running {
            let resident_bytes = server.resident()?;
            let proportional_bytes = server.proportional();
            server.stop()?;
            let lines = count_lines(&proxy.log(&self.folder_of(proxy)))?;
            let requests: u64 = warm_up + turns.iter().map(|turn| turn.seen.requests).sum::<u64>();
            let logged_ratio = lines as f64 / requests as f64;
            measured.push(Measured {
                proxy,
                turns,
                resident_bytes,
                proportional_bytes,
                logged_ratio,
            });
            fs::remove_dir_all(self.folder_of(proxy))?;
        }
        upstream.stop()?;
        Ok(measured)
    }

    fn turn(&self, server: &Server, load: &Load) -> Result<Turn> {
        let out = self.folder.0.join("perf");
        let wrapper = if self.perf { counts::perf(server.processes()?, &out) } else { Vec::new() };
        let before = server.processor_time()?;
        let seen = load.run(server.port(), self.options.seconds, &wrapper)?;
        let spent = server.processor_time()?.saturating_sub(before);
        let requests = seen.requests as f64;
        let instructions = if self.perf {
            let counted = counts::read_perf(&out)?;
            Some((counted.user as f64 / requests, counted.kernel as f64 / requests))
        } else {
            None
        };
        let processor_us_per_request = spent.as_secs_f64() * 1e6 / requests;
        Ok(Turn { processor_us_per_request, seen, instructions })
    }

    /// Memory before and with many connections that have each had one answer. Each proxy is
    /// fresh, so that no freed memory hides what a connection takes.
    fn measure_idle(&self) -> Result<Vec<Idle>> {
        let count = self.options.idle;
        let upstream = self.start_upstream(1, &Under::Nothing)?;
        let mut measured = Vec::new();
        for &proxy in &self.options.only {
            let room = count + ROOM;
            let server =
                self.start(proxy, upstream.port(), Workers::Count(1), room, Under::Nothing)?;
            client::send_batches(server.port(), CONNECTIONS, WARM_UP_BATCHES)?;
            let before_bytes = server.resident()?;
            let connections = client::open_idle(server.port(), count)
                .with_context(|| format!("opening idle connections to {}", proxy.name()))?;
            let after_bytes = settled(&server)?;
            measured.push(Idle {
                proxy,
                connections: connections.len(),
                before_bytes,
                after_bytes,
            });
            drop(connections);
            server.stop()?;
        }
        upstream.stop()?;
        Ok(measured)
    }

    /// User instructions a request.
    fn count_instructions(&self) -> Result<Vec<(Proxy, f64)>> {
        let upstream = self.start_upstream(1, &Under::Nothing)?;
        let mut counted = Vec::new();
        for &proxy in &self.options.only {
            let instructions = instructions::a_request(&self.folder, |under| {
                self.start(proxy, upstream.port(), Workers::SingleProcess, ROOM, under)
            });
            let instructions =
                instructions.with_context(|| format!("{} under valgrind", proxy.name()))?;
            counted.push((proxy, instructions));
        }
        upstream.stop()?;
        Ok(counted)
    }

    fn folder_of(&self, proxy: Proxy) -> PathBuf {
        self.folder.0.join(proxy.name())
    }

    fn start_upstream(&self, workers: usize, under: &Under) -> Result<Server> {
        proxy::start_upstream(&self.folder.0.join("upstream"), workers, under)
    }

    fn start(
        &self,
        proxy: Proxy,
        upstream: u16,
        workers: Workers,
        connections: usize,
        under: Under,
    ) -> Result<Server> {
        let folder = self.folder_of(proxy);
        let rearguard = &self.rearguard;
        proxy.start(&Setup {
            folder: &folder,
            rearguard,
            upstream,
            workers,
            connections,
            under,
            documents: &[],
        })
    }
}

/// Resident memory once it no longer grows: a proxy may still be busy with the last connections.
fn settled(server: &Server) -> Result<u64> {
    let mut last = server.resident()?;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(250));
        let now = server.resident()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

fn count_lines(file: &Path) -> Result<usize> {
    let log = File::open(file).with_context(|| format!("no access log at {}", file.display()))?;
    let mut lines = 0;
    for part in BufReader::new(log).split(b'\n') {
        part?;
        lines += 1;
    }
    Ok(lines)
}
