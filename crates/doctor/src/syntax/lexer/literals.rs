//! Numbers, runes and strings. Their values are not looked at, only their ends.

use super::{Lexer, Token, span};

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Token {
        let is_prefixed = self.peek(0) == Some(b'0')
            && matches!(self.peek(1), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O'));
        let is_hexadecimal = is_prefixed && matches!(self.peek(1), Some(b'x' | b'X'));
        if is_prefixed {
            self.position += 2;
        }
        let mut token = Token::Integer;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'0'..=b'9' | b'_' => self.position += 1,
                b'a'..=b'f' | b'A'..=b'F' if is_hexadecimal => self.position += 1,
                b'.' => {
                    token = Token::Float;
                    self.position += 1;
                }
                b'e' | b'E' if !is_prefixed => token = self.exponent(),
                b'p' | b'P' if is_hexadecimal => token = self.exponent(),
                b'i' => {
                    self.position += 1;
                    return Token::Imaginary;
                }
                _ => break,
            }
        }
        token
    }

    fn exponent(&mut self) -> Token {
        self.position += if matches!(self.peek(1), Some(b'+' | b'-')) { 2 } else { 1 };
        Token::Float
    }

    pub(super) fn string(&mut self) -> Token {
        let start = self.position;
        if !self.until_quote(b'"') {
            let end = self.position;
            self.error(span(start, end), || "the string is not ended: expected `\"`".to_owned());
        }
        Token::String
    }

    pub(super) fn rune(&mut self) -> Token {
        let start = self.position;
        let is_ended = self.until_quote(b'\'');
        let end = self.position;
        let inner = self.text.get(start + 1..end - 1).unwrap_or_default();
        if !is_ended {
            self.error(span(start, end), || "the rune is not ended: expected `'`".to_owned());
        } else if !inner.starts_with('\\') && inner.chars().count() != 1 {
            self.error(span(start, end), || "expected one character between the `'`".to_owned());
        }
        Token::Rune
    }

    /// Goes behind the closing `quote`, or to the end of the line when there is none.
    fn until_quote(&mut self, quote: u8) -> bool {
        let mut position = self.position + 1;
        loop {
            match self.bytes.get(position) {
                Some(&byte) if byte == quote => {
                    self.position = position + 1;
                    return true;
                }
                Some(b'\\') if self.bytes.get(position + 1).is_some_and(|&next| next != b'\n') => {
                    position += 2;
                }
                None | Some(b'\n') => {
                    self.position = position;
                    return false;
                }
                Some(_) => position += 1,
            }
        }
    }

    pub(super) fn raw_string(&mut self) -> Token {
        let start = self.position;
        match memchr::memchr(b'`', &self.bytes[start + 1..]) {
            Some(length) => self.position = start + 1 + length + 1,
            None => {
                self.position = self.bytes.len();
                let all = span(start, self.position);
                self.error(all, || "the raw string is not ended: expected '`'".to_owned());
            }
        }
        Token::String
    }
}
