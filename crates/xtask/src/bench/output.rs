//! Where numbers go, and what is left behind on the way.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::machine::Machine;

/// A folder of this run, removed at the end.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        let folder = Self(env::temp_dir().join(format!("rearguard-bench-{}", process::id())));
        fs::create_dir_all(&folder.0)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The first lines of a report: the machine, and what was measured on it.
pub(super) fn heading(machine: &Machine, versions: &[(&str, String)]) -> String {
    let heading = format!(
        "{}, {} cores, Linux {}; load average before: {}\n\n",
        machine.processor, machine.cores, machine.kernel, machine.load
    );
    versions.iter().fold(heading, |text, (_, version)| text + "* " + version + "\n")
}

pub(super) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

pub(super) fn write_json(file: &Path, json: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(json)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
