//! Files that fixes change: written, or shown as a diff.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use doctor::fix::{Applied, Fixed, Refused};

/// A file that fixes change, or would have.
#[derive(Debug)]
pub(super) struct Mended {
    /// Where it is.
    file: PathBuf,
    /// Its path as it is shown.
    pub(super) path: String,
    before: String,
    after: String,
    applied: Vec<Applied>,
    refused: Vec<Refused>,
}

impl Mended {
    /// `None` where nothing was done and nothing refused.
    pub(super) fn new(file: PathBuf, path: &str, before: &str, fixed: &Fixed) -> Option<Self> {
        let Fixed { text, applied, refused } = fixed.clone();
        if applied.is_empty() && refused.is_empty() {
            return None;
        }
        let (path, before) = (path.to_owned(), before.to_owned());
        Some(Self { file, path, before, after: text, applied, refused })
    }

    /// Whether its text changes.
    pub(super) fn changes(&self) -> bool {
        self.before != self.after
    }
}

/// Writes every file that changes, and says what was done and what was not.
pub(super) fn write(mended: &[Mended], said: &mut dyn Write) -> anyhow::Result<()> {
    for file in mended.iter().filter(|file| file.changes()) {
        replace(&file.file, &file.before, &file.after)?;
    }
    let count: usize = mended.iter().map(|file| file.applied.len()).sum();
    let files = mended.iter().filter(|file| file.changes()).count();
    if count > 0 {
        let s = crate::documents::s;
        writeln!(said, "applied {count} fix{} in {files} file{}", es(count), s(files))?;
    }
    tell_refused(mended, said)
}

const fn es(count: usize) -> &'static str {
    if count == 1 { "" } else { "es" }
}

/// Shows what would be written, as `diff -u` does.
pub(super) fn diff(
    mended: &[Mended],
    out: &mut dyn Write,
    said: &mut dyn Write,
) -> anyhow::Result<()> {
    for file in mended.iter().filter(|file| file.changes()) {
        let (old, new) = (format!("a/{}", file.path), format!("b/{}", file.path));
        let diff = similar::TextDiff::from_lines(&file.before, &file.after);
        write!(out, "{}", diff.unified_diff().header(&old, &new))?;
    }
    tell_refused(mended, said)
}

fn tell_refused(mended: &[Mended], said: &mut dyn Write) -> anyhow::Result<()> {
    for file in mended {
        for refused in &file.refused {
            let Refused { rule, line, reason } = refused;
            writeln!(said, "note: {}:{line}: the fix of {rule} is left out: {reason}", file.path)?;
        }
    }
    Ok(())
}

/// Writes beside the file and moves over it, so that a reader sees the one text or the other.
fn replace(file: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", file.display());
    let now = fs::read(file).with_context(context)?;
    anyhow::ensure!(
        now == before.as_bytes(),
        "{} has changed while it was analysed; run again",
        file.display()
    );
    let file = file.canonicalize().with_context(context)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.rearguard", std::process::id()));
    let written = put(&beside, &file, after);
    if written.is_err() {
        fs::remove_file(&beside).unwrap_or_default();
    }
    written.with_context(context)
}

fn put(beside: &Path, file: &Path, text: &str) -> io::Result<()> {
    fs::write(beside, text)?;
    fs::set_permissions(beside, fs::metadata(file)?.permissions())?;
    fs::rename(beside, file)
}
