//! The module that a folder is in.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a `go.mod` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoMod {
    pub(crate) path: String,
    /// The language version.
    pub(crate) go: (u32, u32),
}

/// What holds for a module without a `go` line (<https://go.dev/ref/mod#go-mod-file-go>).
const WITHOUT_GO_LINE: (u32, u32) = (1, 16);

impl GoMod {
    pub(crate) fn read(text: &str) -> Self {
        let mut module = Self { path: String::new(), go: WITHOUT_GO_LINE };
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some("module"), Some(path)) => {
                    path.trim_matches(['"', '`']).clone_into(&mut module.path);
                }
                (Some("go"), Some(version)) => module.go = language(version).unwrap_or(module.go),
                _ => {}
            }
        }
        module
    }
}

/// `1.22.3`, `1.22rc1`
fn language(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..end].parse().ok()?))
}

/// Finds the nearest `go.mod` upwards, each folder looked at once.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    known: HashMap<PathBuf, Option<Arc<GoMod>>>,
}

impl Finder {
    /// The module of a folder; its path is absolute.
    pub(crate) fn module(&mut self, folder: &Path) -> Option<Arc<GoMod>> {
        let mut passed = Vec::new();
        let mut found = None;
        for folder in folder.ancestors() {
            if let Some(known) = self.known.get(folder) {
                found.clone_from(known);
                break;
            }
            passed.push(folder.to_owned());
            if let Ok(text) = fs::read_to_string(folder.join("go.mod")) {
                found = Some(Arc::new(GoMod::read(&text)));
                break;
            }
        }
        self.known.extend(passed.into_iter().map(|folder| (folder, found.clone())));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_and_the_language_version_are_read() {
        for (text, path, go) in [
            ("module a.b/c // x\n\ngo 1.22.3\ntoolchain go1.25\n", "a.b/c", (1, 22)),
            ("module \"m\"\ngo 1.21rc2\n", "m", (1, 21)),
            ("module m\nrequire (\n\tgo.x/y v1.2.3\n)\n", "m", (1, 16)),
            ("", "", (1, 16)),
        ] {
            assert_eq!(GoMod::read(text), GoMod { path: path.to_owned(), go }, "{text}");
        }
    }
}
