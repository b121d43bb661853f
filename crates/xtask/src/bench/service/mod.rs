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

use self::figures::Figures;
use super::{
    machine::{self, Machine},
    output::{Folder, heading, write_json},
    program,
};
use crate::shell::{self, say};

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
    let program = program::build("rearguard", FEATURES, "service")?;
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

/// User instructions an operation, from the difference of two runs under valgrind.
fn count_instructions(program: &Path, folder: &Folder, figures: &mut Figures) -> Result<()> {
    program::provide_valgrind()?;
    let listed = shell::capture(Command::new(program).arg("list"))?;
    for line in listed.lines() {
        let (row, side) = line.split_once('\t').context("expected a row and a side")?;
        if figures.get(row, side, "ns").is_none() {
            continue;
        }
        let counted = program::instructions(program, &["run", row, side], TIMES, folder)?;
        figures.set(row, side, figures::INSTRUCTIONS, counted);
    }
    Ok(())
}
