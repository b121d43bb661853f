//! What was there when the doctor came: findings that are known and not told again.
//!
//! A baseline is a JSON file of [fingerprints](crate::fingerprint) with how often each was found. Moved
//! code stays known. One more of the same is new: as many are known as were written down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::FileFindings;

/// The version of the file's shape.
const VERSION: u32 = 1;

/// A baseline, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: Vec<Entry>,
}

/// A finding that is known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its rule.
    pub rule: String,
    /// Where it was found; it is known elsewhere too.
    pub file: String,
    /// The function that it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What it is known by.
    pub fingerprint: String,
    /// How often.
    pub count: u32,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    findings: Vec<Entry>,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BadBaseline {
    /// It is not JSON of this shape.
    #[error("expected what `--write-baseline` writes: {0}")]
    Shape(#[from] serde_json::Error),
    /// A later program wrote it.
    #[error("expected version {VERSION}, found version {0}: write it again with this program")]
    Version(u32),
}

impl Baseline {
    /// Of these findings, in the order of files and fingerprints, so that a diff of it reads well.
    #[must_use]
    pub fn of(files: &[FileFindings]) -> Self {
        let mut entries: BTreeMap<(&str, &str), Entry> = BTreeMap::new();
        for file in files {
            for found in &file.findings {
                let key = (file.path.as_str(), found.fingerprint.as_str());
                let entry = entries.entry(key).or_insert_with(|| Entry {
                    rule: found.finding.rule.code.to_owned(),
                    file: file.path.clone(),
                    function: found.function.clone(),
                    fingerprint: found.fingerprint.clone(),
                    count: 0,
                });
                entry.count += 1;
            }
        }
        Self { entries: entries.into_values().collect() }
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the text is not what [`Self::to_json`] writes.
    pub fn read(text: &str) -> Result<Self, BadBaseline> {
        let document: Document = serde_json::from_str(text)?;
        if document.version != VERSION {
            return Err(BadBaseline::Version(document.version));
        }
        Ok(Self { entries: document.findings })
    }

    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        crate::report::to_json(&Document { version: VERSION, findings: self.entries.clone() })
    }

    /// How many findings are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.iter().map(|entry| entry.count as usize).sum()
    }

    /// Takes the known findings out; says how many those were, and which entries are stale: found less
    /// often than they say. `name` gives a file's path as the baseline has it: what is known of the
    /// file itself counts first, then what is known of others.
    pub fn apply(&self, files: &mut Vec<FileFindings>, name: &dyn Fn(&str) -> String) -> Applied {
        let mut by_fingerprint: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, entry) in self.entries.iter().enumerate() {
            by_fingerprint.entry(&entry.fingerprint).or_default().push(at);
        }
        let mut left: Vec<u32> = self.entries.iter().map(|entry| entry.count).collect();
        let before: usize = files.iter().map(|file| file.findings.len()).sum();
        for is_own in [true, false] {
            for file in &mut *files {
                let path = name(&file.path);
                file.findings.retain(|found| {
                    let known = by_fingerprint.get(found.fingerprint.as_str());
                    let mut known = known.into_iter().flatten();
                    let entry = known
                        .find(|at| left[**at] > 0 && (!is_own || self.entries[**at].file == path));
                    entry.is_none_or(|at| {
                        left[*at] -= 1;
                        false
                    })
                });
            }
        }
        let after: usize = files.iter().map(|file| file.findings.len()).sum();
        files.retain(|file| !file.findings.is_empty());
        let stale = self.entries.iter().zip(left).filter(|(_, left)| *left > 0);
        let stale = stale.map(|(entry, count)| Entry { count, ..entry.clone() });
        Applied { known: before - after, stale: stale.collect() }
    }
}

/// What a baseline did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How many findings it knew.
    pub known: usize,
    /// What it knows and was not found, with how often.
    pub stale: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Finding,
        fingerprint::{fingerprint, function_at},
        report::FoundFinding,
        suppress::UNUSED_NOLINT,
        syntax::{Lines, Span, parse},
    };

    /// A finding at each `defer` of a text.
    fn found(path: &str, text: &str) -> Vec<FileFindings> {
        let (lines, file) = (Lines::new(text), parse(text));
        let findings = text.match_indices("defer").map(|(at, word)| {
            let span = Span::new(at as u32, (at + word.len()) as u32);
            let finding = Finding::new(&UNUSED_NOLINT, span, "");
            let function = function_at(&file, span);
            let fingerprint = fingerprint(&finding, function.as_deref(), text, &lines);
            FoundFinding { finding, fingerprint, function }
        });
        let findings = findings.collect();
        vec![FileFindings { path: path.to_owned(), text: text.to_owned(), findings }]
    }

    const BEFORE: &str = "package p\n\nfunc F() {\n\tdefer a.Close()\n\tdefer b.Close()\n}\n";

    fn left(baseline: &Baseline, path: &str, text: &str) -> (usize, usize) {
        let mut files = found(path, text);
        let applied = baseline.apply(&mut files, &str::to_owned);
        (files.iter().map(|file| file.findings.len()).sum(), applied.stale.len())
    }

    #[test]
    fn moved_lines_and_moved_files_stay_known() {
        let baseline = Baseline::of(&found("a.go", BEFORE));
        assert_eq!(left(&baseline, "a.go", BEFORE), (0, 0));
        let moved = BEFORE.replace("func F", "// F does.\n\nvar x = 1\n\nfunc F");
        assert_eq!(left(&baseline, "a.go", &moved), (0, 0));
        assert_eq!(left(&baseline, "b.go", BEFORE), (0, 0));
    }

    #[test]
    fn one_more_of_the_same_is_new_and_one_less_is_stale() {
        let baseline = Baseline::of(&found("a.go", BEFORE));
        let twice = BEFORE.replace("\tdefer b", "\tdefer a.Close()\n\tdefer b");
        assert_eq!(left(&baseline, "a.go", &twice), (1, 0));
        assert_eq!(left(&baseline, "a.go", &BEFORE.replace("\tdefer a.Close()\n", "")), (0, 1));
        assert_eq!(left(&baseline, "a.go", &BEFORE.replace("a.Close", "c.Close")), (1, 1));
    }

    #[test]
    fn of_two_alike_the_one_that_is_gone_is_stale() {
        let both = [found("a.go", BEFORE), found("b.go", BEFORE)].concat();
        let baseline = Baseline::of(&both);
        let applied = baseline.apply(&mut found("b.go", BEFORE), &str::to_owned);
        assert_eq!(applied.known, 2);
        assert!(applied.stale.iter().all(|entry| entry.file == "a.go" && entry.count == 1));
        assert_eq!(applied.stale.len(), 2);
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let baseline = Baseline::of(&found("a.go", BEFORE));
        let text = baseline.to_json();
        assert_eq!(Baseline::read(&text).unwrap(), baseline);
        assert_eq!(baseline.count(), 2);
        insta::assert_snapshot!(text, @r#"
        {
          "version": 1,
          "findings": [
            {
              "rule": "unused-nolint",
              "file": "a.go",
              "function": "F",
              "fingerprint": "9c57b459c6134f48",
              "count": 1
            },
            {
              "rule": "unused-nolint",
              "file": "a.go",
              "function": "F",
              "fingerprint": "f1d51a03dbba654b",
              "count": 1
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_the_reason() {
        let error = |text| Baseline::read(text).unwrap_err().to_string();
        assert!(error("[]").starts_with("expected what `--write-baseline` writes: "));
        assert_eq!(
            error(r#"{"version": 2, "findings": []}"#),
            "expected version 1, found version 2: write it again with this program"
        );
    }
}
