//! Pages that are made from the code, so that they cannot disagree with it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    check::{CRATES_FILE, crates_page},
    graph::{Features, Graph},
    patterns,
    shell::{self, say},
};

/// The table of causes.
const CAUSES: &str = "docs/causes/README.md";

/// The table of the doctor's rules.
const RULES: &str = "docs/doctor/README.md";

/// Writes every page.
pub(crate) fn run() -> Result<()> {
    write(CAUSES, &causes_page()?)?;
    write(RULES, &rules_page()?)?;
    patterns::record()?;
    write(patterns::FILE, &patterns::page()?)?;
    write(CRATES_FILE, &crates_page(&Graph::load(Features::Default)?))
}

/// Says which pages are stale. The list of crates has a check of its own.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let pages =
        [(CAUSES, causes_page()?), (RULES, rules_page()?), (patterns::FILE, patterns::page()?)];
    for (file, page) in pages {
        if fs::read_to_string(file).unwrap_or_default() != page {
            problems.push(format!("{file} is missing or stale: run `cargo xtask generate`"));
        }
    }
    Ok(problems)
}

/// What the page of a cause must say.
#[derive(Debug)]
pub(crate) struct CauseFacts {
    pub(crate) code: String,
    /// Lines that stand in the page word for word.
    pub(crate) lines: Vec<String>,
}

/// The facts of every cause.
pub(crate) fn cause_facts() -> Result<Vec<CauseFacts>> {
    let text = causes_example("facts")?;
    let facts = text.lines().map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        CauseFacts { code: cells.next().unwrap_or_default(), lines: cells.collect() }
    });
    Ok(facts.collect())
}

fn causes_page() -> Result<String> {
    causes_example("page")
}

/// The crate itself says what its causes are: no chore depends on code of ours.
fn causes_example(argument: &str) -> Result<String> {
    let mut command = shell::cargo();
    command.args(["run", "--quiet", "-p", "rearguard", "--example", "causes-table", argument]);
    shell::capture(&mut command)
}

/// So do the doctor's rules.
fn rules_page() -> Result<String> {
    let mut command = shell::cargo();
    command.args(["run", "--quiet", "-p", "doctor", "--example", "rules-table"]);
    shell::capture(&mut command)
}

fn write(file: &str, page: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|written| written == page) {
        return Ok(());
    }
    if let Some(folder) = Path::new(file).parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(file, page).with_context(|| format!("cannot write {file}"))?;
    say(format_args!("wrote {file}"));
    Ok(())
}
