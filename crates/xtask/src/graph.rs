//! The packages of the workspace and all that they depend on, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// Counts and lists are made for one platform, so that they are the same on every machine.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Why a package is depended on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Development,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; empty where the package states none.
    pub(crate) licence: String,
    pub(crate) dependencies: Vec<(String, Kind)>,
}

#[derive(Debug)]
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
    default_members: Vec<String>,
}

/// Which optional dependencies are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Features {
    /// Those that a plain `cargo build` compiles.
    Default,
    /// All that somebody can ask for.
    All,
}

impl Graph {
    pub(crate) fn load(features: Features) -> Result<Self> {
        let mut command = shell::cargo();
        command.args(["metadata", "--format-version=1", "--locked", "--filter-platform", PLATFORM]);
        if features == Features::All {
            command.arg("--all-features");
        }
        let text = shell::capture(&mut command).context(
            "where Cargo.lock is out of date, run `cargo build` and keep what it writes",
        )?;
        let metadata = serde_json::from_str(&text)?;
        Self::parse(&metadata, features).context("cargo metadata has an unexpected shape")
    }

    fn parse(metadata: &Value, features: Features) -> Result<Self> {
        let mut described = BTreeMap::new();
        for package in list(&metadata["packages"])? {
            described.insert(string(&package["id"])?, package);
        }
        let mut packages = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"])? {
            let id = string(&node["id"])?;
            let package = described.get(&id).with_context(|| format!("no package {id}"))?;
            let off = match features {
                Features::Default => off_by_default(package)?,
                Features::All => BTreeSet::new(),
            };
            let mut dependencies = Vec::new();
            for edge in list(&node["deps"])? {
                let to = string(&edge["pkg"])?;
                let name =
                    described.get(&to).map(|package| string(&package["name"])).transpose()?;
                for kind in list(&edge["dep_kinds"])? {
                    let kind = parse_kind(&kind["kind"]);
                    let is_off = name.as_ref().is_some_and(|name| off.contains(name));
                    if kind != Kind::Normal || !is_off {
                        dependencies.push((to.clone(), kind));
                    }
                }
            }
            let package = Package {
                name: string(&package["name"])?,
                version: string(&package["version"])?,
                licence: package["license"].as_str().unwrap_or_default().to_owned(),
                dependencies,
            };
            packages.insert(id, package);
        }
        let ids = |key: &str| list(&metadata[key])?.iter().map(string).collect::<Result<Vec<_>>>();
        let members = ids("workspace_members")?;
        let default_members = ids("workspace_default_members")?;
        Ok(Self { packages, members, default_members })
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.members.iter().filter_map(|id| Some((id.as_str(), self.packages.get(id)?)))
    }

    /// Every package that is not ours.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|(id, _)| !self.is_member(id)).map(|(_, package)| package)
    }

    pub(crate) fn is_member(&self, id: &str) -> bool {
        self.members.iter().any(|member| member == id)
    }

    pub(crate) fn package(&self, id: &str) -> Option<&Package> {
        self.packages.get(id)
    }

    /// The names of all that a plain `cargo build` compiles into the program or its macros.
    pub(crate) fn default_tree(&self) -> BTreeSet<(&str, &str)> {
        self.tree(self.default_members.iter().map(String::as_str).collect())
    }

    /// The name and version of these packages and of what they need, tests and build scripts
    /// left out.
    pub(crate) fn tree<'a>(&'a self, mut pending: Vec<&'a str>) -> BTreeSet<(&'a str, &'a str)> {
        let mut seen = BTreeSet::new();
        while let Some(package) = pending.pop().and_then(|id| self.packages.get(id)) {
            if seen.insert((package.name.as_str(), package.version.as_str())) {
                let normal = package.dependencies.iter().filter(|(_, kind)| *kind == Kind::Normal);
                pending.extend(normal.map(|(id, _)| id.as_str()));
            }
        }
        seen
    }
}

/// The optional dependencies of a package of ours that its default features leave out. Cargo tells of
/// them as depended on where any member asks for them, be it one that a plain `cargo build` leaves
/// out. Which optional ones a foreign package has is not ours to say.
fn off_by_default(package: &Value) -> Result<BTreeSet<String>> {
    if !package["source"].is_null() {
        return Ok(BTreeSet::new());
    }
    let mut pending = vec!["default".to_owned()];
    let mut on = BTreeSet::new();
    while let Some(feature) = pending.pop() {
        let named = package["features"][&feature].as_array().map_or(&[][..], Vec::as_slice);
        for value in named {
            let value = string(value)?;
            if on.insert(value.clone()) {
                pending.push(value);
            }
        }
    }
    let mut off = BTreeSet::new();
    for dependency in list(&package["dependencies"])? {
        let name = string(&dependency["name"])?;
        let is_normal = parse_kind(&dependency["kind"]) == Kind::Normal;
        let is_optional = dependency["optional"].as_bool().unwrap_or_default();
        if is_normal && is_optional && !on.contains(&format!("dep:{name}")) {
            off.insert(name);
        }
    }
    Ok(off)
}

fn parse_kind(kind: &Value) -> Kind {
    match kind.as_str() {
        Some("dev") => Kind::Development,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    }
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("expected a list")
}

fn string(value: &Value) -> Result<String> {
    Ok(value.as_str().context("expected a string")?.to_owned())
}

#[cfg(test)]
impl Graph {
    /// A workspace of these members, and who depends on whom in it and outside of it.
    pub(crate) fn of(members: &[&str], edges: &[(&str, Kind, &str)]) -> Self {
        let names = members.iter().chain(edges.iter().flat_map(|(from, _, to)| [from, to]));
        let packages = names.map(|name| {
            let from_here = edges.iter().filter(|(from, ..)| from == name);
            let package = Package {
                name: (*name).to_owned(),
                version: "1.0.0".to_owned(),
                licence: "MIT".to_owned(),
                dependencies: from_here.map(|(_, kind, to)| ((*to).to_owned(), *kind)).collect(),
            };
            ((*name).to_owned(), package)
        });
        let members: Vec<String> = members.iter().map(|name| (*name).to_owned()).collect();
        Self { packages: packages.collect(), default_members: members.clone(), members }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Graph, Kind, off_by_default};

    #[test]
    fn an_optional_dependency_counts_where_the_default_features_ask_for_it() {
        let package = json!({
            "source": null,
            "features": { "default": ["std"], "std": ["dep:memchr"], "tokio": ["dep:tokio"] },
            "dependencies": [
                { "name": "memchr", "kind": null, "optional": true },
                { "name": "tokio", "kind": null, "optional": true },
                { "name": "bytes", "kind": null, "optional": false },
                { "name": "tokio", "kind": "dev", "optional": false },
            ],
        });
        let off: Vec<_> = off_by_default(&package).unwrap_or_default().into_iter().collect();
        assert_eq!(off, ["tokio"]);
    }

    #[test]
    fn the_default_tree_is_what_normal_dependencies_reach() {
        let graph = Graph::of(
            &["cli", "model"],
            &[
                ("cli", Kind::Normal, "model"),
                ("model", Kind::Normal, "bytes"),
                ("model", Kind::Development, "insta"),
                ("bytes", Kind::Build, "cc"),
            ],
        );
        let names: Vec<_> = graph.default_tree().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bytes", "cli", "model"]);
    }
}
