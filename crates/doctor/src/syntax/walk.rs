//! Visiting what is in a tree, in the order of the text.
//!
//! A rule that asks one question takes [`expressions`] or [`statements`] with a closure; one that
//! keeps something while it goes implements [`Visitor`]. A walk is at most
//! [`MAX_DEPTH`](super::MAX_DEPTH) + [`MAX_NESTING`](super::MAX_NESTING) nodes deep: a level may have a
//! `key: value` and its value.

use super::ast::{
    Block, Declaration, Expression, ExpressionKind, Field, File, Function, InterfaceElement,
    Parameter, Signature, Statement, StatementKind,
};

/// Whether to look at what is in something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descend {
    /// Look at what is in it.
    Into,
    /// Go on behind it.
    Past,
}

/// Whether a walk goes into the bodies of function literals, which run at another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionLiterals {
    /// It does.
    Enter,
    /// It sees the literal and goes on behind it.
    Skip,
}

/// Is told of what a walk comes to, before what is in it; and, if it descends, when it is done.
pub trait Visitor<'a, 't> {
    /// A declaration, at the top level or in a function.
    fn enter_declaration(&mut self, _declaration: &'a Declaration<'t>) -> Descend {
        Descend::Into
    }

    /// A statement.
    fn enter_statement(&mut self, _statement: &'a Statement<'t>) -> Descend {
        Descend::Into
    }

    /// All that is in a statement has been seen.
    fn leave_statement(&mut self, _statement: &'a Statement<'t>) {}

    /// An expression or a type.
    fn enter_expression(&mut self, _expression: &'a Expression<'t>) -> Descend {
        Descend::Into
    }

    /// All that is in an expression has been seen.
    fn leave_expression(&mut self, _expression: &'a Expression<'t>) {}
}

/// The declarations of `file`.
pub fn file<'a, 't>(file: &'a File<'t>, visitor: &mut impl Visitor<'a, 't>) {
    for one in &file.declarations {
        declaration(one, visitor);
    }
}

/// `declaration` and what is in it.
pub fn declaration<'a, 't>(declaration: &'a Declaration<'t>, visitor: &mut impl Visitor<'a, 't>) {
    if visitor.enter_declaration(declaration) == Descend::Past {
        return;
    }
    match declaration {
        Declaration::Function(one) => function(one, visitor),
        Declaration::Values(values) => {
            for spec in &values.specs {
                all(&spec.ty, visitor);
                all(&spec.values, visitor);
            }
        }
        Declaration::Types(types) => {
            for spec in &types.specs {
                parameters(&spec.type_parameters, visitor);
                expression(&spec.ty, visitor);
            }
        }
        Declaration::Bad(_) => {}
    }
}

/// What is in `function`: the types in its head, then its body.
pub fn function<'a, 't>(function: &'a Function<'t>, visitor: &mut impl Visitor<'a, 't>) {
    if let Some(receiver) = &function.receiver {
        expression(&receiver.ty, visitor);
    }
    parameters(&function.type_parameters, visitor);
    signature(&function.signature, visitor);
    if let Some(body) = &function.body {
        block(body, visitor);
    }
}

/// The statements of `block`.
pub fn block<'a, 't>(block: &'a Block<'t>, visitor: &mut impl Visitor<'a, 't>) {
    list(&block.statements, visitor);
}

/// `statements`, one after the other.
pub fn list<'a, 't>(
    statements: impl IntoIterator<Item = &'a Statement<'t>>,
    visitor: &mut impl Visitor<'a, 't>,
) where
    't: 'a,
{
    for one in statements {
        statement(one, visitor);
    }
}

/// `statement` and what is in it.
pub fn statement<'a, 't>(statement: &'a Statement<'t>, visitor: &mut impl Visitor<'a, 't>) {
    if visitor.enter_statement(statement) == Descend::Into {
        within_statement(statement, visitor);
        visitor.leave_statement(statement);
    }
}

fn within_statement<'a, 't>(outer: &'a Statement<'t>, visitor: &mut impl Visitor<'a, 't>) {
    match &outer.kind {
        StatementKind::Bad | StatementKind::Empty | StatementKind::Branch { .. } => {}
        StatementKind::Expression(one) | StatementKind::Go(one) | StatementKind::Defer(one) => {
            expression(one, visitor);
        }
        StatementKind::IncrementDecrement { operand, .. } => expression(operand, visitor),
        StatementKind::Send { channel, value } => all([channel, value], visitor),
        StatementKind::Assign(assign) => all(assign.left.iter().chain(&assign.right), visitor),
        StatementKind::Return(values) => all(values, visitor),
        StatementKind::Block(body) => block(body, visitor),
        StatementKind::Labeled { statement: labeled, .. } => statement(labeled, visitor),
        StatementKind::Declaration(one) => declaration(one, visitor),
        StatementKind::If(one) => {
            list(&one.init, visitor);
            expression(&one.condition, visitor);
            block(&one.then, visitor);
            list(&one.otherwise, visitor);
        }
        StatementKind::For(one) => {
            list(&one.init, visitor);
            all(&one.condition, visitor);
            list(&one.post, visitor);
            block(&one.body, visitor);
        }
        StatementKind::Range(one) => {
            all(one.key.iter().chain(&one.value), visitor);
            expression(&one.operand, visitor);
            block(&one.body, visitor);
        }
        StatementKind::Switch(one) => {
            list(one.init.iter().chain(&one.tag), visitor);
            for case in &one.cases {
                all(&case.expressions, visitor);
                list(&case.statements, visitor);
            }
        }
        StatementKind::Select(one) => {
            for case in &one.cases {
                list(case.communication.iter().chain(&case.statements), visitor);
            }
        }
    }
}

