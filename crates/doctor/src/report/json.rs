//! Everything, in a shape that stays: fields are added, never renamed or removed, within one
//! `version`.

use serde::Serialize;

use super::{
    FileFindings, FoundFinding, Report, Unread,
    place::{Unit, region},
};
use crate::{
    finding::Safety,
    syntax::{Lines, Span},
};

/// The version of the shape.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: Tool<'a>,
    findings: Vec<Entry<'a>>,
    summary: Counts<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct Entry<'a> {
    rule: &'static str,
    severity: &'static str,
    confidence: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    file: &'a str,
    start: Position,
    end: Position,
    function: Option<&'a str>,
    fingerprint: &'a str,
    related: Vec<Related<'a>>,
    fix: Option<Fix<'a>>,
}

/// Line and column from 1, the column and the offset (from 0) in bytes.
#[derive(Serialize)]
struct Position {
    line: u32,
    column: u32,
    offset: u32,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Fix<'a> {
    title: &'a str,
    safe: bool,
    edits: Vec<Edit<'a>>,
}

#[derive(Serialize)]
struct Edit<'a> {
    start: Position,
    end: Position,
    text: &'a str,
}

#[derive(Serialize)]
struct Counts<'a> {
    findings: usize,
    files: usize,
    packages: usize,
    lines: usize,
    suppressed: usize,
    known: usize,
    constrained: usize,
    generated: usize,
    excluded: usize,
    unread: Vec<Gap<'a>>,
}

#[derive(Serialize)]
struct Gap<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    message: &'a str,
}

/// One JSON object; ends with an end of line.
#[must_use]
pub fn json(report: Report<'_>) -> String {
    let summary = report.summary;
    let document = Document {
        version: VERSION,
        tool: Tool { name: "rearguard doctor", version: report.version },
        findings: report
            .files
            .iter()
            .flat_map(|file| {
                let lines = file.lines();
                file.findings.iter().map(move |found| entry(file, &lines, found))
            })
            .collect(),
        summary: Counts {
            findings: report.count(),
            files: summary.files,
            packages: summary.packages,
            lines: summary.lines,
            suppressed: summary.suppressed,
            known: summary.known,
            constrained: summary.constrained,
            generated: summary.generated,
            excluded: summary.excluded,
            unread: summary.unread.iter().map(gap).collect(),
        },
    };
    super::to_json(&document)
}

fn gap(unread: &Unread) -> Gap<'_> {
    let Unread { path, line, column, message } = unread;
    Gap { file: path, line: *line, column: *column, message }
}

fn entry<'a>(file: &'a FileFindings, lines: &Lines<'_>, found: &'a FoundFinding) -> Entry<'a> {
    let finding = &found.finding;
    let both = |span: Span| positions(&file.text, lines, span);
    let (start, end) = both(finding.span);
    let related = finding.related.iter().map(|related| {
        let (start, end) = both(related.span);
        Related { message: &related.message, start, end }
    });
    let fix = finding.fix.as_ref().map(|fix| Fix {
        title: &fix.title,
        safe: fix.safety == Safety::Safe,
        edits: fix
            .edits
            .iter()
            .map(|edit| {
                let (start, end) = both(edit.span);
                Edit { start, end, text: &edit.text }
            })
            .collect(),
    });
    Entry {
        rule: finding.rule.code,
        severity: finding.severity().as_str(),
        confidence: finding.confidence.as_str(),
        message: &finding.message,
        help: finding.help.as_deref(),
        file: &file.path,
        start,
        end,
        function: found.function.as_deref(),
        fingerprint: &found.fingerprint,
        related: related.collect(),
        fix,
    }
}

fn positions(text: &str, lines: &Lines<'_>, span: Span) -> (Position, Position) {
    let at = region(text, lines, span, Unit::Bytes);
    (
        Position { line: at.line, column: at.column, offset: span.start },
        Position { line: at.end_line, column: at.end_column, offset: span.end },
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample, json};

    #[test]
    #[expect(clippy::too_many_lines, reason = "the whole document is what is asserted")]
    fn everything_is_said_in_a_shape_that_stays() {
        insta::assert_snapshot!(sample::printed(json), @r#"
        {
          "version": 1,
          "tool": {
            "name": "rearguard doctor",
            "version": "1.2.3"
          },
          "findings": [
            {
              "rule": "unclosed-resource",
              "severity": "error",
              "confidence": "high",
              "message": "the file `f` is never closed",
              "help": "a process has 1024 descriptors; close it, 100% of the time",
              "file": "a/b c.go",
              "start": {
                "line": 4,
                "column": 12,
                "offset": 56
              },
              "end": {
                "line": 4,
                "column": 25,
                "offset": 69
              },
              "function": "Load",
              "fingerprint": "0123456789abcdef",
              "related": [
                {
                  "message": "this path leaves it open",
                  "start": {
                    "line": 8,
                    "column": 2,
                    "offset": 114
                  },
                  "end": {
                    "line": 8,
                    "column": 17,
                    "offset": 129
                  }
                }
              ],
              "fix": {
                "title": "close the file in a defer",
                "safe": true,
                "edits": [
                  {
                    "start": {
                      "line": 8,
                      "column": 1,
                      "offset": 113
                    },
                    "end": {
                      "line": 8,
                      "column": 1,
                      "offset": 113
                    },
                    "text": "\tdefer f.Close()\n"
                  }
                ]
              }
            }
          ],
          "summary": {
            "findings": 1,
            "files": 2,
            "packages": 1,
            "lines": 12,
            "suppressed": 0,
            "known": 0,
            "constrained": 0,
            "generated": 0,
            "excluded": 0,
            "unread": [
              {
                "file": "a/broken.go",
                "line": 3,
                "column": 1,
                "message": "expected a declaration, found `}`"
              }
            ]
          }
        }
        "#);
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let document: serde_json::Value = serde_json::from_str(&sample::clean(json)).unwrap();
        assert_eq!(document["findings"], serde_json::json!([]));
        assert_eq!(document["summary"]["files"], 2);
    }
}
