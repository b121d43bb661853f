//! Every cause has its page in `docs/causes`, and every page its cause.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use super::Problems;
use crate::generate::{self, CauseFacts};

const FOLDER: &str = "docs/causes";

pub(super) fn check() -> Result<Problems> {
    let facts = generate::cause_facts()?;
    let codes: BTreeSet<String> = facts.iter().map(|facts| facts.code.clone()).collect();
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(FOLDER).with_context(|| format!("cannot read {FOLDER}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "README.md" {
            pages.insert(name.strip_suffix(".md").unwrap_or(&name).to_owned());
        }
    }
    let mut problems = Vec::new();
    for code in codes.difference(&pages) {
        problems.push(format!("{code} has no page: write {FOLDER}/{code}.md"));
    }
    for page in pages.difference(&codes) {
        problems.push(format!("{FOLDER}/{page} belongs to no cause: rename or remove it"));
    }
    for facts in facts.iter().filter(|facts| pages.contains(&facts.code)) {
        problems.extend(check_facts(facts)?);
    }
    problems.extend(check_order(&pages)?);
    Ok(problems)
}

/// A page repeats what the code says of its cause.
fn check_facts(facts: &CauseFacts) -> Result<Problems> {
    let text = read(&facts.code)?;
    let missing = facts.lines.iter().filter(|expected| !text.lines().any(|line| line == *expected));
    Ok(missing
        .map(|line| format!("{FOLDER}/{}.md lacks what the code says: add `{line}`", facts.code))
        .collect())
}

fn read(code: &str) -> Result<String> {
    let file = format!("{FOLDER}/{code}.md");
    fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))
}

/// Pages have the same sections in the same order, so that a reader finds the way.
fn check_order(pages: &BTreeSet<String>) -> Result<Problems> {
    let mut problems = Vec::new();
    let mut first: Option<(&str, Vec<String>)> = None;
    for page in pages {
        let text = read(page)?;
        let headings: Vec<String> =
            text.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect();
        match &first {
            None => first = Some((page, headings)),
            Some((model, expected)) if *expected != headings => problems.push(format!(
                "{FOLDER}/{page}.md has the sections [{}], and {model} has [{}]: use the same, in that order",
                headings.join(", "),
                expected.join(", "),
            )),
            Some(_) => {}
        }
    }
    Ok(problems)
}
