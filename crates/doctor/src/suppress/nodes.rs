//! What a comment above it can be about.

use crate::syntax::{
    Span,
    ast::{Declaration, Expression, ExpressionKind, File, Statement, StatementKind},
    walk::{self, Descend, Visitor},
};

/// The spans of everything that a comment may stand above: the file from its package clause on,
/// declarations, specs, fields, statements, cases, expressions.
pub(super) fn nodes(file: &File<'_>) -> Vec<Span> {
    let ends = file.declarations.iter().map(|declaration| span_of(declaration).end);
    let name = file.package.span;
    // `package` and the blank after it stand before the name.
    let start = name.start.saturating_sub("package ".len() as u32);
    let mut nodes = Nodes(vec![Span::new(start, ends.max().unwrap_or(name.end))]);
    walk::file(file, &mut nodes);
    nodes.0
}

struct Nodes(Vec<Span>);

impl<'a, 't> Visitor<'a, 't> for Nodes {
    fn enter_declaration(&mut self, declaration: &'a Declaration<'t>) -> Descend {
        self.0.push(span_of(declaration));
        match declaration {
            Declaration::Values(values) => self.0.extend(values.specs.iter().map(|spec| spec.span)),
            Declaration::Types(types) => self.0.extend(types.specs.iter().map(|spec| spec.span)),
            Declaration::Function(_) | Declaration::Bad(_) => {}
        }
        Descend::Into
    }

    fn enter_statement(&mut self, statement: &'a Statement<'t>) -> Descend {
        self.0.push(statement.span);
        match &statement.kind {
            StatementKind::Switch(it) => self.0.extend(it.cases.iter().map(|case| case.span)),
            StatementKind::Select(it) => self.0.extend(it.cases.iter().map(|case| case.span)),
            _ => {}
        }
        Descend::Into
    }

    fn enter_expression(&mut self, expression: &'a Expression<'t>) -> Descend {
        self.0.push(expression.span);
        if let ExpressionKind::Struct(fields) = &expression.kind {
            self.0.extend(fields.iter().map(|field| field.span));
        }
        Descend::Into
    }
}

fn span_of(declaration: &Declaration<'_>) -> Span {
    match declaration {
        Declaration::Function(function) => function.span,
        Declaration::Values(values) => values.span,
        Declaration::Types(types) => types.span,
        Declaration::Bad(span) => *span,
    }
}
