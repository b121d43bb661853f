//! Findings as people and programs want them.
//!
//! [`Report`] is what there is to say; each format is one function from it to text.
//!
//! * [`text`]: with the lines of source, for people.
//! * [`json`]: everything, in a shape that stays.
//! * [`sarif`]: SARIF 2.1.0, for code scanning.
//! * [`github`]: annotations of GitHub Actions.
//! * [`golangci`]: what golangci-lint prints, for tools that read that.

mod github;
mod golangci;
mod json;
mod place;
#[cfg(test)]
mod sample;
mod sarif;
mod text;

pub use github::github;
pub use golangci::golangci;
pub use json::json;
pub use sarif::sarif;
pub use text::{Color, text, text_of};

use crate::{
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{Lines, ast::SyntaxError},
};

/// The name under which findings appear in other programs.
pub const TOOL: &str = "rearguard";

/// Where the pages of rules are read.
const PAGES: &str = "https://github.com/rearguard/rearguard/blob/main/docs/doctor/";

/// Where the page of a rule is read.
#[must_use]
pub fn page_of(rule: &Rule) -> String {
    format!("{PAGES}{}.md", rule.code)
}

/// What a file's findings are shown with.
#[derive(Clone, Debug)]
pub struct FileFindings {
    /// Its path, with `/` between the parts, as it is shown.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What was found, in the order of the text.
    pub findings: Vec<FoundFinding>,
}

/// A finding and what it is recognised by in another version of the file.
#[derive(Clone, Debug)]
pub struct FoundFinding {
    /// The finding.
    pub finding: Finding,
    /// See [`crate::fingerprint`].
    pub fingerprint: String,
    /// The function that it is in, as `Type.Method` for a method.
    pub function: Option<String>,
}

impl FileFindings {
    /// Where the lines begin.
    #[must_use]
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(&self.text)
    }
}

/// Something in a file that could not be read; the rest of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The byte in the line, from 1.
    pub column: u32,
    /// What was expected and what was found.
    pub message: String,
}

impl Unread {
    /// The first thing of a file that could not be read.
    #[must_use]
    pub fn new(path: &str, lines: &Lines<'_>, error: &SyntaxError) -> Self {
        let place = lines.position(error.span.start);
        let message = error.message.clone();
        Self { path: path.to_owned(), line: place.line, column: place.column, message }
    }
}

/// What was looked at, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were analysed.
    pub files: usize,
    /// Packages that they belong to.
    pub packages: usize,
    /// Lines in them.
    pub lines: usize,
    /// Findings that a `//nolint` holds back.
    pub suppressed: usize,
    /// Findings that the baseline knows.
    pub known: usize,
    /// Files left out because their build constraints do not hold.
    pub constrained: usize,
    /// Generated files left out.
    pub generated: usize,
    /// Files left out by `exclude`, or because they cannot be read as text.
    pub excluded: usize,
    /// What could not be read, one a file.
    pub unread: Vec<Unread>,
}

/// All there is to say.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The version of the program.
    pub version: &'a str,
    /// Files with findings, in the order of their paths.
    pub files: &'a [FileFindings],
    /// The rules that were asked.
    pub rules: &'a [&'static Rule],
    /// What was looked at.
    pub summary: &'a Summary,
}

impl<'a> Report<'a> {
    /// Every finding with its file, in order.
    pub fn findings(self) -> impl Iterator<Item = (&'a FileFindings, &'a FoundFinding)> {
        self.files.iter().flat_map(|file| file.findings.iter().map(move |found| (file, found)))
    }

    /// How many findings there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.files.iter().map(|file| file.findings.len()).sum()
    }
}

impl Severity {
    /// `note`, `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Confidence {
    /// `low`, `medium` or `high`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// JSON with an end of line.
pub(crate) fn to_json(document: &impl serde::Serialize) -> String {
    // Only maps with keys that are no texts, and writers, fail; there are none.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
