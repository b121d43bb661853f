//! `cargo xtask bench slo`: what watching objectives costs.
//!
//! Evaluating and writing down is measured by the program in `crates/control/benches/slo`, recording on
//! the gateway itself, and beside it stands a Prometheus that evaluates the exported rules.

mod prometheus;
mod recording;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use self::{prometheus::Peer, recording::Recording};
use super::{
    machine::{self, Machine},
    output::{Folder, heading, number, write_json},
    program,
};
use crate::shell::{self, say};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Write the numbers to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Services, each with five objectives.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    services: u32,
    /// Seconds that are simulated.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Services that Prometheus watches, each with five objectives; 0 leaves it out.
    #[arg(long, default_value_t = 200)]
    prometheus_services: u32,
    /// How often the gateway's instructions are counted with and without objectives.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure this program as Rearguard instead of building it.
    #[arg(long, value_name = "PROGRAM")]
    rearguard: Option<PathBuf>,
}

/// A number that must not be above a bar.
struct Bar {
    name: &'static str,
    value: f64,
    most: f64,
    unit: &'static str,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    let folder = Folder::new()?;
    if options.prometheus_services > 0 {
        prometheus::provide()?;
    }
    let program = program::build("control", "", "slo")?;
    let rearguard = match &options.rearguard {
        Some(program) => program.clone(),
        None => program::rearguard()?,
    };
    let machine = Machine::look();
    let ours = Ours::measure(options, &program)?;
    let recording = recording::measure(&rearguard, &folder, options.rounds)?;
    let peer = match options.prometheus_services {
        0 => None,
        services => Some(prometheus::measure(&program, &folder, services)?),
    };
    let bars = bars(&ours, &recording);
    let mut text = heading(&machine, &versions(&rearguard, peer.as_ref()));
    text += &table_of_bars(&bars);
    text += &format!(
        "\n{} objectives, {:.1} KB each; {:.0} instructions a request without objectives, {:.0} more with five.\n",
        ours.objectives,
        ours.engine_bytes / ours.objectives / 1e3,
        recording.without,
        recording.five,
    );
    if let Some(peer) = &peer {
        text += &table_of_peer(&ours, peer);
    }
    say(format_args!("\n{text}took {} s", begin.elapsed().as_secs()));
    if let Some(file) = &options.json {
        write_json(file, &to_json(&bars, &ours, &recording, peer.as_ref()))?;
    }
    if bars.iter().any(|bar| bar.value > bar.most) {
        bail!("a bar was missed");
    }
    Ok(())
}

/// What evaluating each second, and writing down, takes of a core and of memory.
struct Ours {
    objectives: f64,
    evaluating_core_ratio: f64,
    writing_core_ratio: f64,
    engine_bytes: f64,
    resident_bytes: f64,
}

impl Ours {
    fn measure(options: &Options, program: &Path) -> Result<Self> {
        let (services, seconds) = (options.services.to_string(), options.seconds.to_string());
        say(format_args!("evaluating {services} services × 5 objectives, {seconds} seconds"));
        let said = shell::capture(Command::new(program).args(["evaluate", &services, &seconds]))?;
        let said: Value = serde_json::from_str(&said).context("the bench prints no JSON")?;
        let number_of = |name: &str| said[name].as_f64().with_context(|| format!("no {name}"));
        Ok(Self {
            objectives: number_of("objectives")?,
            evaluating_core_ratio: number_of("evaluating_core_ratio")?,
            writing_core_ratio: number_of("writing_core_ratio")?,
            engine_bytes: number_of("engine_bytes")?,
            resident_bytes: number_of("resident_bytes")?,
        })
    }

    /// Processor time of one evaluation of one objective: each second has one.
    fn seconds(&self) -> f64 {
        self.evaluating_core_ratio / self.objectives
    }
}

