//! Findings for the tests of every format.

use super::{FileFindings, FoundFinding, Report, Summary, Unread};
use crate::{
    finding::{Edit, Finding, Fix, Safety},
    rule::{Confidence, Rule, Severity},
    syntax::Span,
};

pub(super) static LEAK: Rule = Rule {
    code: "unclosed-resource",
    summary: "a resource is not closed on some path",
    severity: Severity::Error,
    confidence: Confidence::High,
    page: "A resource is not closed.\n",
};

const TEXT: &str = "package shop\n\nfunc Load(path string) error {\n\tf, err := os.Open(path) // é😀\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn parse(f)\n}\n";

fn span(of: &str) -> Span {
    let at = TEXT.find(of).expect("the sample has it") as u32;
    Span::new(at, at + of.len() as u32)
}

/// One file with one finding that has everything.
pub(super) fn files() -> Vec<FileFindings> {
    let fix = Fix {
        title: "close the file in a defer".to_owned(),
        safety: Safety::Safe,
        edits: vec![Edit {
            span: {
                let end = span("\t}\n\treturn parse").start + 3;
                Span::new(end, end)
            },
            text: "\tdefer f.Close()\n".to_owned(),
        }],
    };
    let finding = Finding::new(&LEAK, span("os.Open(path)"), "the file `f` is never closed")
        .help("a process has 1024 descriptors; close it, 100% of the time")
        .related(span("return parse(f)"), "this path leaves it open")
        .fix(fix);
    let found = FoundFinding {
        finding,
        fingerprint: "0123456789abcdef".to_owned(),
        function: Some("Load".to_owned()),
    };
    vec![FileFindings { path: "a/b c.go".to_owned(), text: TEXT.to_owned(), findings: vec![found] }]
}

pub(super) fn summary() -> Summary {
    let unread = Unread {
        path: "a/broken.go".to_owned(),
        line: 3,
        column: 1,
        message: "expected a declaration, found `}`".to_owned(),
    };
    Summary { files: 2, packages: 1, lines: 12, unread: vec![unread], ..Summary::default() }
}

/// What `print` makes of the sample.
pub(super) fn printed<T>(print: impl Fn(Report<'_>) -> T) -> T {
    let (files, summary) = (files(), summary());
    print(Report { version: "1.2.3", files: &files, rules: &[&LEAK], summary: &summary })
}

/// What `print` makes of nothing found.
pub(super) fn clean<T>(print: impl Fn(Report<'_>) -> T) -> T {
    let summary = Summary { files: 2, packages: 1, lines: 12, ..Summary::default() };
    print(Report { version: "1.2.3", files: &[], rules: &[&LEAK], summary: &summary })
}
