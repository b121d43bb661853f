//! Offsets to lines and columns.

use super::Span;

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: LineStarts,
}

/// The same without the text, for who keeps only places.
#[derive(Clone, Debug)]
pub struct LineStarts(
    /// The offset of each line's first byte.
    Vec<u32>,
);

impl LineStarts {
    /// The line of the byte at `offset`, from 1: O(log n).
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        self.0.partition_point(|&start| start <= offset) as u32
    }
}

/// A place in a text as people and editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in bytes, from 1, as Go's tools count.
    pub column: u32,
}

impl<'t> Lines<'t> {
    /// Finds the lines of `text`: O(n).
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let starts = std::iter::once(0).chain(ends.map(|end| end as u32 + 1)).collect();
        Self { text, starts: LineStarts(starts) }
    }

    /// The line and the column of the byte at `offset`: O(log n). Past the end, of the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let offset = offset.min(self.text.len() as u32);
        let line = self.line(offset);
        Position { line, column: offset - self.start(line) + 1 }
    }

    /// The line of the byte at `offset`, from 1.
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        self.starts.line(offset)
    }

    /// Without the text.
    #[must_use]
    pub fn into_starts(self) -> LineStarts {
        self.starts
    }

    /// The column of the byte at `offset` in characters, from 1.
    #[must_use]
    pub fn column_in_characters(&self, offset: u32) -> u32 {
        self.before(offset).chars().count() as u32 + 1
    }

    /// The column of the byte at `offset` in UTF-16 code units, from 1: SARIF and editors count so.
    #[must_use]
    pub fn column_in_utf16(&self, offset: u32) -> u32 {
        self.before(offset).encode_utf16().count() as u32 + 1
    }

    /// How many lines there are; a text that ends in a line's end has an empty last one.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.starts.0.len() as u32
    }

    /// The bytes of `line` (from 1), without its end. Empty past the last.
    #[must_use]
    pub fn span(&self, line: u32) -> Span {
        let start = self.start(line);
        let mut end =
            self.starts.0.get(line as usize).map_or(self.text.len() as u32, |next| next - 1);
        if end > start && self.text.as_bytes()[end as usize - 1] == b'\r' {
            end -= 1;
        }
        Span::new(start, end.max(start))
    }

    /// The text of `line` (from 1), without its end.
    #[must_use]
    pub fn text(&self, line: u32) -> &'t str {
        self.span(line).of(self.text)
    }

    fn start(&self, line: u32) -> u32 {
        let index = line.saturating_sub(1) as usize;
        self.starts.0.get(index).copied().unwrap_or(self.text.len() as u32)
    }

    /// The text from the beginning of the line to `offset`, or to the character that it is within.
    fn before(&self, offset: u32) -> &'t str {
        let offset = offset.min(self.text.len() as u32) as usize;
        let end = (0..=offset).rev().find(|&end| self.text.is_char_boundary(end)).unwrap_or(0);
        let start = self.start(self.line(offset as u32)) as usize;
        self.text.get(start..end).unwrap_or_default()
    }
}
