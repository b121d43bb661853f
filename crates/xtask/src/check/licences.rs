//! Every library may be used under one of the licences that the project accepts.

use super::Problems;
use crate::graph::Graph;

/// SPDX names. Others are fine as one side of an OR.
const ALLOWED: &[&str] =
    &["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Unicode-3.0", "Zlib"];

pub(super) fn check(graph: &Graph) -> Problems {
    let mut problems = Vec::new();
    for package in graph.foreign().filter(|package| !is_allowed(&package.licence)) {
        problems.push(format!(
            "{} {} is under {:?}, and the project accepts {}: use another library",
            package.name,
            package.version,
            package.licence,
            ALLOWED.join(", "),
        ));
    }
    problems
}

/// Whether an SPDX expression can be met by the accepted licences alone. AND binds closer than
/// OR; an exception (WITH) only permits more; `/` is an old way to write OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = any(&mut words);
    allowed && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut Words<'_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Words<'_>) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let allowed = any(words);
        return words.next() == Some(")") && allowed;
    }
    if words.next_if_eq(&"WITH").is_some() && words.next().is_none() {
        return false;
    }
    ALLOWED.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn an_expression_is_allowed_when_accepted_licences_can_meet_it() {
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("Unlicense OR MIT", true),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("CC0-1.0", false),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND AGPL-3.0", false),
            ("MIT ISC", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), allowed, "{expression}");
        }
    }
}
