//! The crates that a plain `cargo build` compiles, written down in a file so that a new one is
//! seen in review.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use super::Problems;
use crate::graph::Graph;

/// Where they are written down.
pub(crate) const FILE: &str = "docs/crates.txt";

/// What the file says.
pub(crate) fn page(graph: &Graph) -> String {
    let tree = graph.default_tree();
    let head = format!("{} crates in the default tree\n\n", tree.len());
    tree.iter().fold(head, |page, (name, _)| page + name + "\n")
}

pub(super) fn check(graph: &Graph) -> Result<Problems> {
    let written = fs::read_to_string(FILE)
        .with_context(|| format!("cannot read {FILE}: `cargo xtask generate` writes it"))?;
    let page = page(graph);
    if written == page {
        return Ok(Vec::new());
    }
    let (old, new) = (names(&written), names(&page));
    Ok(vec![format!(
        "the default tree has {} crates and {FILE} says {}; new: [{}]; gone: [{}]: does each new \
         one earn its place? then run `cargo xtask generate`",
        new.len(),
        old.len(),
        difference(&new, &old),
        difference(&old, &new),
    )])
}

fn names(page: &str) -> BTreeSet<&str> {
    page.lines().skip(2).collect()
}

fn difference(these: &BTreeSet<&str>, those: &BTreeSet<&str>) -> String {
    these.difference(those).copied().collect::<Vec<_>>().join(", ")
}
