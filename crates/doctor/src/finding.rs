//! What a rule says, and how it may be mended.

use crate::rule::{Confidence, Rule, Severity};
use crate::syntax::Span;

/// A mistake at its place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// How sure the rule is of this one; starts as the rule's own.
    pub confidence: Confidence,
    /// The place that the finding is about, in the file that was analysed.
    pub span: Span,
    /// What is wrong: one sentence in lower case, without a full stop, with the names of the code.
    pub message: String,
    /// What happens because of it and what to do, where the message does not say it.
    pub help: Option<String>,
    /// Other places that explain it: where it was opened, where the path leaves.
    pub related: Vec<Related>,
    /// How to mend it.
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding of `rule` at `span`, as sure and as severe as the rule is.
    #[must_use]
    pub fn new(rule: &'static Rule, span: Span, message: impl Into<String>) -> Self {
        Self {
            rule,
            confidence: rule.confidence,
            span,
            message: message.into(),
            help: None,
            related: Vec::new(),
            fix: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With another place in the same file that explains it.
    #[must_use]
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push(Related { span, message: message.into() });
        self
    }

    /// With another degree of certainty than the rule's.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// With a way to mend it.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// How much it matters: the rule's own.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity
    }
}

/// Another place that explains a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where, in the same file.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// How to mend a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an order: "close the file in a defer".
    pub title: String,
    /// Whether it may be applied without a person's look.
    pub safety: Safety,
    /// The edits; they do not overlap.
    pub edits: Vec<Edit>,
}

/// Whether a fix may change what the program means to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// It keeps what the program means: `--fix`.
    Safe,
    /// It may change it: `--fix --unsafe`.
    Unsafe,
}

/// A piece of text to be put in place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is taken out; empty to insert.
    pub span: Span,
    /// What is put in.
    pub text: String,
}
