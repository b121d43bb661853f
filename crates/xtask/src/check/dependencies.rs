//! Libraries that are kept to a few crates, so that each does one job in one place.

use super::Problems;
use crate::graph::{Graph, Kind};

/// A library, the crates of ours that may use it outside their tests, and why only those.
const KEPT: &[(&str, &[&str], &str)] = &[
    ("anyhow", &["cli", "xtask"], "libraries have errors of their own"),
    ("axum", &["cli", "shop"], "the data plane has its own HTTP"),
    ("clap", &["cli", "xtask"], "only the programs read arguments"),
    (
        "rusqlite",
        &["control", "ledger", "rearguard"],
        "budgets, durable scopes, and transactions of services",
    ),
    ("saphyr-parser", &["config"], "only config parses YAML"),
];

pub(super) fn check(graph: &Graph) -> Problems {
    let mut problems = Vec::new();
    for (_, package) in graph.members() {
        for (id, kind) in &package.dependencies {
            let Some(dependency) = graph.package(id) else { continue };
            if package.name == "rearguard" && *kind == Kind::Normal {
                problems.push(format!(
                    "rearguard depends on {}, and its default features depend on nothing",
                    dependency.name
                ));
            }
            for (library, crates, reason) in KEPT {
                let kept = dependency.name == *library && *kind != Kind::Development;
                if kept && !crates.contains(&package.name.as_str()) {
                    problems.push(format!(
                        "{} depends on {library}, which is kept to {}: {reason}",
                        package.name,
                        crates.join(", "),
                    ));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::graph::{Graph, Kind};

    #[test]
    fn a_library_is_kept_to_its_crates_outside_of_tests() {
        for (from, kind, to, problems) in [
            ("config", Kind::Normal, "saphyr-parser", 0),
            ("gateway", Kind::Development, "saphyr-parser", 0),
            ("gateway", Kind::Normal, "saphyr-parser", 1),
            ("rearguard", Kind::Normal, "bytes", 1),
            ("rearguard", Kind::Development, "proptest", 0),
        ] {
            let graph = Graph::of(&[from], &[(from, kind, to)]);
            assert_eq!(check(&graph).len(), problems, "{from} {kind:?} {to}");
        }
    }
}
