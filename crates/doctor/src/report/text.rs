//! With the lines of source, as a compiler shows it.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle,
};

use super::{FileFindings, FoundFinding, Report};
use crate::{
    finding::Safety,
    rule::Severity,
    syntax::{Lines, Span},
};

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// With ANSI escapes.
    Always,
    /// Plain text.
    Never,
}

/// Every finding with its lines of source, and how many there are.
#[must_use]
pub fn text(report: Report<'_>, color: Color) -> String {
    let mut shown = String::new();
    for file in report.files {
        let lines = file.lines();
        for found in &file.findings {
            shown.push_str(&text_of(file, &lines, found, color));
            shown.push('\n');
        }
    }
    shown.push_str(&last_line(report));
    shown
}

/// One finding with its lines of source; ends with an end of line.
#[must_use]
pub fn text_of(
    file: &FileFindings,
    lines: &Lines<'_>,
    found: &FoundFinding,
    color: Color,
) -> String {
    let finding = &found.finding;
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&finding.message).id(finding.rule.code);
    let mut group = Group::with_title(title).element(snippet(file, lines, found));
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    let fix = finding.fix.as_ref().map(|fix| match fix.safety {
        Safety::Safe => format!("`--fix` can {}", fix.title),
        Safety::Unsafe => format!("`--fix --unsafe` can {}", fix.title),
    });
    if let Some(fix) = &fix {
        group = group.element(Level::HELP.message(fix));
    }
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    let mut shown = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    shown.push('\n');
    shown
}

/// The lines of source that hold the marks.
fn snippet<'a>(
    file: &'a FileFindings,
    lines: &Lines<'_>,
    found: &'a FoundFinding,
) -> Snippet<'a, Annotation<'a>> {
    let finding = &found.finding;
    let spans = std::iter::once(finding.span).chain(finding.related.iter().map(|it| it.span));
    let marked_lines = spans.map(|span| lines.line(span.start));
    let (from, to) =
        marked_lines.fold((u32::MAX, 0), |(from, to), line| (from.min(line), to.max(line)));
    let start = lines.span(from).start;
    let window = Span::new(start, lines.span(to).end).of(&file.text);
    let mut snippet = Snippet::source(window).line_start(from as usize).path(file.path.as_str());
    let marked = |span: Span| marked(&file.text, lines, span, start);
    snippet = snippet.annotation(AnnotationKind::Primary.span(marked(finding.span)));
    for related in &finding.related {
        let mark = AnnotationKind::Context.span(marked(related.span));
        snippet = snippet.annotation(mark.label(related.message.as_str()));
    }
    snippet
}

/// The bytes of the window that are marked: not past the first line, so that a whole function is not
/// printed for a finding about it.
fn marked(text: &str, lines: &Lines<'_>, span: Span, window: u32) -> Range<usize> {
    let line = lines.span(lines.line(span.start));
    let end = span.end.min(line.end).max(span.start);
    let shown = Span::new(span.start, end).of(text).trim_end().len() as u32;
    (span.start - window) as usize..(span.start + shown - window) as usize
}

/// `2 findings (3 known to the baseline) in 10 files (4 more for other builds)`
fn last_line(report: Report<'_>) -> String {
    let summary = report.summary;
    let aside = |counts: &[(usize, &str)]| {
        let asides = counts.iter().filter(|(count, _)| *count > 0);
        let asides: Vec<String> = asides.map(|(count, what)| format!("{count} {what}")).collect();
        if asides.is_empty() { String::new() } else { format!(" ({})", asides.join(", ")) }
    };
    let known = aside(&[
        (summary.suppressed, "held back by //nolint"),
        (summary.known, "known to the baseline"),
    ]);
    let left_out = aside(&[
        (summary.constrained, "more for other builds"),
        (summary.generated, "generated"),
        (summary.excluded, "excluded"),
    ]);
    let (findings, files) = (counted(report.count(), "finding"), counted(summary.files, "file"));
    format!("{findings}{known} in {files}{left_out}\n")
}

/// `1 file`, `2 files`
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{super::sample, Color, text};

    #[test]
    fn a_finding_is_shown_with_its_lines_its_path_and_what_to_do() {
        insta::assert_snapshot!(sample::printed(|report| text(report, Color::Never)), @"
        error[unclosed-resource]: the file `f` is never closed
         --> a/b c.go:4:12
          |
        4 |     f, err := os.Open(path) // é😀
          |               ^^^^^^^^^^^^^
        ...
        8 |     return parse(f)
          |     --------------- this path leaves it open
          |
          = help: a process has 1024 descriptors; close it, 100% of the time
          = help: `--fix` can close the file in a defer

        1 finding in 2 files
        ");
    }

    #[test]
    fn colours_are_escapes() {
        let shown = sample::printed(|report| text(report, Color::Always));
        assert!(shown.contains("\u{1b}["), "{shown}");
    }

    #[test]
    fn nothing_found_is_one_line() {
        let shown = sample::clean(|report| text(report, Color::Never));
        assert_eq!(shown, "0 findings in 2 files\n");
    }
}
