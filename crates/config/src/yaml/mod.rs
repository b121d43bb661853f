//! YAML text to trees in which every node and key knows its place.
//!
//! Why a tree of our own over the parser's events rather than serde: all errors of a file are found
//! at once instead of the first, unknown fields get the nearest known one and their level, and later
//! checks, which join several documents, can still point at the line.

mod indentation;
mod node;
mod parse;

pub(crate) use node::{Entry, Node, Value};
pub(crate) use parse::parse;
pub use parse::{MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
