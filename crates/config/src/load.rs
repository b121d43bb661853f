//! From files to a routing and what there is to say about it.

use std::time::Duration;

use crate::{
    Diagnostic, Severity, Source, Upstream,
    join::join,
    read::{self, Documents},
    report::Report,
    routing::Routing,
    timeouts, yaml,
};

/// What holds where a configuration says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// From the request to the status line, for routes without `timeout`; zero: no limit.
    pub response_timeout: Duration,
    /// How long a connection may be idle in the pool, for services without `idleTimeout`.
    pub idle_timeout: Duration,
}

impl Default for Defaults {
    /// 1 s, 10 s and 4 s.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(4),
        }
    }
}

/// The result of [`load`].
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What is served; not to be used when there are errors.
    pub routing: Routing,
    /// Errors, warnings and notes in the order of the files and their lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether there is an error, so that it must not be served.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads, checks and joins everything. Never panics, whatever the text.
pub fn load(sources: &[Source], upstreams: &[Upstream], defaults: &Defaults) -> Loaded {
    let mut report = Report::default();
    let mut documents = Documents::default();
    for (file, source) in sources.iter().enumerate() {
        for document in yaml::parse(file, source, &mut report) {
            read::read(&document, &mut documents, &mut report);
        }
    }
    let (routing, places) = join(documents, upstreams, defaults, &mut report);
    timeouts::check(&routing, &places, defaults, &mut report);
    Loaded { routing, diagnostics: report.finish(sources) }
}