/// `expression` and what is in it.
pub fn expression<'a, 't>(expression: &'a Expression<'t>, visitor: &mut impl Visitor<'a, 't>) {
    if visitor.enter_expression(expression) == Descend::Into {
        within_expression(expression, visitor);
        visitor.leave_expression(expression);
    }
}

fn within_expression<'a, 't>(outer: &'a Expression<'t>, visitor: &mut impl Visitor<'a, 't>) {
    match &outer.kind {
        ExpressionKind::Bad
        | ExpressionKind::Identifier(_)
        | ExpressionKind::Literal(_)
        | ExpressionKind::Ellipsis(None) => {}
        ExpressionKind::Parenthesized(one)
        | ExpressionKind::Star(one)
        | ExpressionKind::Ellipsis(Some(one))
        | ExpressionKind::Selector { operand: one, .. }
        | ExpressionKind::Unary { operand: one, .. }
        | ExpressionKind::Channel { element: one, .. } => expression(one, visitor),
        ExpressionKind::KeyValue { key: one, value: other }
        | ExpressionKind::Map { key: one, value: other }
        | ExpressionKind::Binary { left: one, right: other, .. } => {
            expression(one, visitor);
            expression(other, visitor);
        }
        ExpressionKind::Composite { ty, elements } => {
            boxed(ty, visitor);
            all(elements, visitor);
        }
        ExpressionKind::Function(literal) => {
            signature(&literal.signature, visitor);
            block(&literal.body, visitor);
        }
        ExpressionKind::Index { operand, indices } => {
            expression(operand, visitor);
            all(indices, visitor);
        }
        ExpressionKind::Slice { operand, bounds } => {
            expression(operand, visitor);
            bounds.iter().for_each(|bound| boxed(bound, visitor));
        }
        ExpressionKind::TypeAssertion { operand, ty } => {
            expression(operand, visitor);
            boxed(ty, visitor);
        }
        ExpressionKind::Call(call) => {
            expression(&call.function, visitor);
            all(&call.arguments, visitor);
        }
        ExpressionKind::Array { length, element } => {
            boxed(length, visitor);
            expression(element, visitor);
        }
        ExpressionKind::Struct(fields) => {
            all(fields.iter().map(|Field { ty, .. }| ty), visitor);
        }
        ExpressionKind::FunctionType(one) => signature(one, visitor),
        ExpressionKind::Interface(elements) => {
            for element in elements {
                match element {
                    InterfaceElement::Method { signature: one, .. } => signature(one, visitor),
                    InterfaceElement::Embedded(ty) => expression(ty, visitor),
                }
            }
        }
    }
}

fn all<'a, 't>(
    expressions: impl IntoIterator<Item = &'a Expression<'t>>,
    visitor: &mut impl Visitor<'a, 't>,
) where
    't: 'a,
{
    for one in expressions {
        expression(one, visitor);
    }
}

fn boxed<'a, 't>(one: &'a Option<Box<Expression<'t>>>, visitor: &mut impl Visitor<'a, 't>) {
    all(one.as_deref(), visitor);
}

fn signature<'a, 't>(signature: &'a Signature<'t>, visitor: &mut impl Visitor<'a, 't>) {
    parameters(&signature.parameters, visitor);
    parameters(&signature.results, visitor);
}

fn parameters<'a, 't>(parameters: &'a [Parameter<'t>], visitor: &mut impl Visitor<'a, 't>) {
    all(parameters.iter().map(|parameter| &parameter.ty), visitor);
}

/// Tells `see` of every expression in `block`, types included.
pub fn expressions<'a, 't>(
    block: &'a Block<'t>,
    literals: FunctionLiterals,
    see: impl FnMut(&'a Expression<'t>),
) {
    self::block(block, &mut Seen { literals, expression: see, statement: |_| {} });
}

/// Tells `see` of every expression in `expression`, itself and types included.
pub fn expressions_within<'a, 't>(
    expression: &'a Expression<'t>,
    literals: FunctionLiterals,
    see: impl FnMut(&'a Expression<'t>),
) {
    self::expression(expression, &mut Seen { literals, expression: see, statement: |_| {} });
}

/// Tells `see` of every statement in `block`, those within others included.
pub fn statements<'a, 't>(
    block: &'a Block<'t>,
    literals: FunctionLiterals,
    see: impl FnMut(&'a Statement<'t>),
) {
    self::block(block, &mut Seen { literals, expression: |_| {}, statement: see });
}

/// A visitor made of closures.
struct Seen<E, S> {
    literals: FunctionLiterals,
    expression: E,
    statement: S,
}

impl<'a, 't: 'a, E, S> Visitor<'a, 't> for Seen<E, S>
where
    E: FnMut(&'a Expression<'t>),
    S: FnMut(&'a Statement<'t>),
{
    fn enter_statement(&mut self, statement: &'a Statement<'t>) -> Descend {
        (self.statement)(statement);
        Descend::Into
    }

    fn enter_expression(&mut self, expression: &'a Expression<'t>) -> Descend {
        (self.expression)(expression);
        match (&expression.kind, self.literals) {
            (ExpressionKind::Function(_), FunctionLiterals::Skip) => Descend::Past,
            _ => Descend::Into,
        }
    }
}
