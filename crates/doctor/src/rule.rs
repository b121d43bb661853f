//! What a rule is.

/// A rule's identity and its page.
#[derive(Debug)]
pub struct Rule {
    /// The stable code, a name in kebab case: `defer-in-loop`. Never reused for another meaning.
    pub code: &'static str,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// How sure it is, where it does not say otherwise for one finding.
    pub confidence: Confidence,
    /// Its page: what, why it ends in a 502 or a leak, bad, good, how sure, related.
    pub page: &'static str,
}

/// How much a mistake matters to a running service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It costs something, or will when the code changes.
    Note,
    /// It leaks or blocks on some path.
    Warning,
    /// It takes a request, a resource or the process down whenever that path is taken.
    Error,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A hint: a person has to look. Shown with `--confidence low`.
    Low,
    /// Right in at least nine cases of ten. The default bound.
    Medium,
    /// Right by what the language says.
    High,
}
