//! `if` and `for`. A head that cannot be read does not take its body with it.

use super::{
    Broken, Parse, Parser, Token, bad,
    statements::{Place, Simple},
};
use crate::syntax::{
    Span,
    ast::{Expression, For, If, Range, Statement, StatementKind},
};

/// The clauses of a `for`, or its `range`.
enum ForHead<'t> {
    Clauses {
        init: Option<Statement<'t>>,
        condition: Option<Expression<'t>>,
        post: Option<Statement<'t>>,
    },
    Range {
        key: Option<Expression<'t>>,
        value: Option<Expression<'t>>,
        defines: bool,
        operand: Expression<'t>,
    },
}

impl<'t> Parser<'t> {
    /// A head, in which `T {` is no literal; where it is broken, what `instead` makes of its span,
    /// if the body can be found.
    pub(super) fn head<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Parse<T>,
        instead: impl FnOnce(Span) -> T,
    ) -> Parse<T> {
        let (start, open) = (self.start(), self.brackets.len());
        let result = self.composites(false, |parser| {
            let head = read(parser)?;
            match parser.token() {
                Token::LeftBrace => Ok(head),
                _ => Err(parser.expected("`{`")),
            }
        });
        match result {
            Err(_) if self.skip_to_body(open) => Ok(instead(self.span_from(start))),
            result => result,
        }
    }

    /// A simple statement in a head, with nothing special about it.
    pub(super) fn simple_in_head(&mut self) -> Parse<Statement<'t>> {
        match self.simple(Place::Head)? {
            Simple::Statement(statement) => Ok(statement),
            Simple::Range(_) => Err(self.expected("a statement")),
        }
    }

    /// The expression that `statement` is.
    fn condition(&mut self, statement: Statement<'t>) -> Parse<Expression<'t>> {
        match statement.kind {
            StatementKind::Expression(expression) => Ok(expression),
            _ => Err(self.error(statement.span, "expected a condition, found a statement")),
        }
    }

    /// An `if` with every `else if` after it; they are read one after the other, not within each
    /// other.
    pub(super) fn if_kind(&mut self) -> Parse<StatementKind<'t>> {
        let mut links = Vec::new();
        let depth = self.depth;
        let last = self.if_links(&mut links);
        self.depth = depth;
        let mut otherwise = last?;
        let end = self.previous_end;
        while links.len() > 1
            && let Some((start, mut link)) = links.pop()
        {
            link.otherwise = otherwise;
            let kind = StatementKind::If(Box::new(link));
            otherwise = Some(Statement { kind, span: Span::new(start, end) });
        }
        let (_, first) = links.pop().ok_or(Broken)?;
        Ok(StatementKind::If(Box::new(If { otherwise, ..first })))
    }

    /// Reads each `if` without what is otherwise into `links`. The block of the last `else`.
    fn if_links(&mut self, links: &mut Vec<(u32, If<'t>)>) -> Parse<Option<Statement<'t>>> {
        loop {
            let start = self.start();
            self.advance();
            let (init, condition) = self.head(Self::if_head, |span| (None, bad(span)))?;
            let then = self.block()?;
            links.push((start, If { init, condition, then, otherwise: None }));
            if !self.accept(Token::Else) {
                return Ok(None);
            }
            let start = self.start();
            match self.token() {
                Token::If if self.depth == super::MAX_DEPTH => return Err(self.too_deep()),
                Token::If => self.depth += 1,
                Token::LeftBrace => {
                    let kind = StatementKind::Block(self.block()?);
                    return Ok(Some(Statement { kind, span: self.span_from(start) }));
                }
                _ => return Err(self.expected("`if` or `{` after `else`")),
            }
        }
    }

    fn if_head(&mut self) -> Parse<(Option<Statement<'t>>, Expression<'t>)> {
        let init = match self.token() {
            Token::Semicolon => None,
            Token::LeftBrace => return Err(self.expected("a condition")),
            _ => {
                let first = self.simple_in_head()?;
                if self.token() != Token::Semicolon {
                    return Ok((None, self.condition(first)?));
                }
                Some(first)
            }
        };
        self.advance();
        if self.token() == Token::LeftBrace {
            return Err(self.expected("a condition"));
        }
        let statement = self.simple_in_head()?;
        Ok((init, self.condition(statement)?))
    }

    pub(super) fn for_kind(&mut self) -> Parse<StatementKind<'t>> {
        self.advance();
        let head = self.head(Self::for_head, |span| ForHead::Clauses {
            init: None,
            condition: Some(bad(span)),
            post: None,
        })?;
        let body = self.block()?;
        Ok(match head {
            ForHead::Clauses { init, condition, post } => {
                StatementKind::For(Box::new(For { init, condition, post, body }))
            }
            ForHead::Range { key, value, defines, operand } => {
                StatementKind::Range(Box::new(Range { key, value, defines, operand, body }))
            }
        })
    }

    fn for_head(&mut self) -> Parse<ForHead<'t>> {
        let none = ForHead::Clauses { init: None, condition: None, post: None };
        let init = match self.token() {
            Token::LeftBrace => return Ok(none),
            Token::Semicolon => None,
            Token::Range => {
                self.advance();
                let operand = self.expression()?;
                return Ok(ForHead::Range { key: None, value: None, defines: false, operand });
            }
            _ => match self.simple(Place::For)? {
                Simple::Range(range) => {
                    let mut left = range.left.into_iter();
                    let (key, value) = (left.next(), left.next());
                    if let Some(third) = left.next() {
                        return Err(self.error(third.span, "expected at most two variables"));
                    }
                    let (defines, operand) = (range.defines, range.operand);
                    return Ok(ForHead::Range { key, value, defines, operand });
                }
                Simple::Statement(first) if self.token() != Token::Semicolon => {
                    let condition = Some(self.condition(first)?);
                    return Ok(ForHead::Clauses { init: None, condition, post: None });
                }
                Simple::Statement(first) => Some(first),
            },
        };
        self.advance();
        let condition = match self.token() {
            Token::Semicolon => None,
            _ => {
                let statement = self.simple_in_head()?;
                Some(self.condition(statement)?)
            }
        };
        // `for i := 0; i < n; {` ends in a semicolon, `for ;; {` too.
        if !self.accept(Token::Semicolon) {
            return Err(self.expected("`;` after the condition"));
        }
        let post = match self.token() {
            Token::LeftBrace => None,
            _ => Some(self.simple_in_head()?),
        };
        Ok(ForHead::Clauses { init, condition, post })
    }
}
