//! `//nolint`, as golangci-lint has it.
//!
//! `//nolint`, `//nolint:all`, `//nolint:rearguard` and `//nolint:RULE,RULE // reason` hold findings
//! back: at the end of a line those of the line; alone above a statement, a declaration or the package
//! clause, in the same column, those of the whole of it. Names of other linters are left alone; names
//! of ours that hold nothing back are findings of the rule `unused-nolint`.
//!
//! Why ours: the comments belong to golangci-lint, which is not there to read them.
//! [`suppress`] is the entry point.

mod comment;
mod nodes;

use self::comment::{Comment, Name};
use crate::{
    edits,
    finding::{Edit, Finding, Fix, Safety},
    rule::{Confidence, Rule, Severity},
    syntax::{Lines, Span, ast::File},
};

/// A `//nolint` that holds nothing back.
pub static UNUSED_NOLINT: Rule = Rule {
    code: "unused-nolint",
    summary: "a //nolint names a rule that finds nothing there",
    severity: Severity::Note,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/unused-nolint.md"),
};

/// What is left of a file's findings.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// Those that nothing holds back, and those about comments that hold nothing back.
    pub findings: Vec<Finding>,
    /// Those that were held back.
    pub held_back: Vec<Finding>,
}

/// The comment and the lines that it is about.
#[derive(Debug)]
struct Scope<'t> {
    comment: Comment<'t>,
    first_line: u32,
    last_line: u32,
    /// For each name, whether it held something back.
    used: Vec<bool>,
}

/// Holds back what the comments of a file say. `ran` tells whether a rule was asked at all: a comment
/// about one that was not is no mistake.
#[must_use]
pub fn suppress(
    text: &str,
    file: &File<'_>,
    lines: &Lines<'_>,
    findings: Vec<Finding>,
    ran: &dyn Fn(&str) -> bool,
) -> Suppressed {
    let mut scopes = scopes(text, file, lines);
    if scopes.is_empty() {
        return Suppressed { findings, held_back: Vec::new() };
    }
    let (held_back, mut kept): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| {
            let line = lines.line(finding.span.start);
            // Each comment that would do counts as used, not the first alone.
            let held = scopes.iter_mut().map(|scope| scope.holds(finding.rule.code, line));
            held.fold(false, |any, held| any | held)
        });
    if ran(UNUSED_NOLINT.code) {
        kept.extend(scopes.iter().filter_map(|scope| scope.unused(text, lines, ran)));
    }
    Suppressed { findings: kept, held_back }
}

fn scopes<'t>(text: &'t str, file: &File<'_>, lines: &Lines<'_>) -> Vec<Scope<'t>> {
    let comments = file.comments.iter().filter_map(|span| Comment::read(text, *span));
    let mut scopes: Vec<Scope<'t>> = comments
        .map(|comment| {
            let line = lines.line(comment.span.start);
            let used = vec![false; comment.names.len()];
            Scope { comment, first_line: line, last_line: line, used }
        })
        .collect();
    // Only a comment that stands alone is about what follows it.
    if scopes.iter().any(|scope| alone(text, lines, scope.comment.span)) {
        let spans = nodes::nodes(file);
        for scope in &mut scopes {
            scope.extend(text, lines, &spans);
        }
    }
    scopes
}

/// Whether nothing but blanks stands before it in its line.
fn alone(text: &str, lines: &Lines<'_>, span: Span) -> bool {
    let start = lines.span(lines.line(span.start)).start;
    Span::new(start, span.start).of(text).trim().is_empty()
}

impl Scope<'_> {
    /// Takes in what begins in the next line, in the same column.
    fn extend(&mut self, text: &str, lines: &Lines<'_>, spans: &[Span]) {
        if !alone(text, lines, self.comment.span) {
            return;
        }
        let here = lines.position(self.comment.span.start);
        for span in spans {
            let place = lines.position(span.start);
            if place.line == here.line + 1 && place.column == here.column {
                self.last_line = self.last_line.max(lines.line(span.end.saturating_sub(1)));
            }
        }
    }

    /// Whether it holds a finding of this rule in this line back; notes that it did.
    fn holds(&mut self, code: &str, line: u32) -> bool {
        if line < self.first_line || line > self.last_line {
            return false;
        }
        let mut held = self.comment.names.is_empty();
        for (name, used) in self.comment.names.iter().zip(&mut self.used) {
            if name.means(code) {
                *used = true;
                held = true;
            }
        }
        held
    }

    /// The finding about names of ours that held nothing back.
    fn unused(&self, text: &str, lines: &Lines<'_>, ran: &dyn Fn(&str) -> bool) -> Option<Finding> {
        let names = &self.comment.names;
        let is_unused = |(name, used): &(&Name<'_>, &bool)| !**used && name.is_ours(ran);
        let unused: Vec<&Name<'_>> =
            names.iter().zip(&self.used).filter(is_unused).map(|(name, _)| name).collect();
        let listed = unused.iter().map(|name| format!("`{}`", name.text)).collect::<Vec<_>>();
        if listed.is_empty() {
            return None;
        }
        let message = format!("//nolint names {}, which finds nothing here", listed.join(" and "));
        let kept: Vec<&str> = names
            .iter()
            .filter(|name| !unused.iter().any(|it| it.text == name.text))
            .map(|name| name.text)
            .collect();
        let edit = if kept.is_empty() {
            edits::remove_comment(text, lines, self.comment.span)
        } else {
            Edit { span: self.comment.list, text: kept.join(",") }
        };
        let fix = Fix {
            title: "take the name out of the comment".to_owned(),
            safety: Safety::Safe,
            edits: vec![edit],
        };
        Some(Finding::new(&UNUSED_NOLINT, self.comment.span, message).fix(fix))
    }
}

#[cfg(test)]
mod tests;
