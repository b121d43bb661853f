//! `cargo xtask bench doctor`: how long reading Go code takes, beside `go vet`.
//!
//! Both read the standard library of the Go that is found: `rearguard doctor` with all rules, as a user
//! would call it, and `go vet std` with an empty build cache, as on a fresh machine of CI. What `go vet`
//! does is another thing, for which it has to compile: it is what one would run instead.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{
    machine::{self, Machine},
    output::{Folder, heading, number, write_json},
    program,
};
use crate::{
    shell::{self, say},
    tools::{self, Install},
};

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Write the numbers to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds of the doctor; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Do not run `go vet`, which takes minutes.
    #[arg(long)]
    alone: bool,
}

/// What a run took.
struct Took {
    wall: Duration,
    /// The most memory that it had, in bytes.
    resident: u64,
}

/// A number, the bar that it has to keep, and on which side of it.
struct Bar {
    name: &'static str,
    value: f64,
    bar: f64,
    at_least: bool,
    unit: &'static str,
}

impl Bar {
    fn is_met(&self) -> bool {
        if self.at_least { self.value >= self.bar } else { self.value <= self.bar }
    }
}

pub(super) fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    if !tools::provide(&[tools::GO], Install::Allowed).is_empty() {
        bail!("there is no Go to measure against");
    }
    let go = tools::GO.find().context("no go")?;
    let root = shell::capture(Command::new(&go).args(["env", "GOROOT"]))?;
    let library = Path::new(root.trim()).join("src");
    // The commands are no part of `std`.
    let folders = folders(&library)?;
    let bytes: u64 = folders.iter().map(|folder| go_bytes(folder)).sum::<Result<u64>>()?;
    let program = program::rearguard()?;
    let machine = Machine::look();
    let folder = Folder::new()?;
    say(format_args!("reading {:.1} MB of Go, {} rounds", bytes as f64 / 1e6, options.rounds));
    let doctor = doctor(&program, &folders, &folder, options.rounds)?;
    let vet = if options.alone { None } else { Some(vet(&go, &library, &folder)?) };
    let bars = bars(bytes, &doctor, vet.as_ref());
    let versions = [
        ("rustc", machine::version(Path::new("rustc"), "--version")),
        ("go", machine::version(&go, "version")),
    ];
    let text = heading(&machine, &versions) + &table(&doctor, vet.as_ref(), &bars);
    say(format_args!("\n{text}took {} s", begin.elapsed().as_secs()));
    if let Some(file) = &options.json {
        let bars: Vec<_> = bars
            .iter()
            .map(|bar| json!({ "name": bar.name, "value": bar.value, "bar": bar.bar, "unit": bar.unit }))
            .collect();
        let seconds = doctor.wall.as_secs_f64();
        write_json(file, &json!({ "bytes": bytes, "seconds": seconds, "bars": bars }))?;
    }
    if bars.iter().any(|bar| !bar.is_met()) {
        bail!("a bar was missed");
    }
    Ok(())
}

/// The doctor with all rules: the median of the rounds, and the most memory of all.
fn doctor(program: &Path, folders: &[PathBuf], folder: &Folder, rounds: u32) -> Result<Took> {
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let mut command = Command::new(program);
        command.arg("doctor").args(["--format", "json", "--output"]).arg(folder.0.join("found"));
        command.args(folders);
        taken.push(measure(&mut command)?);
    }
    taken.sort_by_key(|took| took.wall);
    let resident = taken.iter().map(|took| took.resident).max().unwrap_or_default();
    Ok(Took { wall: taken[taken.len() / 2].wall, resident })
}

fn bars(bytes: u64, doctor: &Took, vet: Option<&Took>) -> Vec<Bar> {
    let wall = doctor.wall.as_secs_f64();
    let (speed, memory) = (bytes as f64 / 1e6 / wall, doctor.resident as f64 / 1e6);
    let mut bars = vec![
        Bar { name: "speed, all rules", value: speed, bar: 10.0, at_least: true, unit: "MB/s" },
        Bar { name: "memory", value: memory, bar: 500.0, at_least: false, unit: "MB" },
    ];
    bars.extend(vet.map(|vet| Bar {
        name: "go vet, cold, takes",
        value: vet.wall.as_secs_f64() / wall,
        bar: 20.0,
        at_least: true,
        unit: "× as long",
    }));
    bars
}

fn table(doctor: &Took, vet: Option<&Took>, bars: &[Bar]) -> String {
    let row = |name: &str, took: &Took| {
        let memory = number(Some(took.resident as f64 / 1e6), 0);
        format!("| {name} | {:.2} | {memory} |\n", took.wall.as_secs_f64())
    };
    let mut text = "\n| what | seconds | memory, MB |\n|---|---:|---:|\n".to_owned();
    text += &row("rearguard doctor", doctor);
    text += &vet.map(|vet| row("go vet std, empty cache", vet)).unwrap_or_default();
    text += "\n| what | measured | bar | |\n|---|---|---|---|\n";
    for bar in bars {
        let side = if bar.at_least { "≥" } else { "≤" };
        let verdict = if bar.is_met() { "met" } else { "missed" };
        let value = number(Some(bar.value), 1);
        let Bar { name, bar, unit, .. } = bar;
        text += &format!("| {name} | {value} {unit} | {side} {bar} | {verdict} |\n");
    }
    text
}

/// `go vet std` with nothing built.
fn vet(go: &Path, library: &Path, folder: &Folder) -> Result<Took> {
    say(format_args!("go vet std with an empty cache: this takes minutes"));
    let mut command = Command::new(go);
    command.args(["vet", "std"]).current_dir(library);
    command.env("GOCACHE", folder.0.join("cache")).env("GOFLAGS", "").env("GOTOOLCHAIN", "local");
    measure(&mut command)
}

/// Runs a command to its end, whatever it finds.
fn measure(command: &mut Command) -> Result<Took> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let mut resident = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        resident = resident.max(high_water(child.id()).unwrap_or_default());
        thread::sleep(LOOK_EVERY);
    };
    // 0: nothing was found, 1: something was.
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("{} ended with {status}", command.get_program().display());
    }
    Ok(Took { wall: begun.elapsed(), resident })
}

/// The most memory that a process has had so far, in bytes: `VmHWM` in `/proc/PID/status`.
fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

/// The folders of the standard library, its commands left out.
fn folders(library: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in
        fs::read_dir(library).with_context(|| format!("cannot read {}", library.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "cmd" | "vendor" | "testdata") {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// How many bytes of Go are in a folder, as the doctor reads it.
fn go_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !matches!(name, "vendor" | "testdata") && !name.starts_with(['.', '_']) {
                bytes += go_bytes(&path)?;
            }
        } else if name.ends_with(".go") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
