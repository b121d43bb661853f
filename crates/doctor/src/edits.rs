//! Edits that leave a file as gofmt would.

use crate::{
    finding::Edit,
    syntax::{Lines, Span},
};

/// The blanks at the beginning of the line that `offset` is in.
#[must_use]
pub fn indentation<'t>(lines: &Lines<'t>, offset: u32) -> &'t str {
    let line = lines.text(lines.line(offset));
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Puts `code` in a line of its own above the line that `span` begins in, indented alike. Further
/// lines of `code` carry their indentation relative to it.
#[must_use]
pub fn insert_above(text: &str, lines: &Lines<'_>, span: Span, code: &str) -> Edit {
    let at = whole(text, lines, span).start;
    Edit { span: Span::new(at, at), text: indented(code, indentation(lines, span.start)) }
}

/// Puts `code` in a line of its own below the line that `span` ends in, indented as the line that it
/// begins in.
#[must_use]
pub fn insert_below(text: &str, lines: &Lines<'_>, span: Span, code: &str) -> Edit {
    let last = Span::new(span.start, span.end.saturating_sub(1).max(span.start));
    let at = whole(text, lines, last).end;
    let mut code = indented(code, indentation(lines, span.start));
    if !Span::new(0, at).of(text).ends_with('\n') {
        code.insert(0, '\n');
        code.pop();
    }
    Edit { span: Span::new(at, at), text: code }
}

/// Takes a statement out, with its whole lines where nothing else stands in them. A comment at its end
/// goes with it.
#[must_use]
pub fn remove_statement(text: &str, lines: &Lines<'_>, span: Span) -> Edit {
    let mut cut = whole(text, lines, span);
    let before = Span::new(cut.start, span.start).of(text);
    let after = Span::new(span.end, cut.end).of(text).trim();
    if before.trim().is_empty() && (after.is_empty() || after.starts_with("//")) {
        // Two blank lines, or one after `{`, are not what gofmt leaves.
        let above = Span::new(0, cut.start).of(text);
        let below = text.get(cut.end as usize..).unwrap_or_default();
        let blank_above = above.ends_with("\n\n") || above.ends_with("{\n");
        if blank_above && below.starts_with('\n') {
            cut.end += 1;
        }
        return Edit { span: cut, text: String::new() };
    }
    Edit { span, text: String::new() }
}

/// Takes a comment out, with its line where it stands alone.
#[must_use]
pub fn remove_comment(text: &str, lines: &Lines<'_>, span: Span) -> Edit {
    let start = lines.span(lines.line(span.start)).start;
    let before = Span::new(start, span.start).of(text);
    if before.trim().is_empty() {
        return remove_statement(text, lines, span);
    }
    let code = start + before.trim_end().len() as u32;
    Edit { span: Span::new(code, span.end), text: String::new() }
}

/// The lines that `span` begins and ends in, with the end of the last.
fn whole(text: &str, lines: &Lines<'_>, span: Span) -> Span {
    let start = lines.span(lines.line(span.start)).start;
    let rest = text.get(span.end as usize..).unwrap_or_default();
    let end = rest.find('\n').map_or(text.len(), |at| span.end as usize + at + 1);
    Span::new(start, end as u32)
}

/// Every line of `code` behind `indentation`, each with its end.
fn indented(code: &str, indentation: &str) -> String {
    code.lines().fold(String::new(), |mut text, line| {
        if !line.is_empty() {
            text.push_str(indentation);
            text.push_str(line);
        }
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::edited;

    const TEXT: &str = "func f() {\n\ta() // one\n\n\tb()\n\n\tc()\n}\n";

    fn span(of: &str) -> Span {
        let at = TEXT.find(of).unwrap() as u32;
        Span::new(at, at + of.len() as u32)
    }

    fn with(make: impl Fn(&str, &Lines<'_>) -> Edit) -> String {
        let edit = make(TEXT, &Lines::new(TEXT));
        edited(TEXT, &[edit]).unwrap()
    }

    #[test]
    fn what_is_inserted_is_indented_as_its_neighbour() {
        let above = with(|text, lines| insert_above(text, lines, span("b()"), "if x {\n\td()\n}"));
        assert!(above.contains("\n\n\tif x {\n\t\td()\n\t}\n\tb()\n"), "{above}");
        let below = with(|text, lines| insert_below(text, lines, span("a()"), "d()"));
        assert!(below.contains("\ta() // one\n\td()\n\n"), "{below}");
    }

    #[test]
    fn what_is_removed_leaves_no_double_blank_line() {
        let first = with(|text, lines| remove_statement(text, lines, span("a()")));
        assert_eq!(first, "func f() {\n\tb()\n\n\tc()\n}\n");
        let middle = with(|text, lines| remove_statement(text, lines, span("b()")));
        assert_eq!(middle, "func f() {\n\ta() // one\n\n\tc()\n}\n");
        let comment = with(|text, lines| remove_comment(text, lines, span("// one")));
        assert_eq!(comment, TEXT.replace(" // one", ""));
    }
}
