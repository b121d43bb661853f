//! Annotations of GitHub Actions: workflow commands on standard output
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fmt::Write as _;

use super::{
    Report, TOOL,
    place::{Unit, region},
};
use crate::rule::Severity;

/// One command a finding. GitHub shows at most ten of each level for a step.
#[must_use]
pub fn github(report: Report<'_>) -> String {
    let mut commands = String::new();
    for file in report.files {
        let lines = file.lines();
        for found in &file.findings {
            let finding = &found.finding;
            let level = match finding.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "notice",
            };
            let at = region(&file.text, &lines, finding.span, Unit::Utf16);
            let title = format!("{TOOL} {}", finding.rule.code);
            let mut message = finding.message.clone();
            for detail in finding.help.iter() {
                message.push('\n');
                message.push_str(detail);
            }
            write!(commands, "::{level} file={},line={}", property(&file.path), at.line)
                .unwrap_or_default();
            // Columns mean something to GitHub within one line only.
            if at.line == at.end_line {
                write!(commands, ",col={},endColumn={}", at.column, at.end_column)
            } else {
                write!(commands, ",endLine={}", at.end_line)
            }
            .unwrap_or_default();
            writeln!(commands, ",title={}::{}", property(&title), data(&message))
                .unwrap_or_default();
        }
    }
    commands
}

/// What stands after `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands after `name=`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{super::sample, data, github, property};

    #[test]
    fn a_finding_is_one_command() {
        insta::assert_snapshot!(sample::printed(github), @"::error file=a/b c.go,line=4,col=12,endColumn=25,title=rearguard unclosed-resource::the file `f` is never closed%0Aa process has 1024 descriptors; close it, 100%25 of the time");
    }

    #[test]
    fn nothing_found_prints_nothing() {
        assert_eq!(sample::clean(github), "");
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("50% of a:b,\r\nc"), "50%25 of a:b,%0D%0Ac");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
