//! Expressions.

use super::{Broken, Parse, Parser, Span, Token};
use crate::syntax::{
    ast::{
        BinaryOperator, Call, ChannelDirection, Expression, ExpressionKind, FunctionLiteral,
        LiteralKind, UnaryOperator,
    },
    lexer::LOWEST_PRECEDENCE,
};

impl<'t> Parser<'t> {
    /// An expression, or a type where one may stand in its place.
    pub(super) fn expression(&mut self) -> Parse<Expression<'t>> {
        self.binary(LOWEST_PRECEDENCE)
    }

    pub(super) fn expressions(&mut self) -> Parse<Vec<Expression<'t>>> {
        let mut list = vec![self.expression()?];
        while self.accept(Token::Comma) {
            list.push(self.expression()?);
        }
        Ok(list)
    }

    /// Operands with operators between that bind at least as strongly as `minimum`.
    fn binary(&mut self, minimum: u8) -> Parse<Expression<'t>> {
        let outer = std::mem::replace(&mut self.deepest, self.depth);
        let first = self.unary()?;
        let whole = self.row(first, minimum)?;
        self.deepest = self.deepest.max(outer);
        Ok(whole)
    }

    /// The expression whose first operand, a name, has been passed.
    pub(super) fn expression_from(&mut self, name: Expression<'t>) -> Parse<Expression<'t>> {
        let outer = std::mem::replace(&mut self.deepest, self.depth);
        let first = self.primary_of(name)?;
        let whole = self.row(first, LOWEST_PRECEDENCE)?;
        self.deepest = self.deepest.max(outer);
        Ok(whole)
    }

    /// What follows the first operand of `binary`.
    fn row(&mut self, first: Expression<'t>, minimum: u8) -> Parse<Expression<'t>> {
        let mut left = first;
        let mut length = 0;
        while let Some((operator, precedence)) = self.token().binary_operator()
            && precedence >= minimum
        {
            if length == super::MAX_ROW {
                left = self.long_row(left, precedence)?;
                continue;
            }
            self.advance();
            let right = self.binary(precedence + 1)?;
            left = joined(operator, left, right);
            self.deepen()?;
            length += 1;
        }
        Ok(left)
    }

    /// The rest of a row of operators of one precedence, as a tree that is as flat as can be.
    fn long_row(&mut self, first: Expression<'t>, precedence: u8) -> Parse<Expression<'t>> {
        let mut row = vec![(BinaryOperator::Add, first)];
        while let Some((operator, found)) = self.token().binary_operator()
            && found == precedence
        {
            self.advance();
            row.push((operator, self.binary(precedence + 1)?));
        }
        for _ in 0..row.len().ilog2() + 1 {
            self.deepen()?;
        }
        while row.len() > 1 {
            let mut halved = Vec::with_capacity(row.len().div_ceil(2));
            let mut operands = row.into_iter();
            while let Some((before, left)) = operands.next() {
                let one = match operands.next() {
                    Some((operator, right)) => joined(operator, left, right),
                    None => left,
                };
                halved.push((before, one));
            }
            row = halved;
        }
        row.pop().map(|(_, whole)| whole).ok_or(Broken)
    }

    fn unary(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        let operator = match self.token() {
            Token::Plus => UnaryOperator::Plus,
            Token::Minus => UnaryOperator::Minus,
            Token::Not => UnaryOperator::Not,
            Token::Caret => UnaryOperator::Complement,
            Token::Ampersand => UnaryOperator::Address,
            Token::Tilde => UnaryOperator::Tilde,
            Token::Arrow => UnaryOperator::Receive,
            Token::Star => {
                self.advance();
                let operand = self.nested(Self::unary)?;
                return Ok(Expression {
                    span: self.span_from(start),
                    kind: ExpressionKind::Star(Box::new(operand)),
                });
            }
            _ => return self.nested(Self::primary),
        };
        self.advance();
        let operand = self.nested(Self::unary)?;
        if operator == UnaryOperator::Receive
            && let ExpressionKind::Channel { .. } = operand.kind
        {
            return self.receive_channel(start, operand);
        }
        Ok(Expression {
            span: self.span_from(start),
            kind: ExpressionKind::Unary { operator, operand: Box::new(operand) },
        })
    }

    /// `<-` before a channel type belongs to the type: `<- chan T` is `<-chan T`, and `<- chan<- T`
    /// is `<-chan (<-T)`, where `T` has to be a channel type too.
    fn receive_channel(&mut self, arrow: u32, mut whole: Expression<'t>) -> Parse<Expression<'t>> {
        let mut arrow = arrow;
        let mut outer = &mut whole;
        loop {
            let start = outer.span.start;
            outer.span.start = arrow;
            let ExpressionKind::Channel { direction, element } = &mut outer.kind else {
                return Err(self.error(outer.span, "expected a channel type"));
            };
            match std::mem::replace(direction, ChannelDirection::Receive) {
                ChannelDirection::Both => return Ok(whole),
                ChannelDirection::Receive => {
                    return Err(self.error(Span::new(start, start + 2), "expected `chan`"));
                }
                ChannelDirection::Send => {
                    let between = self.text_of(Span::new(start, element.span.start));
                    arrow = start + between.rfind("<-").unwrap_or_default() as u32;
                    outer = element;
                }
            }
        }
    }

    fn primary(&mut self) -> Parse<Expression<'t>> {
        let operand = self.operand()?;
        self.primary_of(operand)
    }

    /// What follows an operand: selectors, indices, calls, the elements of a literal.
    fn primary_of(&mut self, operand: Expression<'t>) -> Parse<Expression<'t>> {
        let mut whole = operand;
        loop {
            whole = match self.token() {
                Token::Period => self.selector_or_assertion(whole)?,
                Token::LeftBracket => self.index_or_slice(whole)?,
                Token::LeftParenthesis => self.call(whole)?,
                Token::LeftBrace if self.begins_composite(&whole) => {
                    self.nested(|parser| parser.composite(Some(whole)))?
                }
                _ => break,
            };
            self.deepen()?;
        }
        Ok(whole)
    }

    fn operand(&mut self) -> Parse<Expression<'t>> {
        let span = self.current.span;
        let kind = match self.token() {
            Token::Identifier => ExpressionKind::Identifier(self.text_of(span)),
            Token::Integer => ExpressionKind::Literal(LiteralKind::Integer),
            Token::Float => ExpressionKind::Literal(LiteralKind::Float),
            Token::Imaginary => ExpressionKind::Literal(LiteralKind::Imaginary),
            Token::Rune => ExpressionKind::Literal(LiteralKind::Rune),
            Token::String => ExpressionKind::Literal(LiteralKind::String),
            Token::LeftParenthesis => return self.parenthesized(),
            Token::Func => return self.function_type_or_literal(),
            _ => {
                return match self.try_type()? {
                    Some(ty) => Ok(ty),
                    None => Err(self.expected("an expression")),
                };
            }
        };
        self.advance();
        Ok(Expression { kind, span })
    }

    fn parenthesized(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        self.advance();
        let inner = self.composites(true, Self::expression)?;
        self.expect(Token::RightParenthesis, "`)`")?;
        let kind = ExpressionKind::Parenthesized(Box::new(inner));
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn function_type_or_literal(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        let signature = self.function_signature()?;
        let kind = if self.token() == Token::LeftBrace {
            let body = self.function_body()?;
            ExpressionKind::Function(Box::new(FunctionLiteral { signature, body }))
        } else {
            ExpressionKind::FunctionType(Box::new(signature))
        };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn selector_or_assertion(&mut self, operand: Expression<'t>) -> Parse<Expression<'t>> {
        let start = operand.span.start;
        self.advance();
        let operand = Box::new(operand);
        let kind = match self.token() {
            Token::Identifier => ExpressionKind::Selector { operand, name: self.identifier()? },
            Token::LeftParenthesis => {
                self.advance();
                let ty = match self.accept(Token::Type) {
                    true => None,
                    false => Some(Box::new(self.ty()?)),
                };
                self.expect(Token::RightParenthesis, "`)`")?;
                ExpressionKind::TypeAssertion { operand, ty }
            }
            _ => return Err(self.expected("a name or `(` after `.`")),
        };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn index_or_slice(&mut self, operand: Expression<'t>) -> Parse<Expression<'t>> {
        let start = operand.span.start;
        self.advance();
        let operand = Box::new(operand);
        let kind = self.composites(true, |parser| parser.index_kind(operand))?;
        self.expect(Token::RightBracket, "`]`")?;
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn index_kind(&mut self, operand: Box<Expression<'t>>) -> Parse<ExpressionKind<'t>> {
        let mut bounds = [None, None, None];
        if self.token() != Token::Colon {
            let first = self.expression()?;
            if self.token() != Token::Colon {
                let mut indices = vec![first];
                while self.accept(Token::Comma) && self.token() != Token::RightBracket {
                    indices.push(self.ty()?);
                }
                return Ok(ExpressionKind::Index { operand, indices });
            }
            bounds[0] = Some(Box::new(first));
        }
        let mut colons = 0;
        while colons < 2 && self.accept(Token::Colon) {
            colons += 1;
            if !matches!(self.token(), Token::Colon | Token::RightBracket) {
                bounds[colons] = Some(Box::new(self.expression()?));
            } else if colons == 2 || self.token() == Token::Colon {
                return Err(self.expected("a bound: a slice with two `:` has a middle and a last"));
            }
        }
        Ok(ExpressionKind::Slice { operand, bounds })
    }

    fn call(&mut self, function: Expression<'t>) -> Parse<Expression<'t>> {
        let start = function.span.start;
        let opening = self.start();
        self.advance();
        let mut spreads = false;
        let arguments = self.composites(true, |parser| {
            parser.list(Token::RightParenthesis, "`,` or `)`", |parser| {
                if spreads {
                    return Err(parser.expected("`)` after `...`"));
                }
                let argument = parser.expression()?;
                spreads = parser.accept(Token::Ellipsis);
                Ok(argument)
            })
        })?;
        self.expect(Token::RightParenthesis, "`)`")?;
        let parentheses = self.span_from(opening);
        let call = Call { function, arguments, spreads, parentheses };
        Ok(Expression { kind: ExpressionKind::Call(Box::new(call)), span: self.span_from(start) })
    }

    /// Whether the `{` here begins the elements of a literal whose type is `ty`, rather than a
    /// block.
    fn begins_composite(&self, ty: &Expression<'t>) -> bool {
        match ty.kind {
            ExpressionKind::Identifier(_)
            | ExpressionKind::Selector { .. }
            | ExpressionKind::Index { .. } => self.allows_composite,
            ExpressionKind::Array { .. }
            | ExpressionKind::Struct(_)
            | ExpressionKind::Map { .. } => true,
            _ => false,
        }
    }

    /// The elements of a composite literal, in their braces.
    fn composite(&mut self, ty: Option<Expression<'t>>) -> Parse<Expression<'t>> {
        let start = ty.as_ref().map_or(self.start(), |ty| ty.span.start);
        self.advance();
        let elements = self.composites(true, |parser| {
            parser.list(Token::RightBrace, "`,` or `}`", Self::element)
        })?;
        self.expect(Token::RightBrace, "`}`")?;
        let kind = ExpressionKind::Composite { ty: ty.map(Box::new), elements };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn element(&mut self) -> Parse<Expression<'t>> {
        let key = self.element_value()?;
        if !self.accept(Token::Colon) {
            return Ok(key);
        }
        let value = self.element_value()?;
        let span = key.span.to(value.span);
        let kind = ExpressionKind::KeyValue { key: Box::new(key), value: Box::new(value) };
        Ok(Expression { kind, span })
    }

    fn element_value(&mut self) -> Parse<Expression<'t>> {
        match self.token() {
            Token::LeftBrace => self.nested(|parser| parser.composite(None)),
            _ => self.expression(),
        }
    }
}

fn joined<'t>(
    operator: BinaryOperator,
    left: Expression<'t>,
    right: Expression<'t>,
) -> Expression<'t> {
    let span = left.span.to(right.span);
    let kind = ExpressionKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
    Expression { kind, span }
}
