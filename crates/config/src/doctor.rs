//! The settings of `rearguard doctor`: one YAML document.
//!
//! [`load`] checks its fields, and the codes of rules against those that there are.

use std::collections::BTreeMap;

use crate::{
    Diagnostic, Severity, Source,
    report::{Finding, Report},
    schema::{self, nearest},
    source::At,
    yaml::{self, Node},
};

/// What the file says; what it does not say is empty or `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorSettings {
    /// The rules to ask, instead of all.
    pub rules: Option<Vec<String>>,
    /// Rules not to ask.
    pub skip: Vec<String>,
    /// The least confidence: `low`, `medium` or `high`.
    pub confidence: Option<String>,
    /// The least severity: `note`, `warning` or `error`.
    pub severity: Option<String>,
    /// Patterns of files to leave out.
    pub exclude: Vec<String>,
    /// What is left out by default and is to be looked at: `vendor`, `testdata`, `node-modules`,
    /// `hidden`, `generated`.
    pub include: Vec<String>,
    /// Whether tests are looked at.
    pub tests: Option<bool>,
    /// Build tags that hold.
    pub tags: Vec<String>,
    /// The baseline's file.
    pub baseline: Option<String>,
    /// What holds for single rules.
    pub options: BTreeMap<String, RuleOptions>,
}

/// What holds for one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleOptions {
    /// Its least confidence.
    pub confidence: Option<String>,
    /// Patterns of files that it is not asked about.
    pub exclude: Vec<String>,
}

/// The result of [`load`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedDoctor {
    /// What the file says; not to be used when there are errors.
    pub settings: DoctorSettings,
    /// Errors, warnings and notes in the order of the lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadedDoctor {
    /// Whether there is an error, so that it must not be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }
}

/// Reads and checks one file. `codes` are the rules that there are. Never panics, whatever the text.
#[must_use]
pub fn load(source: &Source, codes: &[&str]) -> LoadedDoctor {
    let mut report = Report::default();
    let documents = yaml::parse(0, source, &mut report);
    let mut settings = DoctorSettings::default();
    if let Some(document) = documents.first() {
        schema::check("these settings", document, schema::DOCTOR, &mut report);
        settings = read(document, codes, &mut report);
    }
    if let Some(second) = documents.get(1) {
        let hint = "put all settings into one document";
        report.error("several-documents", second.place, "this is a second document", hint);
    }
    LoadedDoctor { settings, diagnostics: report.finish(std::slice::from_ref(source)) }
}

fn read(document: &Node, codes: &[&str], report: &mut Report) -> DoctorSettings {
    let mut rules = |key: &str| {
        let texts = document.texts_of(key);
        texts.into_iter().filter_map(|code| known(code, codes, report)).collect::<Vec<_>>()
    };
    let only = rules("rules");
    let skip = rules("skip");
    let options =
        document.get("options").map_or(&[][..], Node::entries).iter().filter_map(|entry| {
            let code = known(entry.key.clone(), codes, report)?;
            let value = &entry.value;
            let options = RuleOptions {
                confidence: text(value, "confidence"),
                exclude: texts(value, "exclude"),
            };
            Some((code, options))
        });
    DoctorSettings {
        options: options.collect(),
        rules: document.get("rules").map(|_| only),
        skip,
        confidence: text(document, "confidence"),
        severity: text(document, "severity"),
        exclude: texts(document, "exclude"),
        include: texts(document, "include"),
        tests: document.get("tests").and_then(Node::boolean),
        tags: texts(document, "tags"),
        baseline: text(document, "baseline"),
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.text_of(key).map(|text| text.value)
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    node.texts_of(key).into_iter().map(|text| text.value).collect()
}

/// The code, if there is such a rule.
fn known(code: At<String>, codes: &[&str], report: &mut Report) -> Option<String> {
    if codes.contains(&code.value.as_str()) {
        return Some(code.value);
    }
    let hint = match nearest(&code.value, codes.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`rearguard doctor --list-rules` shows all".to_owned(),
    };
    let message = format!("there is no rule `{}`", code.value);
    report.push(Finding::new(Severity::Error, "unknown-rule", message).at(code.place).hint(hint));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Color;

    const CODES: [&str; 2] = ["defer-in-loop", "unused-nolint"];

    fn shown(text: &str) -> String {
        let source = Source::new("doctor.yaml", text);
        let loaded = load(&source, &CODES);
        let shown = loaded.diagnostics.iter();
        shown.map(|it| it.render(std::slice::from_ref(&source), Color::Never)).collect()
    }

    #[test]
    fn every_field_is_read() {
        let text = "
rules: [defer-in-loop]
skip: [unused-nolint]
confidence: low
severity: warning
exclude: ['*.pb.go']
include: [generated]
tests: false
tags: [integration]
baseline: known.json
options:
  defer-in-loop:
    confidence: high
    exclude: [cmd]
";
        let source = Source::new("doctor.yaml", text);
        let loaded = load(&source, &CODES);
        assert_eq!(loaded.diagnostics, []);
        let owned = |text: &str| text.to_owned();
        let own = RuleOptions { confidence: Some(owned("high")), exclude: vec![owned("cmd")] };
        let expected = DoctorSettings {
            rules: Some(vec![owned("defer-in-loop")]),
            skip: vec![owned("unused-nolint")],
            confidence: Some(owned("low")),
            severity: Some(owned("warning")),
            exclude: vec![owned("*.pb.go")],
            include: vec![owned("generated")],
            tests: Some(false),
            tags: vec![owned("integration")],
            baseline: Some(owned("known.json")),
            options: BTreeMap::from([(owned("defer-in-loop"), own)]),
        };
        assert_eq!(loaded.settings, expected);
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# nothing\n", "---\n"] {
            let loaded = load(&Source::new("doctor.yaml", text), &CODES);
            assert_eq!((loaded.settings, loaded.diagnostics), (DoctorSettings::default(), vec![]));
        }
    }

    #[test]
    fn an_unknown_field_is_met_with_the_nearest_and_its_line() {
        insta::assert_snapshot!(shown("tests: true\nconfidense: low\n"), @"
        error[unknown-field]: unknown field `confidense`
         --> doctor.yaml:2:1
          |
        2 | confidense: low
          | ^^^^^^^^^^
          |
          = help: did you mean `confidence`?
        ");
    }

    #[test]
    fn an_unknown_rule_is_met_with_the_nearest_and_its_line() {
        insta::assert_snapshot!(shown("skip:\n- defer-in-lop\noptions:\n  x: {}\n"), @"
        error[unknown-rule]: there is no rule `defer-in-lop`
         --> doctor.yaml:2:3
          |
        2 | - defer-in-lop
          |   ^^^^^^^^^^^^
          |
          = help: did you mean `defer-in-loop`?
        error[unknown-rule]: there is no rule `x`
         --> doctor.yaml:4:3
          |
        4 |   x: {}
          |   ^
          |
          = help: `rearguard doctor --list-rules` shows all
        ");
    }

    #[test]
    fn a_word_that_is_none_of_the_choices_and_a_second_document_are_refused() {
        insta::assert_snapshot!(shown("confidence: hihg\n---\ntests: false\n"), @"
        error[wrong-type]: `confidence` is the text `hihg`, expected one of low, medium, high
         --> doctor.yaml:1:13
          |
        1 | confidence: hihg
          |             ^^^^
          |
          = help: did you mean `high`?
        error[several-documents]: this is a second document
         --> doctor.yaml:3:1
          |
        3 | tests: false
          | ^^^^^^^^^^^^
          |
          = help: put all settings into one document
        ");
    }
}
