//! Every cause has its page in `docs/causes`, and every page its cause.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use super::Problems;
use crate::generate;

const FOLDER: &str = "docs/causes";

pub(super) fn check() -> Result<Problems> {
    let codes: BTreeSet<String> = generate::cause_codes()?.into_iter().collect();
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
    problems.extend(check_order(&pages)?);
    Ok(problems)
}

/// Pages have the same sections in the same order, so that a reader finds the way.
fn check_order(pages: &BTreeSet<String>) -> Result<Problems> {
    let mut problems = Vec::new();
    let mut first: Option<(&str, Vec<String>)> = None;
    for page in pages {
        let file = format!("{FOLDER}/{page}.md");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let headings: Vec<String> =
            text.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect();
        match &first {
            None => first = Some((page, headings)),
            Some((model, expected)) if *expected != headings => problems.push(format!(
                "{file} has the sections [{}], and {model} has [{}]: use the same, in that order",
                headings.join(", "),
                expected.join(", "),
            )),
            Some(_) => {}
        }
    }
    Ok(problems)
}
