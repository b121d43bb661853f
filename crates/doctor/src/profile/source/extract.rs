//! From the tree of a file to what a profile asks about.

mod lock_uses;
mod names;
mod types;
mod visit;

use super::{SourceFile, normal};
use crate::syntax::{self, Lines, ast::File};
use types::Types;
use visit::Visit;

/// Reads every file. What is declared is gathered first: files share it.
pub(super) fn files<'t>(texts: impl Iterator<Item = (&'t str, &'t str)>) -> Vec<SourceFile> {
    let parsed: Vec<(&str, &str, File<'_>)> =
        texts.map(|(path, text)| (path, text, syntax::parse(text))).collect();
    let mut types = Types::default();
    for (_, _, file) in &parsed {
        types.read(file);
    }
    let read = |(path, text, file): &(&str, &str, File<'_>)| {
        let lines = Lines::new(text);
        let functions = Visit::new(text, &lines, file.package.name, &types).file(file);
        SourceFile { path: normal(path), functions, lines: lines.into_starts() }
    };
    parsed.iter().map(read).collect()
}
