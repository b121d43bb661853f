//! Which crate may know which: the rooms of `docs/architecture.md`.

use anyhow::Result;

use super::Problems;
use crate::graph::Graph;

/// A crate of ours and the crates of ours that it may depend on, tests included.
const ROOMS: &[(&str, &[&str])] = &[
    ("rearguard", &[]),
    ("model", &["rearguard"]),
    ("config", &["model"]),
    ("ledger", &["rearguard", "model"]),
    ("gateway", &["rearguard", "model", "config"]),
    ("entry", &["rearguard", "model", "config"]),
    ("control", &["ledger", "model", "config"]),
    ("doctor", &[]),
    ("cli", &["rearguard", "model", "config", "ledger", "gateway", "entry", "control", "doctor"]),
    ("xtask", &[]),
    ("shop", &["rearguard"]),
];

/// The crates that do no I/O, read no clock and no environment, and are not async.
const PURE: &[&str] = &["model", "config", "doctor"];

/// What brings I/O or an async runtime, wherever in a pure crate's tree it stands.
const IMPURE_CRATES: &[&str] = &[
    "async-io",
    "async-std",
    "async-trait",
    "futures",
    "futures-util",
    "h2",
    "hyper",
    "mio",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "tokio-util",
    "tower",
];

/// What a pure crate's code does not say. Its tests may.
const IMPURE_WORDS: &[&str] = &[
    "async fn",
    "std::env",
    "std::fs",
    "std::io::stdin",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
];

pub(super) fn check(graph: &Graph) -> Problems {
    let mut problems = Vec::new();
    for (id, package) in graph.members() {
        let name = package.name.as_str();
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            problems.push(format!(
                "{name} is no room of the house: add it to docs/architecture.md and to ROOMS in {}",
                file!()
            ));
            continue;
        };
        let ours = package.dependencies.iter().filter(|(id, _)| graph.is_member(id));
        for dependency in ours.filter_map(|(id, _)| graph.package(id)) {
            if dependency.name != name && !allowed.contains(&dependency.name.as_str()) {
                problems.push(format!(
                    "{name} depends on {}, and may depend only on {}: move what is shared down, \
                     or join the two in cli",
                    dependency.name,
                    if allowed.is_empty() { "nothing of ours".into() } else { allowed.join(", ") },
                ));
            }
        }
        if PURE.contains(&name) {
            for (foreign, _) in graph.tree(vec![id]) {
                if IMPURE_CRATES.contains(&foreign) {
                    problems.push(format!(
                        "{name} does no I/O and is not async, but its tree has {foreign}: \
                         `cargo tree -p {name} -i {foreign}` shows the way"
                    ));
                }
            }
        }
    }
    problems
}

/// Looks for I/O, clocks and the environment in the code of the pure crates.
pub(super) fn check_purity(files: &[String]) -> Result<Problems> {
    let mut problems = Vec::new();
    for file in files {
        let pure = |name: &str| file.starts_with(&format!("crates/{name}/src/"));
        if !PURE.iter().any(|name| pure(name)) || !file.ends_with(".rs") {
            continue;
        }
        let text = std::fs::read_to_string(file)?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (index, line) in code.lines().enumerate() {
            let spoken = line.split("//").next().unwrap_or_default();
            for word in IMPURE_WORDS.iter().filter(|word| spoken.contains(**word)) {
                problems.push(format!(
                    "{file}:{}: {word} in a crate that does no I/O: let cli pass the value in",
                    index + 1
                ));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::graph::{Graph, Kind};

    #[test]
    fn each_wrong_direction_is_told() {
        for (from, kind, to, expected) in [
            ("gateway", Kind::Normal, "model", None),
            ("cli", Kind::Normal, "gateway", None),
            ("gateway", Kind::Normal, "tokio", None),
            ("model", Kind::Development, "tokio", None),
            ("gateway", Kind::Normal, "entry", Some("gateway depends on entry")),
            ("entry", Kind::Development, "gateway", Some("entry depends on gateway")),
            ("rearguard", Kind::Normal, "model", Some("rearguard depends on model")),
            ("model", Kind::Normal, "tokio", Some("its tree has tokio")),
            ("common", Kind::Normal, "bytes", Some("common is no room")),
        ] {
            let ours = ["rearguard", "model", "gateway", "entry", "cli", "common"];
            let members: Vec<_> =
                ours.into_iter().filter(|name| *name == from || *name == to).collect();
            let problems = check(&Graph::of(&members, &[(from, kind, to)]));
            match expected {
                None => assert!(problems.is_empty(), "{problems:?}"),
                Some(expected) => {
                    assert!(problems.iter().any(|it| it.contains(expected)), "{problems:?}");
                }
            }
        }
    }
}
