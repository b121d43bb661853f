//! `switch` and `select`.

use super::{
    Parse, Parser, Token, bad,
    statements::{Place, Simple},
};
use crate::syntax::{
    Span,
    ast::{
        Assign, AssignOperator, Case, CommunicationCase, Expression, ExpressionKind, Select,
        Statement, StatementKind, Switch,
    },
};

/// What stands between `switch` and `{`.
type SwitchHead<'t> = (Option<Statement<'t>>, Option<Statement<'t>>);

impl<'t> Parser<'t> {
    pub(super) fn switch_kind(&mut self) -> Parse<StatementKind<'t>> {
        self.advance();
        let (init, tag) = self.head(Self::switch_head, |span| {
            (None, Some(Statement { kind: StatementKind::Expression(bad(span)), span }))
        })?;
        let is_type_switch = tag.as_ref().is_some_and(is_type_guard);
        let (cases, body) = self.cases(Self::case)?;
        let switch = Switch { init, tag, is_type_switch, cases, body };
        Ok(StatementKind::Switch(Box::new(switch)))
    }

    fn switch_head(&mut self) -> Parse<SwitchHead<'t>> {
        let first = match self.token() {
            Token::LeftBrace => return Ok((None, None)),
            Token::Semicolon => None,
            _ => Some(self.simple_in_head()?),
        };
        if !self.accept(Token::Semicolon) {
            return Ok((None, self.tag(first)?));
        }
        let second = match self.token() {
            Token::LeftBrace => None,
            _ => Some(self.simple_in_head()?),
        };
        Ok((first, self.tag(second)?))
    }

    /// Checks that a tag is an expression or a type guard.
    fn tag(&mut self, tag: Option<Statement<'t>>) -> Parse<Option<Statement<'t>>> {
        match &tag {
            Some(Statement { kind: StatementKind::Expression(_), .. }) | None => Ok(tag),
            Some(guard) if is_type_guard(guard) => Ok(tag),
            Some(statement) => {
                let span = statement.span;
                Err(self.error(span, "expected a value to switch over, found a statement"))
            }
        }
    }

    pub(super) fn select_kind(&mut self) -> Parse<StatementKind<'t>> {
        self.advance();
        let (cases, body) = self.cases(Self::communication_case)?;
        Ok(StatementKind::Select(Select { cases, body }))
    }

    /// The cases in their braces, and the span of all.
    fn cases<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parse<T>) -> Parse<(Vec<T>, Span)> {
        let open = self.brackets.len();
        let start = self.expect(Token::LeftBrace, "`{`")?;
        self.switches += 1;
        let mut cases = Vec::new();
        let result = self.composites(true, |parser| {
            loop {
                match parser.token() {
                    Token::Case | Token::Default => cases.push(read(parser)?),
                    Token::RightBrace | Token::EndOfFile => return Ok(()),
                    _ if parser.is_declaration_at_margin() => return Ok(()),
                    _ => {
                        parser.expected("`case`, `default` or `}`");
                        let (at, open) = (parser.start(), parser.brackets.len());
                        parser.skip_piece(at, open);
                        parser.advance_from(at);
                    }
                }
            }
        });
        self.switches -= 1;
        result?;
        self.end_of_block(open);
        Ok((cases, self.span_from(start)))
    }

    /// What is between `case` and `:`, `default` and `:`.
    fn case_head<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Parse<T>,
        instead: impl FnOnce(Span) -> T,
    ) -> Parse<Option<T>> {
        if self.accept(Token::Default) {
            self.expect(Token::Colon, "`:`")?;
            return Ok(None);
        }
        self.advance();
        let (start, open) = (self.start(), self.brackets.len());
        let result = read(self).and_then(|head| {
            self.expect(Token::Colon, "`:`")?;
            Ok(head)
        });
        match result {
            Err(_) if self.skip_to_colon(open) => Ok(Some(instead(self.span_from(start)))),
            result => result.map(Some),
        }
    }

    fn case(&mut self) -> Parse<Case<'t>> {
        let start = self.start();
        let head = self.case_head(Self::expressions, |span| vec![bad(span)])?;
        let colon = self.previous_end;
        let statements = self.statements()?;
        let span = Span::new(start, statements.last().map_or(colon, |last| last.span.end));
        let is_default = head.is_none();
        Ok(Case { expressions: head.unwrap_or_default(), is_default, statements, span })
    }

    fn communication_case(&mut self) -> Parse<CommunicationCase<'t>> {
        let start = self.start();
        let communication = self
            .case_head(Self::communication, |span| Statement { kind: StatementKind::Bad, span })?;
        let colon = self.previous_end;
        let statements = self.statements()?;
        let span = Span::new(start, statements.last().map_or(colon, |last| last.span.end));
        Ok(CommunicationCase { communication, statements, span })
    }

    fn communication(&mut self) -> Parse<Statement<'t>> {
        let statement = match self.simple(Place::Head)? {
            Simple::Statement(statement) => statement,
            Simple::Range(_) => return Err(self.expected("a send or a receive")),
        };
        let is_one = match &statement.kind {
            StatementKind::Expression(_) | StatementKind::Send { .. } => true,
            StatementKind::Assign(Assign { left, right, operator, .. }) => {
                left.len() <= 2
                    && right.len() == 1
                    && !matches!(operator, AssignOperator::Compound(_))
            }
            _ => false,
        };
        match is_one {
            true => Ok(statement),
            false => Err(self.error(statement.span, "expected a send or a receive")),
        }
    }
}

/// Whether it is `x.(type)` or `v := x.(type)`.
fn is_type_guard(statement: &Statement<'_>) -> bool {
    let is_guard = |expression: &Expression<'_>| {
        matches!(expression.kind, ExpressionKind::TypeAssertion { ty: None, .. })
    };
    match &statement.kind {
        StatementKind::Expression(expression) => is_guard(expression),
        StatementKind::Assign(Assign { left, operator, right, .. }) => {
            *operator == AssignOperator::Define
                && left.len() == 1
                && right.len() == 1
                && is_guard(&right[0])
        }
        _ => false,
    }
}
