//! Which lines a `git diff --unified=0` changed.

use std::collections::BTreeMap;

use crate::{
    finding::Finding,
    syntax::{Lines, Span},
};

/// The changed lines of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    files: BTreeMap<String, Vec<Range>>,
}

/// Lines from 1, both included; all of them up to `u32::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u32,
    last: u32,
}

impl Changed {
    /// Reads what `git diff --unified=0` prints. Lines that were only taken out change the line before
    /// and the one after, since what was there is missing now.
    #[must_use]
    pub fn read(diff: &str) -> Self {
        let mut changed = Self::default();
        let mut file: Option<String> = None;
        // Lines of a hunk that are still to come: they may look like anything.
        let (mut old, mut new) = (0, 0);
        for line in diff.lines() {
            if line.starts_with('-') && old > 0 {
                old -= 1;
            } else if line.starts_with('+') && new > 0 {
                new -= 1;
            } else if let Some(name) = line.strip_prefix("+++ ") {
                file = new_name(name);
            } else if let Some(hunk) = line.strip_prefix("@@ -") {
                let Some((removed, range)) = hunk.split_once(" +") else { continue };
                let added = range.split(' ').next().unwrap_or_default();
                let (Some((_, removed)), Some((start, added))) = (pair(removed), pair(added))
                else {
                    continue;
                };
                (old, new) = (removed, added);
                if let Some(file) = &file {
                    let last = if added == 0 { start + 1 } else { start + added - 1 };
                    changed.add(file, Range { first: start.max(1), last });
                }
            }
        }
        changed
    }

    /// Takes in a file that is new as a whole.
    pub fn add_whole(&mut self, path: &str) {
        self.add(path, Range { first: 1, last: u32::MAX });
    }

    fn add(&mut self, path: &str, range: Range) {
        self.files.entry(path.to_owned()).or_default().push(range);
    }

    /// Whether anything of a file changed.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Every changed file.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether a finding is about changed lines, or a place that explains it is: a new `return` makes
    /// a leak of what was opened above.
    #[must_use]
    pub fn concerns(&self, path: &str, lines: &Lines<'_>, finding: &Finding) -> bool {
        let Some(ranges) = self.files.get(path) else { return false };
        let related = finding.related.iter().map(|related| related.span);
        std::iter::once(finding.span).chain(related).any(|span| touches(ranges, lines, span))
    }
}

fn touches(ranges: &[Range], lines: &Lines<'_>, span: Span) -> bool {
    let (first, last) = (lines.line(span.start), lines.line(span.end.saturating_sub(1)));
    ranges.iter().any(|range| range.first <= last.max(first) && first <= range.last)
}

/// `12,3` or `12`, which means one line.
fn pair(text: &str) -> Option<(u32, u32)> {
    match text.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

/// The path after `+++ `: `b/path`, quoted where it has unusual bytes; none for a file that was removed.
fn new_name(name: &str) -> Option<String> {
    // Git puts a tab after a name with blanks.
    let name = name.trim_end_matches(['\t', '\r']);
    let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => unquoted(quoted),
        None => name.to_owned(),
    };
    name.strip_prefix("b/").map(str::to_owned)
}

/// C's escapes, as git writes them.
fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(first @ b'0'..=b'3') => {
                let digits = [Some(first), rest.next(), rest.next()]
                    .map(|digit| u32::from(digit.unwrap_or(b'0').saturating_sub(b'0')) & 7);
                bytes.push((digits[0] * 64 + digits[1] * 8 + digits[2]) as u8);
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suppress::UNUSED_NOLINT;

    const DIFF: &str = r#"diff --git a/a.go b/a.go
index 1..2 100644
--- a/a.go
+++ b/a.go
@@ -3 +3,2 @@ func F() {
-old
+++ b/looks/like/a/name.go
+new
@@ -10,2 +10,0 @@
-gone
--- a/looks/too.go
diff --git a/gone.go b/gone.go
--- a/gone.go
+++ /dev/null
@@ -1,2 +0,0 @@
-package p
-
diff --git "a/\303\274 b.go" "b/\303\274 b.go"
--- /dev/null
+++ "b/\303\274 b.go"
@@ -0,0 +1 @@
+package p
"#;

    fn concerns(changed: &Changed, path: &str, line: u32) -> bool {
        let text = "x\n".repeat(30);
        let span = Span::new(2 * (line - 1), 2 * (line - 1) + 1);
        changed.concerns(path, &Lines::new(&text), &Finding::new(&UNUSED_NOLINT, span, ""))
    }

    #[test]
    fn changed_lines_are_those_of_the_hunks() {
        let changed = Changed::read(DIFF);
        assert_eq!(changed.paths().collect::<Vec<_>>(), ["a.go", "ü b.go"]);
        let hit: Vec<u32> = (1..30).filter(|line| concerns(&changed, "a.go", *line)).collect();
        assert_eq!(hit, [3, 4, 10, 11]);
        assert!(concerns(&changed, "ü b.go", 1) && !concerns(&changed, "ü b.go", 2));
        assert!(!concerns(&changed, "other.go", 3));
    }

    #[test]
    fn a_finding_whose_explanation_changed_is_about_changed_lines() {
        let changed = Changed::read(DIFF);
        let text = "x\n".repeat(30);
        let finding = Finding::new(&UNUSED_NOLINT, Span::new(0, 1), "");
        assert!(!changed.concerns("a.go", &Lines::new(&text), &finding));
        let finding = finding.related(Span::new(4, 5), "here it leaves");
        assert!(changed.concerns("a.go", &Lines::new(&text), &finding));
    }

    #[test]
    fn a_new_file_is_changed_as_a_whole() {
        let mut changed = Changed::default();
        changed.add_whole("new.go");
        assert!(concerns(&changed, "new.go", 1) && concerns(&changed, "new.go", 29));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\+\\+\\+ b/a\\.go\n|@@ -[0-9]{0,12},? \\+[0-9]{0,11}(,[0-9]{1,11})? @@\n|.*\n){0,8}") {
            Changed::read(&text).paths().count();
        }
    }
}
