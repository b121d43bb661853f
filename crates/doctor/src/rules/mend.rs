//! The edits that several rules' fixes are made of. All leave code that gofmt would not change.

use crate::{
    context::{Deferred, FunctionContext},
    finding::{Edit, Fix, Safety},
    syntax::{Span, ast::StatementKind},
};

/// A fix of these edits.
pub(super) fn fix(title: impl Into<String>, safety: Safety, edits: Vec<Edit>) -> Fix {
    Fix { title: title.into(), safety, edits }
}

/// One piece of text in place of another.
pub(super) fn replace(span: Span, text: impl Into<String>) -> Edit {
    Edit { span, text: text.into() }
}

/// Text put in before an offset.
pub(super) fn insert(at: u32, text: impl Into<String>) -> Edit {
    Edit { span: Span::new(at, at), text: text.into() }
}

/// The lines of a place as wholes, the end of the last included; none when something else stands on them.
pub(super) fn whole_lines(context: &FunctionContext<'_, '_, '_>, place: Span) -> Option<Span> {
    let lines = &context.file.lines;
    let first = lines.span(lines.line(place.start));
    let last = lines.span(lines.line(place.end.saturating_sub(1)));
    let before = context.text(Span::new(first.start, place.start));
    let after = context.text(Span::new(place.end, last.end)).trim();
    let alone = before.trim().is_empty() && (after.is_empty() || after.starts_with("//"));
    (alone && context.text(last).ends_with('\n')).then_some(first.to(last))
}

/// What the line of a place begins with.
pub(super) fn indent<'t>(context: &FunctionContext<'_, '_, 't>, place: Span) -> &'t str {
    let lines = &context.file.lines;
    let line = context.text(lines.span(lines.line(place.start)));
    &line[..line.len() - line.trim_start_matches(['\t', ' ']).len()]
}

/// Moves the lines of a statement behind those of another that follows on it.
pub(super) fn move_behind(
    context: &FunctionContext<'_, '_, '_>,
    place: Span,
    behind: Span,
) -> Option<Vec<Edit>> {
    let moved = whole_lines(context, place)?;
    let behind = whole_lines(context, behind)?;
    let text = context.text(moved);
    let mut out = moved;
    // A blank line between the two would stand behind the one that came before.
    let rest = &context.file.text[moved.end as usize..];
    if rest.starts_with('\n') && (moved.end + 1) <= behind.start {
        out.end += 1;
    }
    Some(vec![replace(out, ""), insert(behind.end, text)])
}

/// Puts a deferred call into a function literal, so that its arguments are read when it runs. None where it
/// does not stand on one line.
pub(super) fn wrap(
    context: &FunctionContext<'_, '_, '_>,
    deferred: Deferred<'_, '_>,
) -> Option<Vec<Edit>> {
    let StatementKind::Defer(expression) = &deferred.statement.kind else { return None };
    if deferred.literal().is_some() || context.text(expression.span).contains('\n') {
        return None;
    }
    let span = expression.span;
    Some(vec![insert(span.start, "func() { "), insert(span.end, " }()")])
}
