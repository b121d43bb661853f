//! `cargo xtask bench scope`: what cleanup costs in Go, with what Rust offers, and with Rearguard.
//!
//! The programs are in `crates/rearguard/benches/scope`. Each has its turn in every round, and the
//! least time counts: what disturbs the machine only ever adds to it.

mod bars;
mod figures;
mod table;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Result, bail};

use self::figures::Figures;
use super::{
    machine::{self, Machine},
    output::{Folder, heading, write_json},
    program,
};
use crate::{
    shell::{self, say},
    tools::{self, Install},
};

const PEER: &str = "crates/rearguard/benches/scope/peer.go";

/// How often a case is run under valgrind. What starting and stopping cost cancels between the two.
const TIMES: (u32, u32) = (200, 1200);

/// Rows with this in their name take turns with another thread, which valgrind does not show.
const THREADS: &str = "two threads";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Write the numbers to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds; in each, every program has its turn.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only rows with this in their name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Count user instructions with valgrind too: about a minute more.
    #[arg(long)]
    callgrind: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    let folder = Folder::new()?;
    let rust = program::build("rearguard", "tokio", "scope")?;
    let go = build_peer(&folder)?;
    let machine = Machine::look();
    let mut figures = Figures::default();
    say(format_args!("measuring, {} rounds", options.rounds));
    for _ in 0..options.rounds {
        for program in [Some(&rust), go.as_ref()].into_iter().flatten() {
            let mut command = Command::new(program);
            figures.add(&shell::capture(command.args(["measure", &options.only]))?)?;
        }
    }
    if options.callgrind {
        count_instructions(&rust, &folder, &mut figures)?;
    }
    let bars = bars::bars(&figures);
    let text = heading(&machine, &versions())
        + &table::times(&figures)
        + &table::instructions(&figures)
        + &table::verdicts(&bars);
    say(format_args!("\n{text}took {} s", begin.elapsed().as_secs()));
    if let Some(file) = &options.json {
        write_json(file, &table::json(&machine, &figures, &bars, options.rounds))?;
    }
    if bars.iter().any(|bar| bar.is_met() == Some(false)) {
        bail!("a bar was missed");
    }
    Ok(())
}

/// Builds the same in Go; none where there is no Go.
fn build_peer(folder: &Folder) -> Result<Option<PathBuf>> {
    tools::provide(&[tools::GO], Install::Allowed);
    let Some(go) = tools::GO.find() else {
        say(format_args!("measuring without Go"));
        return Ok(None);
    };
    let program = folder.0.join("peer");
    let mut command = Command::new(go);
    command.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GO111MODULE", "off")]);
    shell::run(command.args(["build", "-o"]).arg(&program).arg(PEER))?;
    Ok(Some(program))
}

fn versions() -> Vec<(&'static str, String)> {
    let rustc = Some(("rustc", machine::version(Path::new("rustc"), "--version")));
    let go = tools::GO.find().map(|go| ("go", machine::version(&go, "version")));
    [rustc, go].into_iter().flatten().collect()
}

/// User instructions an operation, from the difference of two runs under valgrind.
fn count_instructions(program: &Path, folder: &Folder, figures: &mut Figures) -> Result<()> {
    program::provide_valgrind()?;
    for (row, sides) in &mut figures.rows {
        if row.contains(THREADS) {
            continue;
        }
        for (side, figure) in sides.iter_mut().filter(|(side, _)| *side != "Go") {
            let counted = program::instructions(program, &["run", row, side], TIMES, folder)?;
            figure.instructions = Some(counted);
        }
    }
    Ok(())
}
