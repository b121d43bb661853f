//! Every rule there is, and how one is found by its name.

use crate::{rule::Rule, rules, suppress::UNUSED_NOLINT};

/// How many codes a misspelt one is met with.
const SUGGESTIONS: usize = 3;

/// The rules that are told by something else than a look at the code.
const OWN: &[&Rule] = &[&UNUSED_NOLINT];

/// Every rule, in the order of their codes.
#[must_use]
pub fn all() -> Vec<&'static Rule> {
    let mut rules: Vec<&'static Rule> = rules::ALL.iter().map(|(rule, _)| *rule).collect();
    rules.extend(OWN);
    rules.sort_by_key(|rule| rule.code);
    rules
}

/// The rule with this code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Rule> {
    OWN.iter().copied().find(|rule| rule.code == code).or_else(|| rules::find(code))
}

/// The rules whose codes are spelled most like `text`, the best first.
#[must_use]
pub fn nearest(text: &str) -> Vec<&'static Rule> {
    let text = text.trim().to_ascii_lowercase();
    let mut rules = all();
    rules.sort_by_key(|rule| {
        let part = rule.code.split('-').any(|word| word == text);
        (!part, !rule.code.contains(&text), edit_distance(&text, rule.code))
    });
    rules.truncate(SUGGESTIONS);
    rules
}

/// The page that lists every rule: `docs/doctor/README.md`.
#[must_use]
pub fn page() -> String {
    let head = "# The doctor's rules\n\n\
        [The guide](../doctor.md) says how to run them, [adding a rule](adding-a-rule.md) how to write one. \
        This list is made\nby `cargo xtask generate`.\n\n\
        | rule | finds | severity | confidence |\n|---|---|---|---|\n";
    all().iter().fold(head.to_owned(), |page, rule| {
        let Rule { code, summary, severity, confidence, .. } = rule;
        let (severity, confidence) = (severity.as_str(), confidence.as_str());
        page + &format!("| [`{code}`]({code}.md) | {summary} | {severity} | {confidence} |\n")
    })
}

/// Levenshtein's distance over bytes, by the usual single row.
fn edit_distance(left: &str, right: &str) -> usize {
    let right = right.as_bytes();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let rules = all();
        let codes: BTreeSet<&str> = rules.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), rules.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        }
    }

    #[test]
    fn a_misspelt_code_is_met_with_the_nearest() {
        assert_eq!(nearest("unused-nolnt")[0].code, "unused-nolint");
        assert_eq!(nearest("nolint")[0].code, "unused-nolint");
    }

    #[test]
    fn the_edit_distance_is_levenshteins() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
            assert_eq!(edit_distance(right, left), distance, "{right} {left}");
        }
    }
}
