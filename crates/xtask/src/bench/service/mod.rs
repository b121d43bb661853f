//! `cargo xtask bench service`: what a request, and what a service does for it, costs.
//!
//! The program is `crates/rearguard/benches/service`; its areas measure what they like, and print
//! rows of numbers, each with its unit.

mod bars;
mod figures;
mod table;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use self::figures::Figures;
use super::{
    counts,
    machine::{self, Machine},
    output::{Folder, heading, write_json},
};
use crate::{
    shell::{self, say},
    tools::{self, Install},
};

/// The features of what is measured: those that the bench requires.
const FEATURES: &str = "layers,redis,postgres,testing";

/// How often a case is run under valgrind. What starting and stopping cost cancels between the two.
const TIMES: (u32, u32) = (200, 1200);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Write the numbers to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds; in each, every side has its turn.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only this area: a file in the bench's folder.
    #[arg(long, value_name = "AREA", default_value = "")]
    only: String,
    /// Count user instructions with valgrind too: about a minute more.
    #[arg(long)]
    callgrind: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    let folder = Folder::new()?;
    let program = build()?;
    let machine = Machine::look();
    say(format_args!("measuring, {} rounds", options.rounds));
    let mut figures = Figures::default();
    let mut command = Command::new(&program);
    command.args(["measure", &options.only, &options.rounds.to_string()]);
    figures.add(&shell::capture(&mut command)?)?;
    if options.callgrind {
        count_instructions(&program, &folder, &mut figures)?;
    }
    let bars = bars::bars(&figures);
    let rustc = machine::version(Path::new("rustc"), "--version");
    let text = heading(&machine, &[("rustc", rustc)])
        + &table::numbers(&figures)
        + &table::verdicts(&bars, &figures);
    say(format_args!("\n{text}took {} s", begin.elapsed().as_secs()));
    if let Some(file) = &options.json {
        write_json(file, &table::json(&machine, &figures, &bars, options.rounds))?;
    }
    if bars.iter().any(|bar| bar.is_met() == Some(false)) {
        bail!("a bar was missed");
    }
    Ok(())
}

/// Builds the program as a user of Rearguard would ship it.
fn build() -> Result<PathBuf> {
    say(format_args!("building the bench with the profile dist"));
    let mut command = shell::cargo();
    command.args(["build", "--quiet", "--profile", "dist", "-p", "rearguard"]);
    command.args(["--features", FEATURES, "--bench", "service", "--message-format=json"]);
    let messages = shell::capture(&mut command)?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = built
        .filter(|it| it["target"]["name"] == "service")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo names no program that it built")
}

/// User instructions an operation, from the difference of two runs under valgrind.
fn count_instructions(program: &Path, folder: &Folder, figures: &mut Figures) -> Result<()> {
    if !tools::provide(&[tools::VALGRIND], Install::Allowed).is_empty() {
        bail!("instructions cannot be counted without valgrind");
    }
    say(format_args!("counting instructions under valgrind"));
    let listed = shell::capture(Command::new(program).arg("list"))?;
    for line in listed.lines() {
        let (row, side) = line.split_once('\t').context("expected a row and a side")?;
        if figures.get(row, side, "ns").is_none() {
            continue;
        }
        let [few, many] = [TIMES.0, TIMES.1].map(|times| -> Result<u64> {
            let out = folder.0.join("callgrind");
            let mut command = Command::new(tools::VALGRIND.find().context("no valgrind")?);
            command.args(["--tool=callgrind", "--quiet"]);
            command.arg(format!("--callgrind-out-file={}", out.display()));
            command.arg(program).args(["run", row, side, &times.to_string()]);
            shell::run(&mut command)?;
            counts::read_callgrind(&out)
        });
        let more = f64::from(TIMES.1 - TIMES.0);
        figures.set(row, side, figures::INSTRUCTIONS, (many? as f64 - few? as f64) / more);
    }
    Ok(())
}
