//! The lines of a dump: a call with its arguments, a place, labels.

/// A call without its arguments: `main.(*T).M(0xc00, {0x1, ...})` is `main.(*T).M`.
///
/// The arguments are the last group of balanced parentheses; those of a receiver come before.
pub(super) fn without_arguments(call: &str) -> Option<&str> {
    let call = call.trim_end();
    let inner = call.strip_suffix(')')?;
    let mut depth = 1_usize;
    for (at, letter) in inner.char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&call[..at]).filter(|name| !name.is_empty());
        }
    }
    None
}

/// File and line of `/app/main.go:12 +0x1d`.
pub(super) fn place_of(text: &str) -> Option<(&str, u32)> {
    let text = text.trim();
    let text = text.rsplit_once(" +0x").map_or(text, |(place, _)| place);
    let (file, line) = text.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// Labels: `{"key":"value", "other":"value"}` after Go's quoting.
pub(super) fn labels(text: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut rest = text;
    while let Some((_, from)) = rest.split_once('"') {
        let (text, after) = quoted(from);
        texts.push(text);
        rest = after;
    }
    let pairs = texts.chunks_exact(2);
    pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// The text to its closing quote, and what comes after it. Escapes other than of quotes and
/// backslashes stay as they are: labels are shown, not computed with.
fn quoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (out, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, escaped @ ('"' | '\\'))) => out.push(escaped),
                Some((_, other)) => out.extend(['\\', other]),
                None => {}
            },
            _ => out.push(letter),
        }
    }
    (out, "")
}
