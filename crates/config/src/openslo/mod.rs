//! OpenSLO documents to objectives.
//!
//! [`load_objectives`] takes the same files as [`crate::load`] and reads those documents that the other
//! leaves alone. Its steps are the same: trees with places, the tables of `schema`, then `documents`
//! sorts them by kind and name, and `objectives` puts them together.

mod alerts;
mod documents;
mod indicator;
mod metric_source;
mod objectives;
mod ratio;
mod requests;
mod span;
mod threshold;
mod window;

use model::slo::Objective;

use self::documents::Documents;
use crate::{Diagnostic, Severity, Source, report::Report, yaml};

/// The API whose documents these are.
pub(crate) const API: &str = "openslo/v1";

/// The result of [`load_objectives`].
#[derive(Clone, Debug)]
pub struct LoadedObjectives {
    /// What is watched; not to be used when there are errors.
    pub objectives: Vec<Objective>,
    /// Errors, warnings and notes in the order of the files and their lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadedObjectives {
    /// Whether there is an error, so that they must not be watched.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }
}

/// Finds a time zone by its IANA name; a database of them is not looked for here.
pub type Zones<'a> = &'a dyn Fn(&str) -> Option<jiff::tz::TimeZone>;

/// Reads and checks the OpenSLO documents of all files. Documents of other APIs are [`crate::load`]'s.
pub fn load_objectives(sources: &[Source], zones: Zones<'_>) -> LoadedObjectives {
    let mut report = Report::default();
    let mut documents = Documents::default();
    for (file, source) in sources.iter().enumerate() {
        // What is no YAML is told of once, by the other loader, when both are used.
        for document in yaml::parse(file, source, &mut report) {
            documents.add(document, &mut report);
        }
    }
    let objectives = objectives::read(&documents, zones, &mut report);
    LoadedObjectives { objectives, diagnostics: report.finish(sources) }
}
