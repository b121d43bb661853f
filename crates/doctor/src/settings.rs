//! What is looked for, and where.

use std::collections::BTreeMap;

use crate::{
    catalogue,
    finding::Finding,
    rule::{Confidence, Rule, Severity},
};

/// Which rules are asked, how sure and how severe a finding has to be, and what is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The codes of the rules that are asked; all of them where it is `None`.
    pub only: Option<Vec<String>>,
    /// The codes of the rules that are not asked.
    pub skipped: Vec<String>,
    /// The least confidence.
    pub confidence: Confidence,
    /// The least severity.
    pub severity: Severity,
    /// Files that are left out, as patterns for [`matches()`].
    pub excluded: Vec<String>,
    /// What holds for single rules, by their codes.
    pub options: BTreeMap<String, RuleSettings>,
}

/// What holds for one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Its least confidence, instead of the one for all.
    pub confidence: Option<Confidence>,
    /// Files that it is not asked about, as patterns for [`matches()`].
    pub excluded: Vec<String>,
}

impl Default for Settings {
    /// Every rule, from medium confidence on, whatever the severity, everywhere.
    fn default() -> Self {
        Self {
            only: None,
            skipped: Vec::new(),
            confidence: Confidence::Medium,
            severity: Severity::Note,
            excluded: Vec::new(),
            options: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether a rule is asked.
    #[must_use]
    pub fn asks(&self, code: &str) -> bool {
        let chosen = self.only.as_ref().is_none_or(|only| only.iter().any(|it| it == code));
        chosen && !self.skipped.iter().any(|it| it == code)
    }

    /// The rules that are asked.
    #[must_use]
    pub fn rules(&self) -> Vec<&'static Rule> {
        catalogue::all().into_iter().filter(|rule| self.asks(rule.code)).collect()
    }

    /// Whether a finding in this file is shown. The path has `/` between its parts.
    #[must_use]
    pub fn shows(&self, path: &str, finding: &Finding) -> bool {
        let code = finding.rule.code;
        let own = self.options.get(code);
        let confidence = own.and_then(|own| own.confidence).unwrap_or(self.confidence);
        let excluded = own.is_some_and(|own| own.excluded.iter().any(|it| matches(it, path)));
        self.asks(code)
            && !excluded
            && finding.confidence >= confidence
            && finding.severity() >= self.severity
    }

    /// Whether a file is left out. The path has `/` between its parts.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        self.excluded.iter().any(|pattern| matches(pattern, path))
    }
}

/// Whether a pattern is about a path, as in `.gitignore` without `!` and `[…]`: `*` and `?` stay within
/// a part, `**` is any number of parts, a pattern without `/` fits at any depth, and one that fits a
/// folder is about all in it.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let pattern = pattern.trim_matches('/');
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let mut parts: Vec<&str> = pattern.split('/').collect();
    if !anchored {
        parts.insert(0, "**");
    }
    let path = path.strip_prefix("./").unwrap_or(path).trim_start_matches('/');
    let path: Vec<&str> = path.split('/').collect();
    // Whatever is in a folder that fits does too.
    reached(&parts, &path).into_iter().skip(1).any(|it| it)
}

/// For each number of parts of the path, whether the pattern fits these. Each part of the pattern is
/// taken once, so that no pattern takes exponential time.
fn reached(pattern: &[&str], path: &[&str]) -> Vec<bool> {
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        if *part == "**" {
            let first = reached.iter().position(|it| *it).unwrap_or(reached.len());
            reached.iter_mut().skip(first).for_each(|it| *it = true);
            continue;
        }
        for at in (0..path.len()).rev() {
            reached[at + 1] = reached[at] && name_matches(part, path[at]);
        }
        reached[0] = false;
    }
    reached
}

/// The same within one part.
fn name_matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for letter in pattern.chars() {
        if letter == '*' {
            let first = reached.iter().position(|it| *it).unwrap_or(reached.len());
            reached.iter_mut().skip(first).for_each(|it| *it = true);
            continue;
        }
        for at in (0..name.len()).rev() {
            reached[at + 1] = reached[at] && (letter == '?' || letter == name[at]);
        }
        reached[0] = false;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{suppress::UNUSED_NOLINT, syntax::Span};

    #[test]
    fn patterns_fit_as_in_gitignore() {
        for (pattern, path, expected) in [
            ("*.pb.go", "a/b/x.pb.go", true),
            ("*.pb.go", "a/b/x.go", false),
            ("gen", "a/gen/x.go", true),
            ("gen/", "a/gen/x.go", true),
            ("gen", "a/generated/x.go", false),
            ("/gen", "gen/x.go", true),
            ("/gen", "a/gen/x.go", false),
            ("a/*/x.go", "a/b/x.go", true),
            ("a/*/x.go", "a/b/c/x.go", false),
            ("a/**/x.go", "a/b/c/x.go", true),
            ("a/**/x.go", "a/x.go", true),
            ("**/x.go", "x.go", true),
            ("./a/x.go", "./a/x.go", true),
            ("?.go", "ü.go", true),
            ("*", "anything.go", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "*a".repeat(60);
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(5_000))));
        let pattern = format!("{}c", "**/a/".repeat(60));
        assert!(!matches(&pattern, &"a/b/".repeat(200)));
    }

    #[test]
    fn a_finding_is_shown_within_the_bounds_alone() {
        let finding = Finding::new(&UNUSED_NOLINT, Span::new(0, 1), "");
        let shows = |settings: &Settings, finding: &Finding| settings.shows("a.go", finding);
        let default = Settings::default();
        assert!(shows(&default, &finding));
        let low = finding.clone().confidence(Confidence::Low);
        assert!(!shows(&default, &low));
        assert!(shows(&Settings { confidence: Confidence::Low, ..default.clone() }, &low));
        assert!(!shows(&Settings { severity: Severity::Warning, ..default.clone() }, &finding));
        let skipped = vec!["unused-nolint".to_owned()];
        assert!(!shows(&Settings { skipped, ..default.clone() }, &finding));
        assert!(!shows(&Settings { only: Some(Vec::new()), ..default }, &finding));
    }

    #[test]
    fn a_rule_may_have_bounds_of_its_own() {
        let finding = Finding::new(&UNUSED_NOLINT, Span::new(0, 1), "");
        let low = finding.clone().confidence(Confidence::Low);
        let own =
            RuleSettings { confidence: Some(Confidence::Low), excluded: vec!["cmd".to_owned()] };
        let options = BTreeMap::from([("unused-nolint".to_owned(), own)]);
        let settings = Settings { options, ..Settings::default() };
        assert!(settings.shows("a.go", &low));
        assert!(!settings.shows("cmd/a.go", &finding));
    }
}
