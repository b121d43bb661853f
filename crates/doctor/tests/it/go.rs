//! Where Go is, and the files that come with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

pub(crate) use crate::go_command::go_command;

/// GOROOT.
pub(crate) fn root() -> PathBuf {
    let output = go_command().args(["env", "GOROOT"]).output().expect("the Go command starts");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A file of Go, and its path.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Every Go file under GOROOT that is UTF-8, in order of path; `REARGUARD_GO_FILES` unset, one of
/// `one_of` of them.
pub(crate) fn sources(one_of: usize) -> Vec<Source> {
    let one_of = match env::var("REARGUARD_GO_FILES").as_deref() {
        Ok("all") => 1,
        Ok(other) => panic!("REARGUARD_GO_FILES is {other:?}: only `all` is known"),
        Err(_) => one_of,
    };
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .step_by(one_of)
        .filter_map(|path| fs::read_to_string(&path).ok().map(|text| Source { path, text }))
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "go") {
            paths.push(path);
        }
    }
}
