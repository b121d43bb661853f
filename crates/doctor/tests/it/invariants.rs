//! What holds of the tree of any text.

use doctor::syntax::{
    Lines, MAX_DEPTH, MAX_ERRORS, MAX_NESTING, Span,
    ast::{Declaration, Expression, ExpressionKind, File, Statement, StatementKind},
    parse,
    walk::{self, Descend, Visitor},
};

/// Parses `text` and looks at what came of it.
pub(crate) fn check(text: &str) -> File<'_> {
    let file = parse(text);
    assert!(file.errors.len() <= MAX_ERRORS);
    assert!(file.errors.is_sorted_by_key(|error| error.span.start), "errors are in order");
    assert!(file.comments.is_sorted(), "comments are in order");
    let lines = Lines::new(text);
    for span in file.errors.iter().map(|error| error.span).chain(file.comments.iter().copied()) {
        is_in(text, span);
        let position = lines.position(span.start);
        assert!(position.line <= lines.count());
        assert_eq!(lines.span(position.line).start + position.column - 1, span.start);
    }
    let mut visitor = Checks { text, around: Vec::new(), has_bad: false };
    for declaration in &file.declarations {
        is_in(text, declaration.span());
        visitor.around.clear();
        visitor.around.push(declaration.span());
        walk::declaration(declaration, &mut visitor);
    }
    let has_bad = visitor.has_bad;
    assert!(!has_bad || !file.errors.is_empty(), "what is bad has an error");
    file
}

fn is_in(text: &str, span: Span) {
    assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?}");
}

struct Checks<'s> {
    text: &'s str,
    around: Vec<Span>,
    has_bad: bool,
}

impl Checks<'_> {
    fn enter(&mut self, span: Span, is_bad: bool) {
        is_in(self.text, span);
        let outer = self.around.last().unwrap();
        assert!(outer.contains(span), "{span:?} is not within {outer:?}");
        self.has_bad |= is_bad;
        self.around.push(span);
        assert!(self.around.len() <= (MAX_DEPTH + MAX_NESTING) as usize, "too deep");
    }
}

impl<'a, 't> Visitor<'a, 't> for Checks<'_> {
    fn enter_declaration(&mut self, declaration: &'a Declaration<'t>) -> Descend {
        self.has_bad |= matches!(declaration, Declaration::Bad(_));
        Descend::Into
    }

    fn enter_statement(&mut self, statement: &'a Statement<'t>) -> Descend {
        self.enter(statement.span, matches!(statement.kind, StatementKind::Bad));
        Descend::Into
    }

    fn leave_statement(&mut self, _: &'a Statement<'t>) {
        self.around.pop();
    }

    fn enter_expression(&mut self, expression: &'a Expression<'t>) -> Descend {
        self.enter(expression.span, matches!(expression.kind, ExpressionKind::Bad));
        Descend::Into
    }

    fn leave_expression(&mut self, _: &'a Expression<'t>) {
        self.around.pop();
    }
}
