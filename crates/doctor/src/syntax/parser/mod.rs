//! Tokens to a tree, by recursive descent.
//!
//! A piece that cannot be read ends in [`Broken`], which goes up to the nearest statement, spec,
//! field or declaration; `recovery` finds where the next one begins.

mod declarations;
mod expressions;
mod headers;
mod parameters;
mod recovery;
mod statements;
mod switches;
mod types;

use super::{
    Span,
    ast::{Expression, ExpressionKind, File, Identifier, SyntaxError},
    lexer::{Lexeme, Lexer, Token},
};

/// The longest text that is read, in bytes: 64 MiB. A longer one is a file with one error.
pub const MAX_BYTES: usize = 64 << 20;

/// How deep expressions, types and statements may be written within each other. Go's own code and
/// that of large projects stays under 50; a build without optimisation reads a hundred with 2 MiB of
/// stack.
pub const MAX_NESTING: u32 = 100;

/// How deep a tree may be, in expressions, types and statements. Greater than [`MAX_NESTING`], for
/// `a.b().c()…` nests to the left, and `else if` to the right, without being written within something.
pub const MAX_DEPTH: u32 = 500;

/// So many operators of a row (`a + b + c …`) nest to the left, as the language has it. The rest of
/// a longer row is halved again and again, which keeps the operands' order.
const MAX_ROW: u32 = 200;

/// What was to be read is not there. The error has been kept.
#[derive(Clone, Copy, Debug)]
struct Broken;

type Parse<T> = Result<T, Broken>;

/// Reads a file. Whatever the text, the tree has all that could be read and its `errors` the rest.
///
/// Bounds: [`MAX_BYTES`], [`MAX_NESTING`], [`MAX_DEPTH`], [`MAX_ERRORS`](super::MAX_ERRORS).
#[must_use]
pub fn parse(text: &str) -> File<'_> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        let errors = vec![SyntaxError { span: Span::default(), message }];
        return File { errors, ..File::default() };
    }
    Parser::new(text).file()
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that is looked at.
    current: Lexeme,
    /// Where the last token of the text that was passed ends.
    previous_end: u32,
    /// The brackets that are open.
    brackets: Vec<Token>,
    /// Whether `T {` begins a composite literal; in the head of `if`, `for` and `switch` it does not.
    allows_composite: bool,
    /// How many `switch` and `select` are open in this function.
    switches: u32,
    /// What is open of [`MAX_NESTING`].
    nesting: u32,
    /// How deep in the tree the piece is that is being read, against [`MAX_DEPTH`].
    depth: u32,
    /// The depth of the deepest leaf in what is being read, against [`MAX_DEPTH`].
    deepest: u32,
    /// Whether a piece is read that may have to be read again in another way.
    is_trying: bool,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        let mut lexer = Lexer::new(text);
        let current = lexer.next();
        Self {
            lexer,
            current,
            previous_end: 0,
            brackets: Vec::new(),
            allows_composite: true,
            switches: 0,
            nesting: 0,
            depth: 0,
            deepest: 0,
            is_trying: false,
        }
    }

    fn token(&self) -> Token {
        self.current.token
    }

    fn start(&self) -> u32 {
        self.current.span.start
    }

    /// From `start` to the end of the last token that was passed.
    fn span_from(&self, start: u32) -> Span {
        Span::new(start, self.previous_end.max(start))
    }

    fn text_of(&self, span: Span) -> &'t str {
        span.of(self.lexer.text)
    }

    /// Passes the token.
    fn advance(&mut self) {
        match self.current.token {
            Token::Newline => {}
            Token::LeftParenthesis | Token::LeftBracket | Token::LeftBrace => {
                self.brackets.push(self.current.token);
            }
            Token::RightParenthesis => self.close(Token::LeftParenthesis),
            Token::RightBracket => self.close(Token::LeftBracket),
            Token::RightBrace => self.close(Token::LeftBrace),
            _ => {}
        }
        if self.current.token != Token::Newline {
            self.previous_end = self.current.span.end;
        }
        self.current = self.lexer.next();
    }

    /// Passes the token if it is `token`.
    fn accept(&mut self, token: Token) -> bool {
        let is_there = self.token() == token;
        if is_there {
            self.advance();
        }
        is_there
    }

    /// Passes `token`, which has to be there; `what` names it. Where it began.
    fn expect(&mut self, token: Token, what: &str) -> Parse<u32> {
        let start = self.start();
        if self.accept(token) { Ok(start) } else { Err(self.expected(what)) }
    }

    /// Keeps the error that `what` was expected here.
    #[cold]
    fn expected(&mut self, what: &str) -> Broken {
        let Lexeme { token, span } = self.current;
        let text = self.text_of(span);
        self.lexer.error(span, || {
            let found = match token {
                Token::EndOfFile => "the end of the file".to_owned(),
                Token::Newline => "the end of the line".to_owned(),
                _ => format!("`{}`", shortened(text)),
            };
            format!("expected {what}, found {found}")
        });
        Broken
    }

    #[cold]
    fn error(&mut self, span: Span, message: &str) -> Broken {
        self.lexer.error(span, || message.to_owned());
        Broken
    }

    fn identifier(&mut self) -> Parse<Identifier<'t>> {
        if self.token() != Token::Identifier {
            return Err(self.expected("a name"));
        }
        let span = self.current.span;
        self.advance();
        Ok(Identifier { name: self.text_of(span), span })
    }

    /// Reads something within something, if that is not too deep.
    #[inline]
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.nesting == MAX_NESTING || self.depth == MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.nesting += 1;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let result = read(self);
        self.nesting -= 1;
        self.depth -= 1;
        result
    }

    /// Notes that all that was read since `deepest` was last set gets one deeper.
    #[inline]
    fn deepen(&mut self) -> Parse<()> {
        self.deepest += 1;
        if self.deepest > MAX_DEPTH { Err(self.too_deep()) } else { Ok(()) }
    }

    #[cold]
    fn too_deep(&mut self) -> Broken {
        self.error(self.current.span, "this is nested too deep to be read")
    }

    /// Reads something with composite literals allowed, as within brackets, or not.
    fn composites<T>(
        &mut self,
        allowed: bool,
        read: impl FnOnce(&mut Self) -> Parse<T>,
    ) -> Parse<T> {
        let outer = std::mem::replace(&mut self.allows_composite, allowed);
        let result = read(self);
        self.allows_composite = outer;
        result
    }

    /// Elements with commas between, a comma after the last allowed, until `closing`, which is not
    /// passed.
    fn list<T>(
        &mut self,
        closing: Token,
        what: &str,
        mut read: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        if self.token() == closing {
            return Ok(Vec::new());
        }
        let mut list = vec![read(self)?];
        while self.token() != closing {
            if !self.accept(Token::Comma) {
                return Err(self.expected(what));
            }
            if self.token() == closing {
                break;
            }
            list.push(read(self)?);
        }
        Ok(list)
    }
}

/// A name as an expression.
fn named(identifier: Identifier<'_>) -> Expression<'_> {
    Expression { kind: ExpressionKind::Identifier(identifier.name), span: identifier.span }
}

fn bad<'t>(span: Span) -> Expression<'t> {
    Expression { kind: ExpressionKind::Bad, span }
}

/// The first line of `text`, of bounded length.
fn shortened(text: &str) -> String {
    const MAX_CHARACTERS: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    let mut shown: String = line.chars().take(MAX_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
