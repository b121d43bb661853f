//! What changed since a revision, as git says.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use doctor::changed::Changed;

/// The changed lines of a repository.
#[derive(Debug)]
pub(crate) struct Since {
    /// The repository's folder.
    top: PathBuf,
    changed: Changed,
}

impl Since {
    /// Asks git: what differs from the last common commit with `revision`, committed or not, and files
    /// that git does not know yet.
    pub(super) fn ask(revision: &str, here: &Path) -> anyhow::Result<Self> {
        let top = git(here, &["rev-parse", "--show-toplevel"])
            .context("--since needs a repository of git")?;
        let top = Path::new(top.trim_end_matches('\n')).canonicalize()?;
        let commit = format!("{revision}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let Ok(commit) = git(here, &verify) else {
            bail!(
                "git knows no revision {revision:?}; in CI, fetch it: a shallow clone has the last \
                 commit only"
            );
        };
        let commit = commit.trim();
        // Histories that have nothing in common are compared as they are.
        let base = git(here, &["merge-base", "HEAD", commit]);
        let base = base.as_deref().map_or(commit, str::trim);
        let diff = git(
            &top,
            &[
                "-c",
                "core.quotepath=off",
                "-c",
                "diff.noprefix=false",
                "-c",
                "diff.mnemonicPrefix=false",
                "diff",
                "--unified=0",
                "--no-color",
                "--no-ext-diff",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                "--no-renames",
                base,
                "--",
                "*.go",
            ],
        )?;
        let mut changed = Changed::read(&diff);
        let new = git(&top, &["ls-files", "--others", "--exclude-standard", "-z", "--", "*.go"])?;
        for path in new.split('\0').filter(|path| !path.is_empty()) {
            changed.add_whole(path);
        }
        Ok(Self { top, changed })
    }

    /// The changed lines, and the path of a file as they name it.
    pub(super) fn of(&self, file: &Path) -> Option<(&Changed, String)> {
        let whole = file.canonicalize().ok()?;
        let within = whole.strip_prefix(&self.top).ok()?;
        let path = within.to_string_lossy().replace('\\', "/");
        self.changed.has(&path).then_some((&self.changed, path))
    }
}

/// What git prints.
fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let ended = ended.context("git could not be started; --since needs it")?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!("git {} failed: {}", arguments.first().unwrap_or(&""), said.trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}
