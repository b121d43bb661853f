//! What a finding is recognised by when lines have moved.
//!
//! A hash of the rule, of the name of the function and of the first lines of the code, blanks evened
//! out. Neither the line's number nor the file's path is in it, so a finding stays known when code
//! moves within a file or to another, and becomes new when the code itself changes.

use crate::{
    finding::Finding,
    package::receiver_name,
    syntax::{
        Lines, Span,
        ast::{Declaration, File, Function},
    },
};

/// So many lines of a finding's span are looked at: a finding about a whole function stays known when
/// something far down in it changes.
pub const FINGERPRINT_LINES: u32 = 3;

/// The fingerprint of a finding: 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(
    finding: &Finding,
    function: Option<&str>,
    text: &str,
    lines: &Lines<'_>,
) -> String {
    let first = lines.line(finding.span.start);
    let last = lines.line(finding.span.end).clamp(first, first + FINGERPRINT_LINES - 1);
    let code = Span::new(lines.span(first).start, lines.span(last).end).of(text);
    let mut hash = Fnv::default();
    hash.add(finding.rule.code);
    hash.add(function.unwrap_or_default());
    for word in code.split_ascii_whitespace() {
        hash.add(word);
    }
    format!("{:016x}", hash.0)
}

/// The name of the function or method that a place is in, as `F` or `Type.Method`.
#[must_use]
pub fn function_at(file: &File<'_>, at: Span) -> Option<String> {
    file.declarations.iter().find_map(|declaration| match declaration {
        Declaration::Function(function) if function.span.contains(at) => Some(name(function)),
        _ => None,
    })
}

fn name(function: &Function<'_>) -> String {
    let name = function.name.name;
    match function.receiver.as_ref().and_then(|receiver| receiver_name(&receiver.ty)) {
        Some(ty) => format!("{ty}.{name}"),
        None => name.to_owned(),
    }
}

/// FNV-1a over 64 bits (<https://datatracker.ietf.org/doc/html/rfc9923>): stable between versions,
/// unlike the standard library's hashers. Nobody gains by making two findings collide.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a word and its end.
    fn add(&mut self, word: &str) {
        for byte in word.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{suppress::UNUSED_NOLINT, syntax::parse};

    /// The fingerprint of a finding about `marked` in `text`.
    fn of(text: &str, marked: &str) -> String {
        let start = text.find(marked).unwrap() as u32;
        let finding =
            Finding::new(&UNUSED_NOLINT, Span::new(start, start + marked.len() as u32), "");
        let function = function_at(&parse(text), finding.span);
        fingerprint(&finding, function.as_deref(), text, &Lines::new(text))
    }

    const BEFORE: &str = "package p\n\nfunc F() {\n\tdefer a.Close()\n}\n";

    #[test]
    fn moved_and_indented_code_keeps_its_fingerprint() {
        let moved =
            "package q\n\nvar x int\n\nfunc F() {\n\tif x > 0 {\n\t\tdefer  a.Close()\n\t}\n}\n";
        assert_eq!(of(BEFORE, "defer a.Close()"), of(moved, "defer  a.Close()"));
    }

    #[test]
    fn other_code_or_another_function_is_another_fingerprint() {
        let known = of(BEFORE, "defer a.Close()");
        let other = BEFORE.replace("a.Close", "b.Close");
        assert_ne!(known, of(&other, "defer b.Close()"));
        let method = BEFORE.replace("func F", "func (t *T[K]) F");
        assert_ne!(known, of(&method, "defer a.Close()"));
        let file = parse(&method);
        let start = method.find("defer").unwrap() as u32;
        assert_eq!(function_at(&file, Span::new(start, start)).as_deref(), Some("T.F"));
    }

    #[test]
    fn a_change_far_down_in_what_it_is_about_does_not_matter() {
        let text = "package p\n\nfunc F() {\n\ta()\n\tb()\n\tc()\n\td()\n}\n";
        let whole = |text: &str| of(text, &text[text.find("func").unwrap()..]);
        assert_eq!(whole(text), whole(&text.replace("d()", "e()")));
        assert_ne!(whole(text), whole(&text.replace("a()", "e()")));
    }

    #[test]
    fn fingerprints_do_not_change_between_versions() {
        insta::assert_snapshot!(of(BEFORE, "defer a.Close()"), @"9c57b459c6134f48");
    }
}
