//! Text to tokens.
//!
//! Semicolons that the end of a line stands for are tokens; comments are kept aside as spans. Runs
//! over bytes; only a byte outside ASCII is looked at as a character.

mod literals;
mod token;

pub(crate) use token::{LOWEST_PRECEDENCE, Token};

use super::{
    Span,
    ast::{BinaryOperator, SyntaxError},
};

/// As many errors of one file are kept; the rest of the file is read all the same.
pub const MAX_ERRORS: usize = 100;

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) span: Span,
}

/// Where in a text the tokens have been read to.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    pub(crate) text: &'t str,
    bytes: &'t [u8],
    position: usize,
    /// Whether the end of the line would be a semicolon.
    ends_statement: bool,
    pub(crate) comments: Vec<Span>,
    pub(crate) errors: Vec<SyntaxError>,
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    position: usize,
    ends_statement: bool,
    comments: usize,
    errors: usize,
}

/// The bytes that continue a word, those of characters outside ASCII left out.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

impl<'t> Lexer<'t> {
    /// From the beginning of `text`, after its byte order mark if it has one.
    pub(crate) fn new(text: &'t str) -> Self {
        let position = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self {
            text,
            bytes: text.as_bytes(),
            position,
            ends_statement: false,
            comments: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            position: self.position,
            ends_statement: self.ends_statement,
            comments: self.comments.len(),
            errors: self.errors.len(),
        }
    }

    /// Goes back to `mark` and forgets what was found since.
    pub(crate) fn reset(&mut self, mark: Mark) {
        self.position = mark.position;
        self.ends_statement = mark.ends_statement;
        self.comments.truncate(mark.comments);
        self.errors.truncate(mark.errors);
    }

    /// Keeps an error, unless there are [`MAX_ERRORS`] or one is known at the same place.
    pub(crate) fn error(&mut self, span: Span, message: impl FnOnce() -> String) {
        let is_known = self.errors.last().is_some_and(|last| last.span.start == span.start);
        if self.errors.len() < MAX_ERRORS && !is_known {
            self.errors.push(SyntaxError { span, message: message() });
        }
    }

    /// The next token; [`Token::EndOfFile`] for ever at the end.
    pub(crate) fn next(&mut self) -> Lexeme {
        loop {
            let start = self.position;
            let Some(&byte) = self.bytes.get(start) else { return self.end_of_file() };
            let token = match byte {
                b' ' | b'\t' | b'\r' => {
                    self.position += 1;
                    continue;
                }
                b'\n' => {
                    self.position += 1;
                    if !self.ends_statement {
                        continue;
                    }
                    Token::Newline
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => match self.word(byte) {
                    Some(token) => token,
                    None => continue,
                },
                b'0'..=b'9' => self.number(),
                b'.' if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) => self.number(),
                b'/' if matches!(self.peek(1), Some(b'/' | b'*')) => {
                    if !self.comment() {
                        continue;
                    }
                    Token::Newline
                }
                b'"' => self.string(),
                b'`' => self.raw_string(),
                b'\'' => self.rune(),
                _ => match self.operator(byte) {
                    Some((token, length)) => {
                        self.position += length;
                        token
                    }
                    None => {
                        self.position += 1;
                        self.illegal(start, byte.into());
                        continue;
                    }
                },
            };
            self.ends_statement = token.ends_statement();
            // The line's end is no text of the statement.
            let end = if token == Token::Newline { start } else { self.position };
            return Lexeme { token, span: span(start, end) };
        }
    }

    fn peek(&self, distance: usize) -> Option<u8> {
        self.bytes.get(self.position + distance).copied()
    }

    fn end_of_file(&mut self) -> Lexeme {
        let token = if self.ends_statement { Token::Newline } else { Token::EndOfFile };
        self.ends_statement = false;
        Lexeme { token, span: span(self.position, self.position) }
    }

    fn illegal(&mut self, start: usize, character: char) {
        self.error(span(start, self.position), || {
            format!("the character {character:?} is none that Go code is made of")
        });
    }

    /// A keyword or an identifier; none for a character that is in neither.
    fn word(&mut self, first: u8) -> Option<Token> {
        let start = self.position;
        let mut end = start;
        loop {
            while self.bytes.get(end).is_some_and(|&byte| WORD[usize::from(byte)]) {
                end += 1;
            }
            match self.text.get(end..).and_then(|rest| rest.chars().next()) {
                Some(character) if !character.is_ascii() && character.is_alphanumeric() => {
                    end += character.len_utf8();
                }
                Some(character) if end == start => {
                    self.position = end + character.len_utf8();
                    self.illegal(start, character);
                    return None;
                }
                _ => break,
            }
        }
        self.position = end;
        let is_keyword = first.is_ascii_lowercase() && (2..=11).contains(&(end - start));
        Some(match is_keyword {
            true => Token::of_word(&self.bytes[start..end]),
            false => Token::Identifier,
        })
    }

