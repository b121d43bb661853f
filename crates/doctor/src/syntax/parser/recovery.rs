//! Where reading goes on after something that is not Go.
//!
//! Two things guide it: which brackets were open when the broken piece began, and that in formatted
//! code a declaration begins at the first column and what is in a function does not.

use super::{Parser, Span, Token};

impl Parser<'_> {
    /// Passes a closing bracket: closes `opening` and what was left open within it.
    pub(super) fn close(&mut self, opening: Token) {
        if self.brackets.last() == Some(&opening) {
            self.brackets.pop();
        } else if opening == Token::LeftBrace
            && let Some(at) = self.brackets.iter().rposition(|&open| open == opening)
        {
            self.brackets.truncate(at);
        }
    }

    /// Whether a declaration begins here by the look of the text: a keyword at the first column.
    pub(super) fn is_declaration_at_margin(&self) -> bool {
        let start = self.start() as usize;
        self.token().starts_declaration()
            && (start == 0 || self.lexer.text.as_bytes()[start - 1] == b'\n')
    }

    /// Whether a function's declaration begins here, although its surroundings are not closed:
    /// `func name` or `func (receiver) name(` at the first column.
    pub(super) fn is_function_declaration(&mut self) -> bool {
        if self.token() != Token::Func || !self.is_declaration_at_margin() {
            return false;
        }
        let mark = self.lexer.mark();
        let answer = self.looks_like_function();
        self.lexer.reset(mark);
        answer
    }

    fn looks_like_function(&mut self) -> bool {
        /// A receiver has few tokens; a longer list is none.
        const MAX_RECEIVER: usize = 32;
        match self.lexer.next().token {
            Token::Identifier => return true,
            Token::LeftParenthesis => {}
            _ => return false,
        }
        for _ in 0..MAX_RECEIVER {
            match self.lexer.next().token {
                Token::RightParenthesis => {
                    return self.lexer.next().token == Token::Identifier
                        && self.lexer.next().token == Token::LeftParenthesis;
                }
                Token::Identifier
                | Token::Star
                | Token::LeftBracket
                | Token::RightBracket
                | Token::Comma
                | Token::Period => {}
                _ => return false,
            }
        }
        false
    }

    /// Goes on after a broken piece that began at `start` with `open` brackets open: to behind the
    /// semicolon that ends it, or before the next statement or the bracket that ends what it stands
    /// in. Its span.
    pub(super) fn skip_piece(&mut self, start: u32, open: usize) -> Span {
        loop {
            let token = self.token();
            let is_first = self.start() == start;
            if token.is_semicolon() || token.starts_statement() && !is_first {
                self.leave_parentheses(open);
                if self.brackets.len() <= open {
                    let span = self.span_from(start);
                    if token.is_semicolon() {
                        self.advance();
                    }
                    return span;
                }
            }
            let closes = matches!(token, Token::RightBrace | Token::RightParenthesis)
                && self.brackets.len() <= open
                && self.closes_around();
            if closes || token == Token::EndOfFile || self.is_declaration_at_margin() && !is_first {
                return self.span_from(start);
            }
            self.advance();
        }
    }

    /// Takes what stands where a piece began, if nothing of it was taken: a bracket that closes more than
    /// the piece would be met for ever.
    pub(super) fn advance_from(&mut self, start: u32) {
        if self.start() == start {
            self.advance();
        }
    }

    /// Takes the parentheses and brackets beyond `open` for closed, those in braces left alone: no
    /// statement ends or begins within them.
    fn leave_parentheses(&mut self, open: usize) {
        while self.brackets.len() > open && self.brackets.last() != Some(&Token::LeftBrace) {
            self.brackets.pop();
        }
    }

    /// Whether the closing bracket here closes the innermost that is open.
    fn closes_around(&self) -> bool {
        let opening = match self.token() {
            Token::RightBrace => Token::LeftBrace,
            _ => Token::LeftParenthesis,
        };
        self.brackets.last() == Some(&opening)
    }

    /// Goes to the `{` that begins the body after a broken head. Whether there is one.
    pub(super) fn skip_to_body(&mut self, open: usize) -> bool {
        loop {
            match self.token() {
                Token::LeftBrace if self.brackets.len() <= open => return true,
                Token::EndOfFile | Token::Newline => return false,
                Token::RightBrace if self.brackets.len() <= open => return false,
                _ if self.is_declaration_at_margin() => return false,
                _ => self.advance(),
            }
        }
    }

    /// Goes behind the `:` of a broken case. Whether there is one.
    pub(super) fn skip_to_colon(&mut self, open: usize) -> bool {
        loop {
            match self.token() {
                Token::Colon if self.brackets.len() <= open => {
                    self.advance();
                    return true;
                }
                Token::EndOfFile | Token::Newline => return false,
                Token::RightBrace if self.brackets.len() <= open => return false,
                _ if self.is_declaration_at_margin() => return false,
                _ => self.advance(),
            }
        }
    }

    /// Goes to the next declaration at the top level, at least one token on. The span of what was
    /// left out, from `start`.
    pub(super) fn skip_declaration(&mut self, start: u32) -> Span {
        if self.start() == start {
            self.advance();
        }
        loop {
            let ends_line = self.token().is_semicolon();
            if self.token() == Token::EndOfFile || self.is_declaration_at_margin() {
                break;
            }
            self.advance();
            if ends_line && self.brackets.is_empty() && self.token().starts_declaration() {
                break;
            }
        }
        self.brackets.clear();
        self.span_from(start)
    }
}
