//! Types.

use super::{Parse, Parser, Token, bad, named};
use crate::syntax::{
    Span,
    ast::{
        BinaryOperator, ChannelDirection, Expression, ExpressionKind, Field, Identifier,
        InterfaceElement, UnaryOperator,
    },
};

impl<'t> Parser<'t> {
    pub(super) fn ty(&mut self) -> Parse<Expression<'t>> {
        match self.try_type()? {
            Some(ty) => Ok(ty),
            None => Err(self.expected("a type")),
        }
    }

    /// A type, if one begins here.
    pub(super) fn try_type(&mut self) -> Parse<Option<Expression<'t>>> {
        let begins = matches!(
            self.token(),
            Token::Identifier
                | Token::LeftBracket
                | Token::Struct
                | Token::Star
                | Token::Func
                | Token::Interface
                | Token::Map
                | Token::Chan
                | Token::Arrow
                | Token::LeftParenthesis
        );
        if begins { self.nested(Self::type_here).map(Some) } else { Ok(None) }
    }

    fn type_here(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        let kind = match self.token() {
            Token::Identifier => {
                let name = self.identifier()?;
                return self.type_named(name);
            }
            Token::LeftBracket => {
                self.advance();
                return self.array(start, None);
            }
            Token::Struct => self.structure()?,
            Token::Star => {
                self.advance();
                ExpressionKind::Star(Box::new(self.ty()?))
            }
            Token::Func => ExpressionKind::FunctionType(Box::new(self.function_signature()?)),
            Token::Interface => self.interface()?,
            Token::Map => self.map()?,
            Token::LeftParenthesis => {
                self.advance();
                let inner = self.ty()?;
                self.expect(Token::RightParenthesis, "`)`")?;
                ExpressionKind::Parenthesized(Box::new(inner))
            }
            _ => self.channel()?,
        };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    /// The type whose first name is `name`: qualified, with type arguments, or neither.
    pub(super) fn type_named(&mut self, name: Identifier<'t>) -> Parse<Expression<'t>> {
        let ty = self.qualified(name)?;
        if self.token() == Token::LeftBracket { self.instance(ty) } else { Ok(ty) }
    }

    fn qualified(&mut self, name: Identifier<'t>) -> Parse<Expression<'t>> {
        if !self.accept(Token::Period) {
            return Ok(named(name));
        }
        let kind =
            ExpressionKind::Selector { operand: Box::new(named(name)), name: self.identifier()? };
        Ok(Expression { kind, span: self.span_from(name.span.start) })
    }

    /// `[T, U]` after a type.
    fn instance(&mut self, ty: Expression<'t>) -> Parse<Expression<'t>> {
        let start = ty.span.start;
        self.advance();
        if self.token() == Token::RightBracket {
            return Err(self.expected("a type argument"));
        }
        let indices = self
            .composites(true, |parser| parser.list(Token::RightBracket, "`,` or `]`", Self::ty))?;
        self.expect(Token::RightBracket, "`]`")?;
        let kind = ExpressionKind::Index { operand: Box::new(ty), indices };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    /// An array or a slice whose `[` at `start` has been passed, and its length if that is given.
    pub(super) fn array(
        &mut self,
        start: u32,
        length: Option<Expression<'t>>,
    ) -> Parse<Expression<'t>> {
        let length = match (length, self.token()) {
            (Some(length), _) => Some(length),
            (None, Token::RightBracket) => None,
            (None, Token::Ellipsis) => {
                let span = self.current.span;
                self.advance();
                Some(Expression { kind: ExpressionKind::Ellipsis(None), span })
            }
            (None, _) => Some(self.composites(true, Self::expression)?),
        };
        self.expect(Token::RightBracket, "`]`")?;
        let element = Box::new(self.ty()?);
        let kind = ExpressionKind::Array { length: length.map(Box::new), element };
        Ok(Expression { kind, span: self.span_from(start) })
    }

    fn map(&mut self) -> Parse<ExpressionKind<'t>> {
        self.advance();
        self.expect(Token::LeftBracket, "`[`")?;
        let key = Box::new(self.ty()?);
        self.expect(Token::RightBracket, "`]`")?;
        let value = Box::new(self.ty()?);
        Ok(ExpressionKind::Map { key, value })
    }

    fn channel(&mut self) -> Parse<ExpressionKind<'t>> {
        let direction = if self.accept(Token::Arrow) {
            self.expect(Token::Chan, "`chan`")?;
            ChannelDirection::Receive
        } else {
            self.advance();
            match self.accept(Token::Arrow) {
                true => ChannelDirection::Send,
                false => ChannelDirection::Both,
            }
        };
        Ok(ExpressionKind::Channel { direction, element: Box::new(self.ty()?) })
    }

    fn structure(&mut self) -> Parse<ExpressionKind<'t>> {
        self.advance();
        self.expect(Token::LeftBrace, "`{`")?;
        let mut fields = Vec::new();
        let open = self.brackets.len();
        while !matches!(self.token(), Token::RightBrace | Token::EndOfFile) {
            let start = self.start();
            match self.field() {
                Ok(field) => fields.push(field),
                Err(_) if self.is_declaration_at_margin() => break,
                Err(_) => {
                    let span = self.skip_piece(start, open);
                    fields.push(Field { names: Vec::new(), ty: bad(span), tag: None, span });
                    self.advance_from(start);
                }
            }
        }
        self.expect(Token::RightBrace, "a field or `}`")?;
        Ok(ExpressionKind::Struct(fields))
    }

    fn field(&mut self) -> Parse<Field<'t>> {
        let start = self.start();
        let (names, ty) = match self.token() {
            Token::Identifier => self.named_field()?,
            Token::Star => {
                self.advance();
                let name = self.identifier()?;
                let kind = ExpressionKind::Star(Box::new(self.type_named(name)?));
                (Vec::new(), Expression { kind, span: self.span_from(start) })
            }
            _ => return Err(self.expected("a field")),
        };
        let tag = (self.token() == Token::String).then_some(self.current.span);
        if tag.is_some() {
            self.advance();
        }
        let span = self.span_from(start);
        self.end_of_piece("`;` or the end of the line after the field")?;
        Ok(Field { names, ty, tag, span })
    }

    fn named_field(&mut self) -> Parse<(Vec<Identifier<'t>>, Expression<'t>)> {
        let name = self.identifier()?;
        match self.token() {
            Token::Period => return Ok((Vec::new(), self.type_named(name)?)),
            Token::String | Token::Semicolon | Token::Newline | Token::RightBrace => {
                return Ok((Vec::new(), named(name)));
            }
            Token::LeftBracket => {
                let (name, ty) = self.array_or_instance(name)?;
                return Ok((name.into_iter().collect(), ty));
            }
            _ => {}
        }
        let mut names = vec![name];
        while self.accept(Token::Comma) {
            names.push(self.identifier()?);
        }
        Ok((names, self.ty()?))
    }

    /// After `name` comes `[`: either `name` is of an array type, or it is a type with arguments.
    pub(super) fn array_or_instance(
        &mut self,
        name: Identifier<'t>,
    ) -> Parse<(Option<Identifier<'t>>, Expression<'t>)> {
        let opening = self.start();
        self.advance();
        if self.token() == Token::RightBracket {
            return Ok((Some(name), self.array(opening, None)?));
        }
        if self.token() == Token::Ellipsis {
            // `name [...]T` is wrong as a field and as a parameter, and clear all the same.
            return Err(self.expected("the array's length"));
        }
        let mut indices = self.composites(true, |parser| {
            parser.list(Token::RightBracket, "`,` or `]`", Self::expression)
        })?;
        self.expect(Token::RightBracket, "`]`")?;
        let end = self.previous_end;
        if indices.len() == 1
            && let Some(element) = self.try_type()?
        {
            let kind = ExpressionKind::Array {
                length: indices.pop().map(Box::new),
                element: Box::new(element),
            };
            return Ok((Some(name), Expression { kind, span: self.span_from(opening) }));
        }
        let kind = ExpressionKind::Index { operand: Box::new(named(name)), indices };
        Ok((None, Expression { kind, span: Span::new(name.span.start, end) }))
    }

    fn interface(&mut self) -> Parse<ExpressionKind<'t>> {
        self.advance();
        self.expect(Token::LeftBrace, "`{`")?;
        let mut elements = Vec::new();
        let open = self.brackets.len();
        while !matches!(self.token(), Token::RightBrace | Token::EndOfFile) {
            let start = self.start();
            let outer = std::mem::replace(&mut self.deepest, self.depth);
            let element = self.interface_element();
            self.deepest = self.deepest.max(outer);
            match element {
                Ok(element) => elements.push(element),
                Err(_) if self.is_declaration_at_margin() => break,
                Err(_) => {
                    let span = self.skip_piece(start, open);
                    elements.push(InterfaceElement::Embedded(bad(span)));
                    self.advance_from(start);
                }
            }
        }
        self.expect(Token::RightBrace, "a method, a type or `}`")?;
        Ok(ExpressionKind::Interface(elements))
    }

    fn interface_element(&mut self) -> Parse<InterfaceElement<'t>> {
        let element = if self.token() == Token::Identifier {
            let name = self.identifier()?;
            if self.token() == Token::LeftParenthesis {
                let signature = self.signature()?;
                InterfaceElement::Method { name, signature }
            } else {
                let first = self.type_named(name)?;
                InterfaceElement::Embedded(self.union_of(first)?)
            }
        } else {
            InterfaceElement::Embedded(self.union()?)
        };
        self.end_of_piece("`;` or the end of the line after the method or type")?;
        Ok(element)
    }

    /// `~A | B | …`
    pub(super) fn union(&mut self) -> Parse<Expression<'t>> {
        let first = self.union_term()?;
        self.union_of(first)
    }

    /// What follows the first term of a union. `deepest` counts from that term.
    pub(super) fn union_of(&mut self, first: Expression<'t>) -> Parse<Expression<'t>> {
        let mut left = first;
        while self.accept(Token::Bar) {
            let right = self.union_term()?;
            let span = left.span.to(right.span);
            let (operator, left_box) = (BinaryOperator::Or, Box::new(left));
            let kind = ExpressionKind::Binary { operator, left: left_box, right: Box::new(right) };
            left = Expression { kind, span };
            self.deepen()?;
        }
        Ok(left)
    }

    fn union_term(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        if !self.accept(Token::Tilde) {
            return self.ty();
        }
        let operand = Box::new(self.ty()?);
        let kind = ExpressionKind::Unary { operator: UnaryOperator::Tilde, operand };
        Ok(Expression { kind, span: self.span_from(start) })
    }
}
