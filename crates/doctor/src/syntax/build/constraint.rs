//! `//go:build` lines.

use crate::syntax::{Span, ast::File};

/// How deep parentheses in a constraint may be written within each other.
pub const MAX_PARENTHESES: u32 = 100;

/// The condition of a `//go:build` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constraint<'t> {
    /// Its text: `linux && !cgo`.
    pub condition: &'t str,
    /// The whole line.
    pub span: Span,
}

/// A condition that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintError {
    /// Where in the condition, in bytes.
    pub offset: usize,
    /// What was expected: a lower-case fragment.
    pub message: &'static str,
}

impl<'t> Constraint<'t> {
    /// The constraint of a file: the first `//go:build` line of its own before the package clause.
    #[must_use]
    pub fn of(text: &'t str, file: &File<'_>) -> Option<Self> {
        let before = file.package.span.start;
        let comments = file.comments.iter().take_while(|comment| comment.start < before);
        comments.filter_map(|&span| Self::in_comment(text, span)).next()
    }

    fn in_comment(text: &'t str, span: Span) -> Option<Self> {
        let begun = text.get(..span.start as usize)?.rsplit('\n').next()?;
        if !begun.trim_start_matches('\u{feff}').trim().is_empty() {
            return None;
        }
        let condition = span.of(text).strip_prefix("//go:build")?;
        let is_whole_word = condition.is_empty() || condition.starts_with([' ', '\t']);
        is_whole_word.then_some(Self { condition: condition.trim(), span })
    }

    /// Whether it holds where `has` says which tags do: `constraint.holds(|tag| target.has(tag))`.
    ///
    /// # Errors
    /// When the condition is not made of tags, `!`, `&&`, `||` and parentheses, or is nested deeper
    /// than [`MAX_PARENTHESES`].
    pub fn holds(&self, has: impl Fn(&str) -> bool) -> Result<bool, ConstraintError> {
        let mut reader = Reader { condition: self.condition, offset: 0, open: 0, has };
        let holds = reader.any()?;
        match reader.peek() {
            "" => Ok(holds),
            _ => Err(reader.expected("expected `&&`, `||` or the end of the line")),
        }
    }
}

/// Reads and decides at once.
struct Reader<'t, H> {
    condition: &'t str,
    offset: usize,
    open: u32,
    has: H,
}

impl<'t, H: Fn(&str) -> bool> Reader<'t, H> {
    fn any(&mut self) -> Result<bool, ConstraintError> {
        let mut holds = self.all()?;
        while self.accept("||") {
            holds |= self.all()?;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Result<bool, ConstraintError> {
        let mut holds = self.not()?;
        while self.accept("&&") {
            holds &= self.not()?;
        }
        Ok(holds)
    }

    fn not(&mut self) -> Result<bool, ConstraintError> {
        let is_negated = self.accept("!");
        Ok(self.atom()? != is_negated)
    }

    fn atom(&mut self) -> Result<bool, ConstraintError> {
        if !self.accept("(") {
            return self.tag();
        }
        if self.open == MAX_PARENTHESES {
            return Err(self.expected("the condition is nested too deep"));
        }
        self.open += 1;
        let holds = self.any()?;
        self.open -= 1;
        match self.accept(")") {
            true => Ok(holds),
            false => Err(self.expected("expected `)`")),
        }
    }

    fn tag(&mut self) -> Result<bool, ConstraintError> {
        let rest = self.peek();
        let is_part = |character: char| character.is_alphanumeric() || "_.".contains(character);
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected("expected a tag, `!` or `(`"));
        }
        self.offset += length;
        Ok((self.has)(&rest[..length]))
    }

    fn peek(&mut self) -> &'t str {
        let rest = self.condition.get(self.offset..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.offset += rest.len() - trimmed.len();
        trimmed
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let is_there = self.peek().starts_with(symbol);
        if is_there {
            self.offset += symbol.len();
        }
        is_there
    }

    fn expected(&self, message: &'static str) -> ConstraintError {
        ConstraintError { offset: self.offset, message }
    }
}
