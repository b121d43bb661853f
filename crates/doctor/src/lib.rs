//! The doctor: finds the deferred mistakes of Go code before they become 502s.
//!
//! Pure: text in, findings out. Nothing here reads a file, a clock or the environment; `cli` does.
//!
//! * [`syntax`]: Go source to a tree, whole or with what could not be read said.
//! * [`profile`]: what pprof profiles say about cleanup, read beside the source.
//! * [`rule`]: what a rule is.
//! * [`finding`]: what a rule says, and how it may be mended.
//! * [`analysis`]: a package's findings, ready to be shown.
//! * [`catalogue`]: every rule, by its code.
//! * [`settings`]: what is looked for, and where.
//! * [`suppress`]: what a `//nolint` holds back.
//! * [`fingerprint`] and [`baseline`]: what is known already.
//! * [`changed`]: which lines a diff changed.
//! * [`fix`] and [`edits`]: mending.
//! * [`report`]: findings as text, JSON, SARIF, annotations.

pub mod analysis;
pub mod baseline;
pub mod catalogue;
pub mod changed;
pub mod context;
pub mod edits;
pub mod finding;
pub mod fingerprint;
pub mod fix;
pub mod flow;
pub mod package;
pub mod profile;
pub mod report;
pub mod rule;
pub mod rules;
pub mod settings;
pub mod suppress;
pub mod syntax;
pub mod types;
