//! Finds documents that were pasted without their indentation.

use crate::{diagnostic::Severity, report::Finding, source::Place};

/// Fewer lines than this say nothing about indentation.
const FEWEST_LINES: usize = 5;

/// Whether every line begins at column 1 although some must be indented: `metadata:` or `spec:`
/// stands with nothing after it, and something follows.
pub(super) fn is_lost(chunk: &str) -> bool {
    let mut lines = 0;
    let mut parents = 0;
    for line in content_lines(chunk) {
        if line.starts_with([' ', '\t', '{', '[', '}', ']']) {
            return false;
        }
        lines += 1;
        let bare = line.trim_end();
        if bare == "metadata:" || bare == "spec:" {
            parents += 1;
        }
    }
    lines >= FEWEST_LINES && parents > 0
}

/// The error for such a document.
pub(super) fn finding(file: usize, base: usize, chunk: &str) -> Finding {
    let parent = content_lines(chunk)
        .find(|line| matches!(line.trim_end(), "metadata:" | "spec:"))
        .unwrap_or(chunk);
    let start = base + (parent.as_ptr() as usize).saturating_sub(chunk.as_ptr() as usize);
    let place = Place::new(file, start..start + parent.trim_end().len());
    let message = "every line of this document begins at column 1, so nothing is inside anything";
    Finding::new(Severity::Error, "lost-indentation", message)
        .at(place)
        .label("what belongs here must be indented")
        .hint("was it pasted without its indentation? copy it again, or indent it by two spaces a level")
}

fn content_lines(chunk: &str) -> impl Iterator<Item = &str> {
    chunk.lines().filter(|line| {
        let bare = line.trim();
        !bare.is_empty() && !bare.starts_with('#') && bare != "---" && bare != "..."
    })
}
