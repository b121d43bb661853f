//! The machine that the numbers are from.

use std::{fs, path::Path, process::Command, thread};

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a reader needs in order to judge the numbers.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// Of the last minute: what else runs makes the numbers unsteady.
    pub(super) load: f64,
}

impl Machine {
    pub(super) fn look() -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let load = read("/proc/loadavg");
        let load = load.split(' ').next();
        Self {
            processor: model
                .map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']))
                .to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.and_then(|load| load.parse().ok()).unwrap_or_default(),
        }
    }
}

/// The first line that a program says about its version, on either output.
pub(super) fn version(program: &Path, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else {
        return "unknown".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// Raises the limit of open files for this process and those that it starts.
pub(super) fn raise_open_files(wanted: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_none_or(|maximum| maximum >= wanted) {
        return setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
            .context("cannot raise the limit of open files");
    }
    let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    setrlimit(Resource::Nofile, raised).with_context(|| {
        format!("{wanted} open files are needed: raise the hard limit, or lower --idle")
    })
}
