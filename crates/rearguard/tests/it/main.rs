//! The tests of the scope, from outside.
//!
//! `conformance` reads like the table of what a scope promises, one file for one or more rows;
//! `local` is the same for an async body whose cleanups are plain closures; `misuse` shows what
//! does not compile, and what the compiler says of it.

mod conformance;
mod local;
mod support;
