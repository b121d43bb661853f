//! What is wrong or worth knowing about a configuration, and how it is shown.

use std::{fmt, ops::Range};

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle,
};

use crate::source::{Source, floor_char_boundary};

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing needs to be done.
    Note,
    /// It is served, but probably not as meant.
    Warning,
    /// It is not served.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// With ANSI escapes.
    Always,
    /// Plain text.
    Never,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// What it is, stable and in kebab case, such as `unknown-field`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// Where; `None` when it is not about a line of a file, such as an `--upstream`.
    pub location: Option<Location>,
    /// Other places that belong to it, each with what is there.
    pub related: Vec<(Location, String)>,
    /// What to do.
    pub hints: Vec<String>,
    /// Text that is ready to paste into a file, such as the documents that are missing.
    pub paste: Option<String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The index of the source.
    pub source: usize,
    /// The name of the source.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes.
    pub span: Range<usize>,
    /// What is said beside the marked text; may be empty.
    pub label: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Diagnostic {
    /// One line: place, severity, code, message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}[{}]: {}", self.severity.as_str(), self.code, self.message)
    }
}

impl Diagnostic {
    /// The finding with its lines of text, as a compiler shows it. `sources` are those that were
    /// loaded. Ends with a newline.
    pub fn render(&self, sources: &[Source], color: Color) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(&self.message).id(self.code));
        if let Some(location) = &self.location {
            for snippet in self.snippets(location, sources) {
                group = group.element(snippet);
            }
        }
        for hint in &self.hints {
            group = group.element(Level::HELP.message(hint));
        }
        let renderer = match color {
            Color::Always => Renderer::styled(),
            Color::Never => Renderer::plain(),
        };
        let mut shown = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
        shown.push('\n');
        if let Some(paste) = &self.paste {
            shown.push('\n');
            shown.push_str(paste.trim_end());
            shown.push('\n');
        }
        shown
    }

    /// One snippet for each file that is marked.
    fn snippets<'a>(
        &'a self,
        location: &'a Location,
        sources: &'a [Source],
    ) -> Vec<Snippet<'a, Annotation<'a>>> {
        let mut marks = vec![(location, AnnotationKind::Primary, location.label.as_str())];
        marks.extend(self.related.iter().map(|(at, label)| {
            let label = if label.is_empty() { at.label.as_str() } else { label.as_str() };
            (at, AnnotationKind::Context, label)
        }));
        let mut files: Vec<usize> = Vec::new();
        for (at, ..) in &marks {
            if !files.contains(&at.source) {
                files.push(at.source);
            }
        }
        files
            .into_iter()
            .filter_map(|file| {
                let source = sources.get(file)?;
                let marks: Vec<_> = marks.iter().filter(|(at, ..)| at.source == file).collect();
                Some(snippet(source, &marks))
            })
            .collect()
    }
}

/// The lines of `source` that hold the marks. Only the first line of a mark is marked, so that a
/// whole document is not printed for a finding about it.
fn snippet<'a>(
    source: &'a Source,
    marks: &[&(&'a Location, AnnotationKind, &'a str)],
) -> Snippet<'a, Annotation<'a>> {
    let text = source.text.as_str();
    let starts = marks.iter().map(|(at, ..)| floor_char_boundary(text, at.span.start));
    let first = starts.clone().min().unwrap_or(0);
    let last = starts.max().unwrap_or(0);
    let line = marks.iter().map(|(at, ..)| at.line).min().unwrap_or(1);
    let from = text[..first].rfind('\n').map_or(0, |i| i + 1);
    let to = text[last..].find('\n').map_or(text.len(), |i| last + i);
    let window = &text[from..to];
    let mut snippet = Snippet::source(window).line_start(line).path(source.name.as_str());
    for (at, kind, label) in marks {
        let start = floor_char_boundary(text, at.span.start);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let end = floor_char_boundary(text, at.span.end.min(line_end)).max(start);
        let end = start + text[start..end].trim_end().len();
        let annotation = kind.span(start - from..end - from);
        snippet = snippet.annotation(if label.is_empty() {
            annotation
        } else {
            annotation.label(*label)
        });
    }
    snippet
}
