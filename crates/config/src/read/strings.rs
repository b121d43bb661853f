//! `StringMatch` and regular expressions.

use regex::RegexBuilder;

use crate::{
    report::Report,
    routing::StringMatch,
    source::{At, Place},
    yaml::Node,
};

/// The size in memory up to which a regular expression is compiled; bounds what a short text such
/// as `(a{1000}){1000}` can cost.
pub const MAX_REGEX_BYTES: usize = 1024 * 1024;

/// Whether a match without an operator (`{}`) is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It means that there is a value.
    Allowed,
    /// There always is a value, so it means nothing.
    Refused,
}

/// Reads `exact`, `prefix` or `regex`.
pub(super) fn string_match(
    node: &Node,
    key: Place,
    presence: Presence,
    report: &mut Report,
) -> Option<StringMatch> {
    let operators: Vec<_> = ["exact", "prefix", "regex"]
        .into_iter()
        .filter_map(|name| Some((name, node.text_of(name)?)))
        .collect();
    match operators.as_slice() {
        [] if presence == Presence::Allowed && node.entries().is_empty() => {
            Some(StringMatch::Present)
        }
        [] => {
            if node.entries().is_empty() {
                let message = "this match has no `exact`, `prefix` or `regex`";
                report.error("empty-match", key, message, "write one of them inside it");
            }
            None
        }
        [(name, text)] => match *name {
            "exact" => Some(StringMatch::Exact(text.value.clone())),
            "prefix" => Some(StringMatch::Prefix(text.value.clone())),
            _ => check_regex(text, report).map(|_| StringMatch::Regex(text.value.clone())),
        },
        [(first, _), (second, text), ..] => {
            let message = format!("`{first}` and `{second}` in one match");
            let hint = "keep one; alternatives are items of `match` of their own";
            report.error("two-operators", text.place, message, hint);
            None
        }
    }
}

/// The number of groups of an expression that is compiled as the gateway does: matched against the
/// whole value.
pub(super) fn check_regex(text: &At<String>, report: &mut Report) -> Option<usize> {
    let whole = format!("^(?:{})$", text.value);
    let compiled = RegexBuilder::new(&text.value)
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .and_then(|own| RegexBuilder::new(&whole).size_limit(MAX_REGEX_BYTES).build().map(|_| own));
    match compiled {
        Ok(own) => Some(own.captures_len() - 1),
        Err(error) => {
            let (reason, hint) = explain(&error);
            let message = format!("this regular expression is not valid: {reason}");
            report.error("bad-regex", text.place, message, hint);
            None
        }
    }
}

fn explain(error: &regex::Error) -> (String, String) {
    match error {
        regex::Error::CompiledTooBig(_) => (
            "it is too large once it is compiled".to_owned(),
            "use smaller repetitions, or a prefix match".to_owned(),
        ),
        _ => {
            // The last line says what is wrong; those before it draw the expression.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let hint = if reason.contains("look-around") || reason.contains("backreferences") {
                "RE2 syntax has neither look-around nor back-references, as in Istio"
            } else {
                "RE2 syntax; the expression must match the whole value, as in Istio"
            };
            (reason.to_owned(), hint.to_owned())
        }
    }
}
