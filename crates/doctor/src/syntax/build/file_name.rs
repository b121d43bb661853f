//! What a file's name says about where it belongs.

use super::{
    Target,
    target::{is_architecture, is_system},
};

/// The parts of a Go file's name that mean something to a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileName<'n> {
    /// The system that it is for.
    pub os: Option<&'n str>,
    /// The processor that it is for.
    pub architecture: Option<&'n str>,
    /// Whether it is a test.
    pub is_test: bool,
    /// Whether a build leaves it out: its name begins with `_` or `.`.
    pub is_left_out: bool,
}

impl<'n> FileName<'n> {
    /// Reads `name`, without folders: `poll_linux_arm64_test.go`.
    #[must_use]
    pub fn new(name: &'n str) -> Self {
        let is_left_out = name.starts_with(['_', '.']);
        let mut file = Self { is_left_out, is_test: name.ends_with("_test.go"), ..Self::default() };
        let stem = name.split('.').next().unwrap_or_default();
        // What stands before the first `_` means nothing: `linux.go` is for all.
        let Some((_, suffixes)) = stem.split_once('_') else { return file };
        let suffixes = match suffixes.strip_suffix("test") {
            Some("") => return file,
            Some(rest) if rest.ends_with('_') => &rest[..rest.len() - 1],
            _ => suffixes,
        };
        let (before, last) = suffixes.rsplit_once('_').unwrap_or(("", suffixes));
        if is_system(last) {
            file.os = Some(last);
        } else if is_architecture(last) {
            file.architecture = Some(last);
            file.os = before.rsplit('_').next().filter(|name| is_system(name));
        }
        file
    }

    /// Whether it is built for `target`, tests included.
    #[must_use]
    pub fn is_for(&self, target: &Target) -> bool {
        !self.is_left_out
            && self.os.is_none_or(|os| target.has(os))
            && self.architecture.is_none_or(|architecture| target.has(architecture))
    }
}
