//! Instructions: counted by the processor where `perf` may ask it, else by valgrind.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

const EVENTS: &str = "instructions:u,instructions:k";

/// Instructions spent in user space and in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instructions {
    pub(super) user: u64,
    pub(super) kernel: u64,
}

/// Whether `perf` can count instructions here; virtual machines often cannot.
pub(super) fn perf_works() -> bool {
    let mut command = Command::new("perf");
    command.args(["stat", "-x,", "-e", EVENTS, "true"]).stdin(Stdio::null());
    command.output().is_ok_and(|output| parse(&String::from_utf8_lossy(&output.stderr)).is_some())
}

/// What goes before a command so that these processes are counted while it runs.
pub(super) fn perf(processes: impl IntoIterator<Item = u32>, out: &Path) -> Vec<String> {
    let processes: Vec<String> = processes.into_iter().map(|id| id.to_string()).collect();
    let out = out.display().to_string();
    let words = ["perf", "stat", "-x,", "-e", EVENTS, "-o", &out, "-p", &processes.join(","), "--"];
    words.map(str::to_owned).to_vec()
}

/// What `perf` wrote.
pub(super) fn read_perf(out: &Path) -> Result<Instructions> {
    parse(&fs::read_to_string(out)?).context("perf wrote no counts")
}

fn parse(text: &str) -> Option<Instructions> {
    let count = |event: &str| {
        let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        rows.find(|row| row.get(2) == Some(&event))?.first()?.parse().ok()
    };
    Some(Instructions { user: count("instructions:u")?, kernel: count("instructions:k")? })
}

/// The user instructions that valgrind counted.
pub(super) fn read_callgrind(out: &Path) -> Result<u64> {
    let text = fs::read_to_string(out).context("valgrind wrote no counts")?;
    let total = |line: &str| {
        let value = line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:"))?;
        value.trim().parse().ok()
    };
    text.lines().rev().find_map(total).context("valgrind wrote no total")
}

#[cfg(test)]
mod tests {
    use super::{Instructions, parse};

    #[test]
    fn counts_are_read_and_a_machine_without_them_is_told() {
        let text =
            "# started\n\n1200,,instructions:u,5,100.00,,\n3400,,instructions:k,5,100.00,,\n";
        assert_eq!(parse(text), Some(Instructions { user: 1200, kernel: 3400 }));
        let without = "<not supported>,,instructions:u,0,100.00,,\n";
        assert_eq!(parse(without), None);
    }
}