fn bars(ours: &Ours, recording: &Recording) -> [Bar; 4] {
    [
        Bar {
            name: "evaluating each second",
            value: ours.evaluating_core_ratio * 100.0,
            most: 5.0,
            unit: "% of a core",
        },
        Bar {
            name: "writing down every 2 s",
            value: ours.writing_core_ratio * 100.0,
            most: 5.0,
            unit: "% of a core",
        },
        Bar {
            name: "memory of the process",
            value: ours.resident_bytes / 1e6,
            most: 200.0,
            unit: "MB",
        },
        Bar {
            name: "recording a request into 5 objectives, of the gateway's instructions",
            value: recording.five / recording.without * 100.0,
            most: 5.0,
            unit: "%",
        },
    ]
}

fn versions(rearguard: &Path, peer: Option<&Peer>) -> Vec<(&'static str, String)> {
    let mut versions = vec![
        ("rustc", machine::version(Path::new("rustc"), "--version")),
        ("rearguard", machine::version(rearguard, "--version")),
    ];
    versions.extend(peer.map(|peer| ("prometheus", peer.version.clone())));
    versions
}

fn table_of_bars(bars: &[Bar]) -> String {
    let mut text = "\n| what | measured | at most | |\n|---|---|---|---|\n".to_owned();
    for bar in bars {
        let verdict = if bar.value <= bar.most { "met" } else { "missed" };
        let (value, most) = (number(Some(bar.value), 2), number(Some(bar.most), 0));
        text +=
            &format!("| {} | {value} {} | {most} {} | {verdict} |\n", bar.name, bar.unit, bar.unit);
    }
    text
}

/// Ours and Prometheus, and how many times as much it takes.
fn table_of_peer(ours: &Ours, peer: &Peer) -> String {
    let memory = |bytes: f64, objectives: f64| bytes / objectives / 1e3;
    let (here, there) = (
        memory(ours.resident_bytes, ours.objectives),
        memory(peer.resident_bytes as f64, peer.objectives as f64),
    );
    let left_out = match peer.missed {
        0 => "kept up".to_owned(),
        missed => format!("left out {missed} of {}", missed + peer.evaluations),
    };
    format!(
        "
| | objectives | evaluated | processor time of one evaluation of one objective | memory | of one objective |
|---|---|---|---|---|---|
| Rearguard | {} | each second | {:.2} µs | {:.0} MB | {here:.0} KB |
| Prometheus, {left_out} | {} | each minute | {:.0} µs | {:.0} MB | {there:.0} KB |
| ratio | | | {:.0} | | {:.1} |
",
        ours.objectives,
        ours.seconds() * 1e6,
        ours.resident_bytes / 1e6,
        peer.objectives,
        peer.seconds * 1e6,
        peer.resident_bytes as f64 / 1e6,
        peer.seconds / ours.seconds(),
        there / here,
    )
}

fn to_json(bars: &[Bar], ours: &Ours, recording: &Recording, peer: Option<&Peer>) -> Value {
    let bars =
        bars.iter().map(|bar| json!({ "name": bar.name, "value": bar.value, "most": bar.most }));
    let peer = peer.map(|peer| {
        json!({
            "version": peer.version,
            "objectives": peer.objectives,
            "evaluations": peer.evaluations,
            "evaluations_missed": peer.missed,
            "processor_seconds_per_evaluation": peer.seconds,
            "resident_bytes": peer.resident_bytes,
        })
    });
    json!({
        "bars": bars.collect::<Vec<_>>(),
        "recording": {
            "instructions_without": recording.without,
            "instructions_of_five_objectives": recording.five,
        },
        "rearguard": {
            "objectives": ours.objectives,
            "evaluating_core_ratio": ours.evaluating_core_ratio,
            "writing_core_ratio": ours.writing_core_ratio,
            "processor_seconds_per_evaluation": ours.seconds(),
            "engine_bytes": ours.engine_bytes,
            "resident_bytes": ours.resident_bytes,
        },
        "prometheus": peer,
    })
}
