//! Go source to a tree.
//!
//! Why ours: the grammars that exist for Rust either recover from errors or read fast, and none of
//! them knows the newest language versions. A rule wants a typed tree that keeps what it could read.
//! See `docs/decisions/0015-own-go-parser.md`.
//!
//! * [`parse`]: a file's text to its [`ast::File`].
//! * [`Lines`]: a byte's line and column.
//! * [`walk`]: visiting what is in a tree.
//! * [`build`]: which files belong to a build.

pub mod ast;
pub mod build;
mod lexer;
mod lines;
mod parser;
mod shape;
mod span;
pub mod walk;

pub use lexer::MAX_ERRORS;
pub use lines::{LineStarts, Lines, Position};
pub use parser::{MAX_BYTES, MAX_DEPTH, MAX_NESTING, parse};
pub use span::Span;
