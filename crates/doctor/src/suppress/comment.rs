//! One `//nolint` comment.

use crate::{catalogue, report::TOOL, syntax::Span};

/// A comment, read.
#[derive(Debug)]
pub(super) struct Comment<'t> {
    pub(super) span: Span,
    /// The names; none means all linters.
    pub(super) names: Vec<Name<'t>>,
    /// From the first name to the last.
    pub(super) list: Span,
}

/// A name in the list.
#[derive(Debug)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
}

impl Name<'_> {
    /// Whether it is the rule's name or one for all rules.
    pub(super) fn means(&self, code: &str) -> bool {
        [code, TOOL].iter().any(|name| self.text.eq_ignore_ascii_case(name))
    }

    /// Whether it is the name of a rule that was asked, or of all rules.
    pub(super) fn is_ours(&self, ran: &dyn Fn(&str) -> bool) -> bool {
        let lower = self.text.to_ascii_lowercase();
        lower == TOOL || (catalogue::find(&lower).is_some() && ran(&lower))
    }
}

impl<'t> Comment<'t> {
    /// Reads a comment; `None` when it is about something else. As golangci-lint does, blanks before
    /// the word are let pass, and a second `//` begins the reason.
    pub(super) fn read(text: &'t str, span: Span) -> Option<Self> {
        let comment = span.of(text);
        let word = comment.strip_prefix("//")?.trim_start_matches(['/', ' ']);
        let rest = word.strip_prefix("nolint")?;
        let all = Some(Self { span, names: Vec::new(), list: span });
        let Some(rest) = rest.strip_prefix(':') else {
            return all.filter(|_| rest.is_empty() || rest.starts_with([' ', '\t', '/', '\r']));
        };
        let list = rest.split("//").next().unwrap_or_default().trim_end();
        let names: Vec<Name<'t>> = list
            .split(',')
            .map(|name| Name { text: name.trim() })
            .filter(|name| !name.text.is_empty())
            .collect();
        if names.iter().any(|name| name.text.eq_ignore_ascii_case("all")) || names.is_empty() {
            return all;
        }
        // Blanks before the first name are of no use to anybody.
        let start = span.start + (comment.len() - rest.len()) as u32;
        Some(Self { span, names, list: Span::new(start, start + list.len() as u32) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(comment: &str) -> Option<Vec<&str>> {
        let read = Comment::read(comment, Span::new(0, comment.len() as u32))?;
        Some(read.names.iter().map(|name| name.text).collect())
    }

    #[test]
    fn comments_are_read_as_golangci_lint_reads_them() {
        for (comment, expected) in [
            ("//nolint", Some(vec![])),
            ("// nolint // reason", Some(vec![])),
            ("//nolint:all", Some(vec![])),
            ("//nolint:a", Some(vec!["a"])),
            ("//nolint: a , b // reason, with a comma", Some(vec!["a", "b"])),
            ("//nolintlint", None),
            ("// see nolint", None),
            ("/* nolint */", None),
        ] {
            assert_eq!(names(comment), expected, "{comment}");
        }
    }
}
