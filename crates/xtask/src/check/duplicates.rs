//! Libraries of which two versions are compiled.

use std::collections::{BTreeMap, BTreeSet};

use super::Problems;
use crate::graph::Graph;

/// What may be there twice, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("base64", "tests make certificates with the newer one"),
    (
        "fallible-iterator",
        "a trait of a hundred lines: rusqlite has moved on, tokio-postgres has not",
    ),
    ("nom", "lapin's own dependencies are between the two"),
    ("synstructure", "as for syn"),
    ("getrandom", "ring still asks for 0.2; tests use the newer one"),
    ("syn", "derive macros are moving from 2 to 3 one by one; none of it is in the program"),
];

pub(super) fn check(graph: &Graph) -> Problems {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in graph.foreign() {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut problems = Vec::new();
    for (name, versions) in &versions {
        if !ALLOWED.iter().any(|(allowed, _)| allowed == name) {
            let list = versions.iter().copied().collect::<Vec<_>>().join(" and ");
            problems.push(format!(
                "{name} is there as {list}: `cargo tree --workspace -i {name}@VERSION` shows who \
                 asks for it; bring them together, or add it with its reason to {}",
                file!(),
            ));
        }
    }
    for (name, _) in ALLOWED.iter().filter(|(name, _)| !versions.contains_key(name)) {
        problems.push(format!("{name} is no longer there twice: take it out of {}", file!()));
    }
    problems
}