    /// Keeps a comment. Whether it ends a line that ends a statement.
    fn comment(&mut self) -> bool {
        let start = self.position;
        let rest = &self.bytes[start + 2..];
        if self.peek(1) == Some(b'/') {
            let mut end = memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |at| start + 2 + at);
            self.position = end;
            if self.bytes[end - 1] == b'\r' {
                end -= 1;
            }
            self.comments.push(span(start, end));
            return false;
        }
        let length = memchr::memchr_iter(b'/', rest).find(|&at| at > 0 && rest[at - 1] == b'*');
        self.position = length.map_or(self.bytes.len(), |at| start + 2 + at + 1);
        let comment = span(start, self.position);
        if length.is_none() {
            self.error(comment, || "the comment is not ended: expected `*/`".to_owned());
        }
        self.comments.push(comment);
        self.ends_statement && self.bytes[start..self.position].contains(&b'\n')
    }

    /// The operator or the punctuation here, and its length.
    fn operator(&self, first: u8) -> Option<(Token, usize)> {
        use BinaryOperator as Binary;
        let second = self.peek(1).unwrap_or_default();
        let third = self.peek(2).unwrap_or_default();
        Some(match (first, second, third) {
            (b'(', ..) => (Token::LeftParenthesis, 1),
            (b')', ..) => (Token::RightParenthesis, 1),
            (b'[', ..) => (Token::LeftBracket, 1),
            (b']', ..) => (Token::RightBracket, 1),
            (b'{', ..) => (Token::LeftBrace, 1),
            (b'}', ..) => (Token::RightBrace, 1),
            (b',', ..) => (Token::Comma, 1),
            (b';', ..) => (Token::Semicolon, 1),
            (b'.', b'.', b'.') => (Token::Ellipsis, 3),
            (b'.', ..) => (Token::Period, 1),
            (b':', b'=', _) => (Token::Define, 2),
            (b':', ..) => (Token::Colon, 1),
            (b'=', b'=', _) => (Token::Equal, 2),
            (b'=', ..) => (Token::Assign, 1),
            (b'+', b'+', _) => (Token::Increment, 2),
            (b'+', b'=', _) => (Token::Compound(Binary::Add), 2),
            (b'+', ..) => (Token::Plus, 1),
            (b'-', b'-', _) => (Token::Decrement, 2),
            (b'-', b'=', _) => (Token::Compound(Binary::Subtract), 2),
            (b'-', ..) => (Token::Minus, 1),
            (b'*', b'=', _) => (Token::Compound(Binary::Multiply), 2),
            (b'*', ..) => (Token::Star, 1),
            (b'/', b'=', _) => (Token::Compound(Binary::Quotient), 2),
            (b'/', ..) => (Token::Slash, 1),
            (b'%', b'=', _) => (Token::Compound(Binary::Remainder), 2),
            (b'%', ..) => (Token::Percent, 1),
            (b'&', b'^', b'=') => (Token::Compound(Binary::AndNot), 3),
            (b'&', b'^', _) => (Token::AndNot, 2),
            (b'&', b'&', _) => (Token::LogicalAnd, 2),
            (b'&', b'=', _) => (Token::Compound(Binary::And), 2),
            (b'&', ..) => (Token::Ampersand, 1),
            (b'|', b'|', _) => (Token::LogicalOr, 2),
            (b'|', b'=', _) => (Token::Compound(Binary::Or), 2),
            (b'|', ..) => (Token::Bar, 1),
            (b'^', b'=', _) => (Token::Compound(Binary::ExclusiveOr), 2),
            (b'^', ..) => (Token::Caret, 1),
            (b'<', b'<', b'=') => (Token::Compound(Binary::ShiftLeft), 3),
            (b'<', b'<', _) => (Token::ShiftLeft, 2),
            (b'<', b'=', _) => (Token::LessEqual, 2),
            (b'<', b'-', _) => (Token::Arrow, 2),
            (b'<', ..) => (Token::Less, 1),
            (b'>', b'>', b'=') => (Token::Compound(Binary::ShiftRight), 3),
            (b'>', b'>', _) => (Token::ShiftRight, 2),
            (b'>', b'=', _) => (Token::GreaterEqual, 2),
            (b'>', ..) => (Token::Greater, 1),
            (b'!', b'=', _) => (Token::NotEqual, 2),
            (b'!', ..) => (Token::Not, 1),
            (b'~', ..) => (Token::Tilde, 1),
            _ => return None,
        })
    }
}

/// A span of a text that is no longer than [`MAX_BYTES`](super::MAX_BYTES), which `u32` holds.
fn span(start: usize, end: usize) -> Span {
    Span::new(start as u32, end as u32)
}
