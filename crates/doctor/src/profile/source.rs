//! What a profile has to know of the source: where functions begin and end, what they defer, where
//! they return, and which locks they take.
//!
//! Frames are looked up by file and line. A profile names files as they were where it was built, so
//! a file is found by the end of its path, and the function that stands at the line must be one that
//! the symbol names and, where the profile says it, begin on the same line: a source that has changed
//! since is noticed instead of believed.

mod extract;
mod locks;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::{Function, symbol};
use crate::syntax::{LineStarts, Span};

pub use locks::LockKind;
pub(super) use locks::LockUse;

/// The functions of parsed files.
#[derive(Debug, Default)]
pub struct SourceIndex {
    files: Vec<SourceFile>,
    /// Files by their last name.
    by_name: HashMap<String, Vec<usize>>,
}

/// A file's functions.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Its path, with `/` between its parts.
    pub(super) path: String,
    /// In the order in which they begin; a literal comes after the function that it stands in.
    pub(super) functions: Vec<SourceFunction>,
    lines: LineStarts,
}

/// A function, a method or a function literal.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceFunction {
    /// Its name; that of the function around it for a literal.
    pub(super) name: String,
    /// How many literals deep it is; 0 for a declared function.
    pub(super) depth: u32,
    /// Whether it is called by `defer func() { … }()`, so that nobody else can call it.
    pub(super) is_deferred: bool,
    /// Whether it calls `recover` itself.
    pub(super) calls_recover: bool,
    /// The line of `func`.
    pub(super) first_line: u32,
    /// The line of the closing brace.
    pub(super) closing_line: u32,
    /// What it defers, in order.
    pub(super) defers: Vec<Deferred>,
    /// Whether it may go on after a panic: a defer of its own calls `recover`, or has a name that
    /// says so.
    pub(super) recovers: bool,
    /// The lines that `return` statements begin on.
    pub(super) return_lines: Vec<u32>,
    /// What it calls without defer, by line: the last part of each name.
    pub(super) calls: Vec<(u32, String)>,
    /// Locks and unlocks, in order.
    pub(super) locks: Vec<LockUse>,
}

/// A `defer` statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deferred {
    /// Its line.
    pub(super) line: u32,
    /// What is called, as it is written: `rows.Close`; `func literal` for one.
    pub(super) text: String,
    /// The last part of the name: `Close`; empty for a literal.
    pub(super) name: String,
    /// The lines of a literal.
    pub(super) literal: Option<(u32, u32)>,
}

/// A function found in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'s> {
    pub(super) path: &'s str,
    pub(super) function: &'s SourceFunction,
}

impl SourceIndex {
    /// Reads Go files, each a path and its text. Of paths, the ends matter: any root will do.
    #[must_use]
    pub fn new<P: AsRef<str>, T: AsRef<str>>(files: &[(P, T)]) -> Self {
        let mut index = Self::default();
        let texts = files.iter().map(|(path, text)| (path.as_ref(), text.as_ref()));
        for file in extract::files(texts) {
            let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
            index.by_name.entry(name).or_default().push(index.files.len());
            index.files.push(file);
        }
        index
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The line of a place in a file, from 1, by the path that the file was given with.
    #[must_use]
    pub fn line_of(&self, path: &str, span: Span) -> Option<u32> {
        let path = normal(path);
        let file = self.files.iter().find(|file| file.path == path)?;
        Some(file.lines.line(span.start))
    }

    /// The innermost function that stands at a line of a file, by the path that it was given with.
    pub(super) fn at(&self, path: &str, line: u32) -> Option<Found<'_>> {
        let path = normal(path);
        let file = self.files.iter().find(|file| file.path == path)?;
        let function = file.covering(line).max_by_key(|function| function.depth)?;
        Some(Found { path: &file.path, function })
    }

    /// The function of a frame.
    pub(super) fn find(&self, of: &Function, line: u32) -> Option<Found<'_>> {
        let (symbol, path) = (of.name.as_str(), normal(&of.file));
        let name = path.rsplit('/').next().unwrap_or_default();
        let candidates = self.by_name.get(name)?.iter().map(|&at| &self.files[at]);
        let standard = symbol::is_standard(symbol);
        let found = candidates.filter_map(|candidate| {
            let common = common_parts(&candidate.path, &path);
            // A file of ours is not one of the standard library's because it has the same name.
            let needed = 1 + symbol::package(symbol).split('/').count();
            if standard && common < needed {
                return None;
            }
            let function = candidate.function(symbol, line)?;
            // The body of a range over a function has a symbol, and no function of its own.
            let is_same = of.first_line == 0
                || of.first_line == function.first_line
                || symbol.contains("-range");
            is_same.then_some((common, candidate, function))
        });
        let (_, file, function) = found.max_by_key(|(common, ..)| *common)?;
        Some(Found { path: &file.path, function })
    }
}

impl SourceFile {
    fn covering(&self, line: u32) -> impl Iterator<Item = &SourceFunction> {
        let covers = move |it: &&SourceFunction| it.first_line <= line && line <= it.closing_line;
        self.functions.iter().take_while(move |it| it.first_line <= line).filter(covers)
    }

    /// The function at a line that a symbol names: of several, the one that is as deep a literal.
    fn function(&self, symbol: &str, line: u32) -> Option<&SourceFunction> {
        let depth = symbol::literal_depth(symbol);
        let named = self.covering(line).filter(|it| symbol::mentions(symbol, &it.name));
        named.min_by_key(|it| (it.depth.abs_diff(depth), it.depth < depth))
    }
}

impl SourceFunction {
    /// The defer statement whose call this is: by the lines of its literal, else by name.
    pub(super) fn deferred(&self, symbol: &str, line: u32) -> Option<&Deferred> {
        let within =
            |it: &&Deferred| it.literal.is_some_and(|(first, last)| first <= line && line <= last);
        if symbol::has_literal(symbol)
            && let Some(found) = self.defers.iter().rev().find(within)
        {
            return Some(found);
        }
        let name = symbol::declared(symbol);
        self.defers.iter().rev().find(|it| it.name == name)
    }

    /// What it calls on a line without defer.
    pub(super) fn calls_on(&self, line: u32) -> impl Iterator<Item = &str> {
        let on = self.calls.iter().filter(move |(at, _)| *at == line);
        on.map(|(_, name)| name.as_str())
    }
}

/// A path with `/` between its parts, whatever system it is of.
fn normal(path: &str) -> String {
    let path = path.replace('\\', "/");
    path.strip_prefix("./").map_or_else(|| path.clone(), str::to_owned)
}

/// How many parts two paths have in common, counted from their ends.
fn common_parts(one: &str, other: &str) -> usize {
    let pairs = one.rsplit('/').zip(other.rsplit('/'));
    pairs.take_while(|(one, other)| one == other).count()
}
