//! Places as each format counts them.

use crate::syntax::{Lines, Span};

/// How columns are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// UTF-8 bytes, as Go's own tools do.
    Bytes,
    /// UTF-16 code units, as SARIF and editors do.
    Utf16,
}

/// Where a span begins and ends; lines and columns from 1, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_line: u32,
    pub(super) end_column: u32,
}

/// The region of a span.
pub(super) fn region(text: &str, lines: &Lines<'_>, span: Span, unit: Unit) -> Region {
    let (line, column) = position(text, lines, span.start, unit);
    let (end_line, end_column) = position(text, lines, span.end.max(span.start), unit);
    Region { line, column, end_line, end_column }
}

/// Line and column of an offset.
fn position(text: &str, lines: &Lines<'_>, offset: u32, unit: Unit) -> (u32, u32) {
    let offset = offset.min(text.len() as u32);
    let position = lines.position(offset);
    match unit {
        Unit::Bytes => (position.line, position.column),
        Unit::Utf16 => (position.line, lines.column_in_utf16(offset)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_bytes_or_in_utf_16_units() {
        let text = "a\n\"é😀\" x\n";
        let lines = Lines::new(text);
        let at = text.find('x').unwrap() as u32;
        let span = Span::new(at, at + 1);
        let bytes = region(text, &lines, span, Unit::Bytes);
        assert_eq!((bytes.line, bytes.column, bytes.end_column), (2, 10, 11));
        let units = region(text, &lines, span, Unit::Utf16);
        assert_eq!((units.line, units.column, units.end_column), (2, 7, 8));
    }

    #[test]
    fn an_offset_past_the_end_is_at_the_end() {
        let lines = Lines::new("ab");
        let region = region("ab", &lines, Span::new(7, 9), Unit::Utf16);
        assert_eq!(region, Region { line: 1, column: 3, end_line: 1, end_column: 3 });
    }
}
