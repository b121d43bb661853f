//! Prometheus as a peer: the rules that are exported, over three days of what they look at.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    bench::{
        client, machine,
        output::Folder,
        server::{Server, Under},
    },
    shell::{self, say},
    tools::{self, Install},
};

/// How often it evaluates, unless it is told otherwise.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long it may take to read its rules, and to evaluate each once.
const PATIENCE: Duration = Duration::from_secs(600);

/// What watching costs it.
pub(super) struct Peer {
    pub(super) version: String,
    pub(super) objectives: u64,
    /// Evaluations of an objective's rules that were measured.
    pub(super) evaluations: u64,
    /// Those that it left out, as the ones before had not ended.
    pub(super) missed: u64,
    /// Processor time of one.
    pub(super) seconds: f64,
    pub(super) resident_bytes: u64,
}

pub(super) fn provide() -> Result<()> {
    let missing = tools::provide(&[tools::PROMETHEUS, tools::PROMTOOL], Install::Allowed);
    if !missing.is_empty() {
        bail!("the bench needs {}", tools::names(&missing));
    }
    Ok(())
}

/// Lets it evaluate five objectives for each of so many services. `program` is ours, which writes
/// rules and samples.
pub(super) fn measure(program: &Path, folder: &Folder, services: u32) -> Result<Peer> {
    say(format_args!("evaluating {services} services × 5 objectives with Prometheus"));
    let folder = folder.0.join("prometheus");
    fs::create_dir_all(&folder)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut write = Command::new(program);
    shell::run(write.args(["peer", &services.to_string(), &now.to_string()]).arg(&folder))?;
    let mut import = Command::new(tools::PROMTOOL.find().context("no promtool")?);
    // One block, as it would have made of them by then.
    import.args([
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--quiet",
        "--max-block-duration=100h",
    ]);
    shell::run(import.arg(folder.join("samples")).arg(folder.join("data")))?;
    fs::remove_file(folder.join("samples"))?;
    let program = tools::PROMETHEUS.find().context("no prometheus")?;
    let mut server = start(&program, &folder)?;
    let peer = watch(&mut server, services)?;
    Ok(Peer { version: machine::version(&program, "--version"), ..peer })
}

fn start(program: &Path, folder: &Path) -> Result<Server> {
    let port = client::free_port()?;
    let config = folder.join("prometheus.yaml");
    let interval = INTERVAL.as_secs();
    fs::write(
        &config,
        format!("global: {{evaluation_interval: {interval}s}}\nrule_files: [rules.yaml]\n"),
    )?;
    let words = [
        program.display().to_string(),
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let words = words.map(Into::into);
    Server::spawn("prometheus", &words, &Under::Nothing, port, folder)
}

fn watch(server: &mut Server, services: u32) -> Result<Peer> {
    let port = server.port();
    let objectives = u64::from(services) * 5;
    // Everything was evaluated once, so caches are warm.
    let warm = || match Counted::read(port)? {
        counted if counted.evaluations >= objectives => Ok(()),
        counted => bail!("{} of {objectives} groups of rules evaluated", counted.evaluations),
    };
    server.wait_until(warm, PATIENCE)?;
    let (before, spent, begin) = (Counted::read(port)?, server.processor_time()?, Instant::now());
    thread::sleep(2 * INTERVAL);
    let after = Counted::read(port)?;
    let spent = (server.processor_time()? - spent).as_secs_f64();
    let evaluations = after.evaluations - before.evaluations;
    say(format_args!("{evaluations} evaluations in {} s", begin.elapsed().as_secs()));
    Ok(Peer {
        version: String::new(),
        objectives,
        evaluations,
        missed: after.missed - before.missed,
        seconds: spent / evaluations.max(1) as f64,
        resident_bytes: server.resident()?,
    })
}

/// What it says of itself: how often it evaluated a group of rules, which is an objective.
struct Counted {
    evaluations: u64,
    missed: u64,
}

impl Counted {
    fn read(port: u16) -> Result<Self> {
        let page = client::get(port, "/metrics")?;
        let sum = |name: &str| -> u64 {
            let values = page
                .lines()
                .filter(|line| line.strip_prefix(name).is_some_and(|it| it.starts_with('{')));
            values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
                as u64
        };
        Ok(Self {
            evaluations: sum("prometheus_rule_group_iterations_total"),
            missed: sum("prometheus_rule_group_iterations_missed_total"),
        })
    }
}
