//! `cargo xtask bench slo`: what watching objectives costs.
//!
//! The program is in `crates/control/benches`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{
    machine::{self, Machine},
    output::{Folder, heading, number, write_json},
    program,
};
use crate::shell::{self, say};

/// What the gateway spends on a request in user space, as `cargo xtask bench gateway --callgrind`
/// counts it.
const GATEWAY_INSTRUCTIONS: f64 = 28_600.0;

/// Requests under valgrind. What starting and stopping cost cancels between the two.
const REQUESTS: (u32, u32) = (1_000, 11_000);

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
    let program = program::build("control", "", "slo")?;
    let machine = Machine::look();
    let (services, seconds) = (options.services.to_string(), options.seconds.to_string());
    say(format_args!("evaluating {services} services × 5 objectives, {seconds} seconds"));
    let said = shell::capture(Command::new(&program).args(["evaluate", &services, &seconds]))?;
    let said: Value = serde_json::from_str(&said).context("the bench prints no JSON")?;
    let number_of = |name: &str| said[name].as_f64().with_context(|| format!("no {name}"));
    program::provide_valgrind()?;
    let instructions = program::instructions(&program, &["record"], REQUESTS, &folder)?;
    let bars = [
        Bar {
            name: "evaluating each second",
            value: number_of("evaluating_core_ratio")? * 100.0,
            most: 5.0,
            unit: "% of a core",
        },
        Bar {
            name: "writing down every 2 s",
            value: number_of("writing_core_ratio")? * 100.0,
            most: 5.0,
            unit: "% of a core",
        },
        Bar {
            name: "memory of the process",
            value: number_of("resident_bytes")? / 1e6,
            most: 200.0,
            unit: "MB",
        },
        Bar {
            name: "recording a request into 5 objectives, of the gateway's instructions",
            value: instructions / GATEWAY_INSTRUCTIONS * 100.0,
            most: 5.0,
            unit: "%",
        },
    ];
    let versions = [("rustc", machine::version(Path::new("rustc"), "--version"))];
    let mut text = heading(&machine, &versions);
    text += "\n| what | measured | at most | |\n|---|---|---|---|\n";
    for bar in &bars {
        let verdict = if bar.value <= bar.most { "met" } else { "missed" };
        let (value, most) = (number(Some(bar.value), 2), number(Some(bar.most), 0));
        text +=
            &format!("| {} | {value} {} | {most} {} | {verdict} |\n", bar.name, bar.unit, bar.unit);
    }
    let kilobytes = number_of("engine_bytes")? / number_of("objectives")? / 1e3;
    text += &format!(
        "\n{} objectives, {kilobytes:.1} KB each; {instructions:.0} instructions a request.\n",
        said["objectives"]
    );
    say(format_args!("\n{text}took {} s", begin.elapsed().as_secs()));
    if let Some(file) = &options.json {
        let bars = bars
            .iter()
            .map(|bar| json!({ "name": bar.name, "value": bar.value, "most": bar.most }));
        let bars: Vec<_> = bars.collect();
        write_json(file, &json!({ "bars": bars, "instructions": instructions, "measured": said }))?;
    }
    if bars.iter().any(|bar| bar.value > bar.most) {
        bail!("a bar was missed");
    }
    Ok(())
}
