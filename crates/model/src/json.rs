//! Writing JSON straight into a buffer, for the access log's hot path.
//!
//! Why ours where `serde_json` exists: a record is written for every request, into a buffer that
//! is already there, and its members depend on what is known. Reading JSON is left to the library.

use std::fmt::Write as _;

/// Appends `text` as a JSON string, quotes included (RFC 8259 section 7).
pub fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    // Most text is plain; looking at all of it without leaving early is what compilers vectorise.
    if !text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => write!(out, "\\u{byte:04x}").unwrap_or_default(),
        }
        plain_from = at + 1;
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

const fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// A JSON object that is being written; it is closed when dropped.
#[derive(Debug)]
pub struct JsonObject<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> JsonObject<'a> {
    /// Opens an object at the end of `out`.
    pub fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes the member's name and returns the buffer, for a value that the caller writes.
    /// The name must need no escaping.
    pub fn key(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A string member.
    pub fn string(&mut self, name: &str, value: &str) {
        push_json_string(self.key(name), value);
    }

    /// A string member, left out when there is no value.
    pub fn optional_string(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(name, value);
        }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &str, value: u64) {
        push_integer(self.key(name), value);
    }

    /// A number of milliseconds with three digits after the point, from microseconds.
    pub fn milliseconds(&mut self, name: &str, microseconds: u64) {
        let out = self.key(name);
        push_integer(out, microseconds / 1000);
        let rest = microseconds % 1000;
        if rest != 0 {
            let digit = |value: u64| b'0' + (value % 10) as u8;
            let fraction = [b'.', digit(rest / 100), digit(rest / 10), digit(rest)];
            out.push_str(std::str::from_utf8(&fraction).unwrap_or_default());
        }
    }
}

impl Drop for JsonObject<'_> {
    fn drop(&mut self) {
        self.out.push('}');
    }
}

/// Appends a whole number in decimal.
pub(crate) fn push_integer(out: &mut String, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    // Digits are ASCII.
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut JsonObject<'_>)) -> String {
        let mut out = String::new();
        write(&mut JsonObject::new(&mut out));
        out
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        push_json_string(&mut out, "a\"b\\c\nd\u{1}\u{7f}é");
        assert_eq!(out, "\"a\\\"b\\\\c\\nd\\u0001\\u007fé\"");
    }

    #[test]
    fn milliseconds_keep_their_microseconds() {
        assert_eq!(written(|o| o.milliseconds("x", 12_040)), "{\"x\":12.040}");
        assert_eq!(written(|o| o.milliseconds("x", 12_000)), "{\"x\":12}");
        assert_eq!(written(|o| o.milliseconds("x", 7)), "{\"x\":0.007}");
    }

    #[test]
    fn members_are_separated_and_integers_whole() {
        let text = written(|o| {
            o.integer("a", 0);
            o.integer("b", u64::MAX);
            o.optional_string("c", None);
            o.optional_string("d", Some("x"));
        });
        assert_eq!(text, "{\"a\":0,\"b\":18446744073709551615,\"d\":\"x\"}");
    }
}
