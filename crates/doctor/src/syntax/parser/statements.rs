//! Blocks and statements.

use super::{Broken, Parse, Parser, Token};
use crate::syntax::{
    Span,
    ast::{
        Assign, AssignOperator, Block, BranchKind, Expression, ExpressionKind, Identifier,
        Statement, StatementKind,
    },
};

/// What a simple statement may turn out to be, beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a list, where a label may be.
    List,
    /// In the head of a `for`, where `range` may be.
    For,
    /// In another head.
    Head,
}

/// A simple statement, or what stands before the body of `for … range`.
pub(super) enum Simple<'t> {
    Statement(Statement<'t>),
    Range(RangeHead<'t>),
}

pub(super) struct RangeHead<'t> {
    pub(super) left: Vec<Expression<'t>>,
    pub(super) defines: bool,
    pub(super) operand: Expression<'t>,
}

impl<'t> Parser<'t> {
    /// The body of a function: what is outside does not matter in it.
    pub(super) fn function_body(&mut self) -> Parse<Block<'t>> {
        let switches = std::mem::take(&mut self.switches);
        let body = self.composites(true, Self::block);
        self.switches = switches;
        body
    }

    /// A block. One that is not closed ends where its surroundings go on, with an error.
    pub(super) fn block(&mut self) -> Parse<Block<'t>> {
        let open = self.brackets.len();
        let start = self.expect(Token::LeftBrace, "`{`")?;
        let statements = self.composites(true, Self::statements)?;
        self.end_of_block(open);
        Ok(Block { statements, span: self.span_from(start) })
    }

    /// The `}` of what began when `open` brackets were open.
    pub(super) fn end_of_block(&mut self, open: usize) {
        if self.token() == Token::RightBrace {
            self.advance();
        } else {
            self.expected("`}`");
        }
        self.brackets.truncate(open);
    }

    /// Statements until the end of the block or of the case; empty ones are left out.
    pub(super) fn statements(&mut self) -> Parse<Vec<Statement<'t>>> {
        let mut statements = Vec::new();
        loop {
            let start = self.start();
            match self.token() {
                Token::RightBrace | Token::EndOfFile => break,
                Token::Case | Token::Default if self.switches > 0 => break,
                Token::Semicolon | Token::Newline => {
                    self.advance();
                    continue;
                }
                _ if self.is_function_declaration() => {
                    self.expected("`}` before the next function");
                    break;
                }
                _ => {}
            }
            let open = self.brackets.len();
            let outer = std::mem::replace(&mut self.deepest, self.depth);
            let result = self.nested(Self::statement);
            self.deepest = self.deepest.max(outer);
            match result {
                Ok(statement) => statements.push(statement),
                Err(Broken) => {
                    self.allows_composite = true;
                    let span = self.skip_piece(start, open);
                    statements.push(Statement { kind: StatementKind::Bad, span });
                    if self.is_declaration_at_margin() {
                        break;
                    }
                    self.advance_from(start);
                }
            }
        }
        Ok(statements)
    }

    /// A statement with the semicolon after it.
    fn statement(&mut self) -> Parse<Statement<'t>> {
        let start = self.start();
        let kind = match self.token() {
            Token::Const | Token::Type | Token::Var => {
                StatementKind::Declaration(Box::new(self.declaration()?))
            }
            Token::Go => StatementKind::Go(self.deferred_call("go")?),
            Token::Defer => StatementKind::Defer(self.deferred_call("defer")?),
            Token::Return => StatementKind::Return(self.results()?),
            Token::Break => self.branch(BranchKind::Break)?,
            Token::Continue => self.branch(BranchKind::Continue)?,
            Token::Goto => self.branch(BranchKind::Goto)?,
            Token::Fallthrough => self.branch(BranchKind::Fallthrough)?,
            Token::LeftBrace => StatementKind::Block(self.block()?),
            Token::If => self.if_kind()?,
            Token::Switch => self.switch_kind()?,
            Token::Select => self.select_kind()?,
            Token::For => self.for_kind()?,
            _ => return self.simple_in_list(),
        };
        let span = self.span_from(start);
        self.end_of_statement()?;
        Ok(Statement { kind, span })
    }

    fn end_of_statement(&mut self) -> Parse<()> {
        match self.token() {
            Token::Semicolon | Token::Newline => self.advance(),
            Token::RightParenthesis | Token::RightBrace => {}
            // A block that is not closed: it has been said.
            Token::EndOfFile | Token::Case | Token::Default => {}
            _ if self.is_declaration_at_margin() => {}
            _ => return Err(self.expected("`;`, `}` or the end of the line")),
        }
        Ok(())
    }

    fn simple_in_list(&mut self) -> Parse<Statement<'t>> {
        match self.simple(Place::List)? {
            // Its statement has passed the semicolon.
            Simple::Statement(labeled @ Statement { kind: StatementKind::Labeled { .. }, .. }) => {
                Ok(labeled)
            }
            Simple::Statement(statement) => {
                self.end_of_statement()?;
                Ok(statement)
            }
            Simple::Range(_) => Err(Broken),
        }
    }

    /// A statement that may stand in a head.
    pub(super) fn simple(&mut self, place: Place) -> Parse<Simple<'t>> {
        let start = self.start();
        let mut left = self.expressions()?;
        if let Some(operator) = self.token().assign_operator() {
            return self.assign(start, left, operator, place);
        }
        let (Some(first), true) = (left.pop(), left.is_empty()) else {
            return Err(self.expected("`=` or `:=` after the list"));
        };
        let kind = match self.token() {
            Token::Colon if place == Place::List => {
                if let ExpressionKind::Identifier(name) = first.kind {
                    return self.labeled(Identifier { name, span: first.span });
                }
                return Err(self.error(first.span, "expected a name as the label"));
            }
            Token::Arrow => {
                self.advance();
                StatementKind::Send { channel: first, value: self.expression()? }
            }
            Token::Increment | Token::Decrement => {
                let increment = self.token() == Token::Increment;
                self.advance();
                StatementKind::IncrementDecrement { operand: first, increment }
            }
            _ => StatementKind::Expression(first),
        };
        Ok(Simple::Statement(Statement { kind, span: self.span_from(start) }))
    }

    fn assign(
        &mut self,
        start: u32,
        left: Vec<Expression<'t>>,
        operator: AssignOperator,
        place: Place,
    ) -> Parse<Simple<'t>> {
        let operator_span = self.current.span;
        self.advance();
        let may_range = matches!(operator, AssignOperator::Assign | AssignOperator::Define);
        if place == Place::For && may_range && self.accept(Token::Range) {
            let operand = self.expression()?;
            let defines = operator == AssignOperator::Define;
            return Ok(Simple::Range(RangeHead { left, defines, operand }));
        }
        let right = self.expressions()?;
        let kind = StatementKind::Assign(Assign { left, operator, operator_span, right });
        Ok(Simple::Statement(Statement { kind, span: self.span_from(start) }))
    }

    fn labeled(&mut self, label: Identifier<'t>) -> Parse<Simple<'t>> {
        self.advance();
        let span = self.current.span;
        let statement = match self.token() {
            Token::RightBrace => {
                Statement { kind: StatementKind::Empty, span: Span::new(span.start, span.start) }
            }
            Token::Semicolon | Token::Newline => {
                self.advance();
                Statement { kind: StatementKind::Empty, span }
            }
            _ => self.nested(Self::statement)?,
        };
        let span = label.span.to(statement.span);
        let kind = StatementKind::Labeled { label, statement: Box::new(statement) };
        Ok(Simple::Statement(Statement { kind, span }))
    }

    /// The call after `go` or `defer`.
    fn deferred_call(&mut self, keyword: &str) -> Parse<Expression<'t>> {
        self.advance();
        let call = self.expression()?;
        if !matches!(call.kind, ExpressionKind::Call(_)) {
            let span = call.span;
            self.lexer.error(span, || format!("expected a call after `{keyword}`"));
        }
        Ok(call)
    }

    fn results(&mut self) -> Parse<Vec<Expression<'t>>> {
        self.advance();
        match self.token() {
            Token::Semicolon | Token::Newline | Token::RightBrace => Ok(Vec::new()),
            _ => self.expressions(),
        }
    }

    fn branch(&mut self, kind: BranchKind) -> Parse<StatementKind<'t>> {
        self.advance();
        let label = match (kind, self.token()) {
            (BranchKind::Goto, _)
            | (BranchKind::Break | BranchKind::Continue, Token::Identifier) => {
                Some(self.identifier()?)
            }
            _ => None,
        };
        Ok(StatementKind::Branch { kind, label })
    }
}
