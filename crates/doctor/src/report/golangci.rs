//! What golangci-lint prints with `--out-format json`, for tools that read that (reviewdog, editors).
//!
//! The shape is `pkg/result.Issue` and `pkg/report.Data` of golangci-lint 1.6x; version 2 reads and
//! writes the same fields except `Replacement`.

use serde::Serialize;

use super::{
    FileFindings, FoundFinding, Report, TOOL,
    place::{Unit, region},
};
use crate::{
    finding::Fix,
    syntax::{Lines, Span},
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    issues: Vec<Issue<'a>>,
    report: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    linters: [Linter; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Linter {
    name: &'static str,
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Issue<'a> {
    from_linter: &'static str,
    text: String,
    severity: &'static str,
    source_lines: Vec<&'a str>,
    replacement: Option<Replacement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_range: Option<Range>,
    pos: Position<'a>,
    expect_no_lint: bool,
    expected_no_lint_linter: &'static str,
}

/// Whole lines in place of the lines of `LineRange`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Replacement {
    need_only_delete: bool,
    new_lines: Option<Vec<String>>,
    inline: Option<()>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Range {
    from: u32,
    to: u32,
}

/// `go/token.Position`: line and column from 1, both in bytes.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Position<'a> {
    filename: &'a str,
    offset: u32,
    line: u32,
    column: u32,
}

/// One JSON object; ends with an end of line.
#[must_use]
pub fn golangci(report: Report<'_>) -> String {
    let issues = report.files.iter().flat_map(|file| {
        let lines = file.lines();
        file.findings.iter().map(move |found| issue(file, &lines, found))
    });
    super::to_json(&Document {
        issues: issues.collect(),
        report: Data { linters: [Linter { name: TOOL, enabled: true }] },
    })
}

fn issue<'a>(file: &'a FileFindings, lines: &Lines<'a>, found: &'a FoundFinding) -> Issue<'a> {
    let finding = &found.finding;
    let at = region(&file.text, lines, finding.span, Unit::Bytes);
    let replaced = finding.fix.as_ref().and_then(|fix| replacement(&file.text, lines, fix));
    let (line_range, replacement) = replaced.unzip();
    Issue {
        from_linter: TOOL,
        text: format!("{}: {}", finding.rule.code, finding.message),
        severity: finding.severity().as_str(),
        source_lines: vec![lines.text(at.line)],
        replacement,
        line_range,
        pos: Position {
            filename: &file.path,
            offset: finding.span.start,
            line: at.line,
            column: at.column,
        },
        expect_no_lint: false,
        expected_no_lint_linter: "",
    }
}

/// The lines that a fix touches, and what they become.
fn replacement(text: &str, lines: &Lines<'_>, fix: &Fix) -> Option<(Range, Replacement)> {
    let first = fix.edits.iter().map(|edit| edit.span.start).min()?;
    let last = fix.edits.iter().map(|edit| edit.span.end).max()?;
    let (from, to) = (lines.line(first), lines.line(last));
    let window = Span::new(lines.span(from).start, lines.span(to).end);
    let changed = crate::fix::edited(text, &fix.edits)?;
    let grown = changed.len() as i64 - text.len() as i64;
    let end = u32::try_from(i64::from(window.end) + grown).ok()?;
    let new = Span::new(window.start, end).of(&changed);
    let new_lines: Vec<String> = new.lines().map(str::to_owned).collect();
    let need_only_delete = new_lines.is_empty();
    let new_lines = (!need_only_delete).then_some(new_lines);
    Some((Range { from, to }, Replacement { need_only_delete, new_lines, inline: None }))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, golangci};

    #[test]
    fn a_finding_is_an_issue_with_its_replacement() {
        insta::assert_snapshot!(sample::printed(golangci), @r#"
        {
          "Issues": [
            {
              "FromLinter": "rearguard",
              "Text": "unclosed-resource: the file `f` is never closed",
              "Severity": "error",
              "SourceLines": [
                "\tf, err := os.Open(path) // é😀"
              ],
              "Replacement": {
                "NeedOnlyDelete": false,
                "NewLines": [
                  "\tdefer f.Close()",
                  "\treturn parse(f)"
                ],
                "Inline": null
              },
              "LineRange": {
                "From": 8,
                "To": 8
              },
              "Pos": {
                "Filename": "a/b c.go",
                "Offset": 56,
                "Line": 4,
                "Column": 12
              },
              "ExpectNoLint": false,
              "ExpectedNoLintLinter": ""
            }
          ],
          "Report": {
            "Linters": [
              {
                "Name": "rearguard",
                "Enabled": true
              }
            ]
          }
        }
        "#);
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let document: serde_json::Value = serde_json::from_str(&sample::clean(golangci)).unwrap();
        assert_eq!(document["Issues"], serde_json::json!([]));
    }
}
