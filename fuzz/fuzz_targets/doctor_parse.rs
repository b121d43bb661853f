#![no_main]

use doctor::syntax::{
    Span,
    ast::{Expression, ExpressionKind, File, Statement, StatementKind},
    build::{Constraint, is_generated},
    parse,
    walk::{self, Descend, Visitor},
};

/// What lies around the node that is being looked at, and whether anything is bad.
struct Checks<'s> {
    text: &'s str,
    around: Vec<Span>,
    has_bad: bool,
}

impl Checks<'_> {
    fn enter(&mut self, span: Span, is_bad: bool) -> Descend {
        assert!(self.text.get(span.start as usize..span.end as usize).is_some(), "{span:?}");
        assert!(self.around.last().is_none_or(|outer| outer.contains(span)), "{span:?}");
        self.has_bad |= is_bad;
        self.around.push(span);
        Descend::Into
    }
}

impl<'a, 't> Visitor<'a, 't> for Checks<'_> {
    fn enter_statement(&mut self, statement: &'a Statement<'t>) -> Descend {
        self.enter(statement.span, matches!(statement.kind, StatementKind::Bad))
    }

    fn leave_statement(&mut self, _: &'a Statement<'t>) {
        self.around.pop();
    }

    fn enter_expression(&mut self, expression: &'a Expression<'t>) -> Descend {
        self.enter(expression.span, matches!(expression.kind, ExpressionKind::Bad))
    }

    fn leave_expression(&mut self, _: &'a Expression<'t>) {
        self.around.pop();
    }
}

fn check(text: &str) -> File<'_> {
    let file = parse(text);
    let mut checks = Checks { text, around: Vec::new(), has_bad: false };
    walk::file(&file, &mut checks);
    assert!(!checks.has_bad || !file.errors.is_empty(), "what is bad has an error");
    let _ = is_generated(text, &file);
    if let Some(constraint) = Constraint::of(text, &file) {
        let _ = constraint.holds(|tag| tag.len() % 2 == 0);
    }
    file
}

// Whatever the text: a tree that lies in it. libFuzzer bounds the time.
libfuzzer_sys::fuzz_target!(|text: &str| {
    assert_eq!(format!("{:?}", check(text)), format!("{:?}", check(text)), "not the same twice");
});
