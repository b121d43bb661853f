//! Which files belong to a build: `//go:build` lines, names such as `poll_linux_arm64.go`, and files
//! that a program wrote.
//!
//! After `go/build`. `// +build` lines are not read: Go 1.21 and later ignore them in every module
//! whose go.mod says `go 1.18` or more.

mod constraint;
mod file_name;
mod target;

pub use constraint::{Constraint, ConstraintError, MAX_PARENTHESES};
pub use file_name::FileName;
pub use target::Target;

use super::ast::File;

/// Whether the file says that a program wrote it: a line `// Code generated … DO NOT EDIT.` before
/// the package clause (`go help generate`).
#[must_use]
pub fn is_generated(text: &str, file: &File<'_>) -> bool {
    let before = file.package.span.start;
    file.comments.iter().take_while(|comment| comment.start < before).any(|comment| {
        comment.of(text).lines().any(|line| {
            line.strip_prefix("// Code generated ")
                .is_some_and(|rest| rest.ends_with(" DO NOT EDIT."))
        })
    })
}
