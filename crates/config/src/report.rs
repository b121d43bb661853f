//! Collects findings while documents are read.

use crate::{
    diagnostic::{Diagnostic, Location, Severity},
    source::{Place, Source, line_and_column},
};

/// How many findings one load keeps; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 200;

/// A finding whose places are not yet lines and columns.
#[derive(Debug)]
pub(crate) struct Finding {
    severity: Severity,
    code: &'static str,
    message: String,
    place: Option<Place>,
    label: String,
    related: Vec<(Place, String)>,
    hints: Vec<String>,
    paste: Option<String>,
}

impl Finding {
    /// Without a place, label or hint.
    pub(crate) fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            place: None,
            label: String::new(),
            related: Vec::new(),
            hints: Vec::new(),
            paste: None,
        }
    }

    /// It is about this place.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// It is about this place, if there is one.
    pub(crate) fn at_some(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// What is said beside the marked text.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that belongs to it.
    pub(crate) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    /// What to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What to do, if that is known.
    pub(crate) fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// Text that is ready to paste.
    pub(crate) fn paste(mut self, text: String) -> Self {
        self.paste = Some(text);
        self
    }
}

/// The findings of one load.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    left_out: usize,
    errors_left_out: bool,
}

impl Report {
    /// Keeps a finding, or counts it when there are too many.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.findings.len() < MAX_DIAGNOSTICS {
            self.findings.push(finding);
        } else {
            self.left_out += 1;
            self.errors_left_out |= finding.severity == Severity::Error;
        }
    }

    /// Whether there is an error among the findings.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors_left_out || self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Whether further findings are only counted, so that no hint is worth finding.
    pub(crate) fn is_full(&self) -> bool {
        self.findings.len() >= MAX_DIAGNOSTICS
    }

    /// An error at a place, with a hint.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Finding::new(Severity::Error, code, message).at(place).hint(hint));
    }

    /// A warning at a place, with a hint.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Finding::new(Severity::Warning, code, message).at(place).hint(hint));
    }

    /// The findings in the order of the files and their lines, those without a place last.
    pub(crate) fn finish(mut self, sources: &[Source]) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|f| (f.place.is_none(), f.place));
        let mut diagnostics: Vec<_> =
            self.findings.into_iter().map(|f| located(f, sources)).collect();
        if self.left_out > 0 {
            let severity = if self.errors_left_out { Severity::Error } else { Severity::Note };
            let more = format!("{} more findings are not shown", self.left_out);
            diagnostics.push(located(Finding::new(severity, "too-many-findings", more), sources));
        }
        diagnostics
    }
}

fn located(finding: Finding, sources: &[Source]) -> Diagnostic {
    let locate = |place: Place, label: String| {
        let index = place.file as usize;
        let source = sources.get(index)?;
        let (line, column) = line_and_column(&source.text, place.start as usize);
        Some(Location {
            source: index,
            file: source.name.clone(),
            line,
            column,
            span: place.start as usize..place.end as usize,
            label,
        })
    };
    Diagnostic {
        severity: finding.severity,
        code: finding.code,
        message: finding.message,
        location: finding.place.and_then(|place| locate(place, finding.label)),
        related: finding
            .related
            .into_iter()
            .filter_map(|(place, label)| Some((locate(place, String::new())?, label)))
            .collect(),
        hints: finding.hints,
        paste: finding.paste,
    }
}
