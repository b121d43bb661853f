//! The kinds of token.

use crate::syntax::ast::{AssignOperator, BinaryOperator};

/// What a token is. Its text is a span of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    EndOfFile,
    /// A `;` that is written.
    Semicolon,
    /// A `;` that the end of a line stands for.
    Newline,
    Identifier,
    Integer,
    Float,
    Imaginary,
    Rune,
    String,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Ampersand,
    Bar,
    Caret,
    ShiftLeft,
    ShiftRight,
    AndNot,
    LogicalAnd,
    LogicalOr,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Not,
    Tilde,
    Arrow,
    Increment,
    Decrement,
    Assign,
    Define,
    /// `+=` and its kind.
    Compound(BinaryOperator),
    LeftParenthesis,
    RightParenthesis,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Comma,
    Colon,
    Period,
    Ellipsis,
    Break,
    Case,
    Chan,
    Const,
    Continue,
    Default,
    Defer,
    Else,
    Fallthrough,
    For,
    Func,
    Go,
    Goto,
    If,
    Import,
    Interface,
    Map,
    Package,
    Range,
    Return,
    Select,
    Struct,
    Switch,
    Type,
    Var,
}

/// The binding strength of the loosest operator between operands, `||`; `*` has 5.
pub(crate) const LOWEST_PRECEDENCE: u8 = 1;

impl Token {
    /// The keyword that `name` is, else an identifier.
    pub(crate) fn of_word(name: &[u8]) -> Self {
        match name {
            b"break" => Self::Break,
            b"case" => Self::Case,
            b"chan" => Self::Chan,
            b"const" => Self::Const,
            b"continue" => Self::Continue,
            b"default" => Self::Default,
            b"defer" => Self::Defer,
            b"else" => Self::Else,
            b"fallthrough" => Self::Fallthrough,
            b"for" => Self::For,
            b"func" => Self::Func,
            b"go" => Self::Go,
            b"goto" => Self::Goto,
            b"if" => Self::If,
            b"import" => Self::Import,
            b"interface" => Self::Interface,
            b"map" => Self::Map,
            b"package" => Self::Package,
            b"range" => Self::Range,
            b"return" => Self::Return,
            b"select" => Self::Select,
            b"struct" => Self::Struct,
            b"switch" => Self::Switch,
            b"type" => Self::Type,
            b"var" => Self::Var,
            _ => Self::Identifier,
        }
    }

    /// Whether a line that ends with it ends a statement (the specification's "Semicolons").
    pub(crate) const fn ends_statement(self) -> bool {
        matches!(
            self,
            Self::Identifier
                | Self::Integer
                | Self::Float
                | Self::Imaginary
                | Self::Rune
                | Self::String
                | Self::Break
                | Self::Continue
                | Self::Fallthrough
                | Self::Return
                | Self::Increment
                | Self::Decrement
                | Self::RightParenthesis
                | Self::RightBracket
                | Self::RightBrace
        )
    }

    pub(crate) const fn is_semicolon(self) -> bool {
        matches!(self, Self::Semicolon | Self::Newline)
    }

    /// Whether a declaration at the top level begins with it.
    pub(crate) const fn starts_declaration(self) -> bool {
        matches!(self, Self::Const | Self::Func | Self::Import | Self::Type | Self::Var)
    }

    /// Whether a statement begins with it, or a case, and nothing else does.
    pub(crate) const fn starts_statement(self) -> bool {
        matches!(
            self,
            Self::Break
                | Self::Case
                | Self::Continue
                | Self::Default
                | Self::Defer
                | Self::Fallthrough
                | Self::For
                | Self::Go
                | Self::Goto
                | Self::If
                | Self::Return
                | Self::Select
                | Self::Switch
                | Self::Const
                | Self::Var
        )
    }

    /// What it is between two operands, and how strongly it binds.
    #[inline]
    pub(crate) const fn binary_operator(self) -> Option<(BinaryOperator, u8)> {
        Some(match self {
            Self::LogicalOr => (BinaryOperator::LogicalOr, 1),
            Self::LogicalAnd => (BinaryOperator::LogicalAnd, 2),
            Self::Equal => (BinaryOperator::Equal, 3),
            Self::NotEqual => (BinaryOperator::NotEqual, 3),
            Self::Less => (BinaryOperator::Less, 3),
            Self::LessEqual => (BinaryOperator::LessEqual, 3),
            Self::Greater => (BinaryOperator::Greater, 3),
            Self::GreaterEqual => (BinaryOperator::GreaterEqual, 3),
            Self::Plus => (BinaryOperator::Add, 4),
            Self::Minus => (BinaryOperator::Subtract, 4),
            Self::Bar => (BinaryOperator::Or, 4),
            Self::Caret => (BinaryOperator::ExclusiveOr, 4),
            Self::Star => (BinaryOperator::Multiply, 5),
            Self::Slash => (BinaryOperator::Quotient, 5),
            Self::Percent => (BinaryOperator::Remainder, 5),
            Self::ShiftLeft => (BinaryOperator::ShiftLeft, 5),
            Self::ShiftRight => (BinaryOperator::ShiftRight, 5),
            Self::Ampersand => (BinaryOperator::And, 5),
            Self::AndNot => (BinaryOperator::AndNot, 5),
            _ => return None,
        })
    }

    /// How it assigns, if it does.
    pub(crate) const fn assign_operator(self) -> Option<AssignOperator> {
        match self {
            Self::Assign => Some(AssignOperator::Assign),
            Self::Define => Some(AssignOperator::Define),
            Self::Compound(operator) => Some(AssignOperator::Compound(operator)),
            _ => None,
        }
    }
}
