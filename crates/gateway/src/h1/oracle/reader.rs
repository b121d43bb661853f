use super::{HeadLimits, LineEnds};

/// A head as its lines say, nothing judged but their form (RFC 9112 sections 2 to 5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// The request line or the status line.
    pub(super) first: Vec<u8>,
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the whole head.
    pub(super) length: usize,
}

/// Reads the lines of a head. `None` where more bytes are needed.
pub(super) fn read_lines(
    bytes: &[u8],
    line_ends: LineEnds,
    limits: &HeadLimits,
) -> Result<Option<Lines>, &'static str> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut line_start = 0;
    let mut length = None;
    for (at, byte) in bytes.iter().enumerate().take(limits.head_bytes) {
        if *byte != b'\n' {
            continue;
        }
        let line = match bytes[line_start..at].strip_suffix(b"\r") {
            Some(line) => line,
            None if line_ends == LineEnds::Lenient => &bytes[line_start..at],
            None => return Err("bare LF"),
        };
        line_start = at + 1;
        if !line.is_empty() {
            lines.push(line);
        } else if !lines.is_empty() {
            length = Some(at + 1);
            break;
        }
    }
    let Some(length) = length else {
        return if bytes.len() > limits.head_bytes { Err("too large") } else { Ok(None) };
    };
    if lines.iter().any(|line| line.iter().any(|byte| is_control(*byte))) {
        return Err("control character");
    }
    let fields = lines[1..].iter().map(|line| read_field(line)).collect::<Result<Vec<_>, _>>()?;
    if fields.len() > limits.fields {
        return Err("too many fields");
    }
    Ok(Some(Lines { first: lines[0].to_vec(), fields, length }))
}

/// `field-name ":" OWS field-value OWS`
fn read_field(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or("no colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err("a name that is no token");
    }
    Ok((name.to_vec(), trimmed(value).to_vec()))
}

/// All control characters but the tab, CR, LF and NUL among them.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The values of every field with that name.
pub(super) fn values<'a>(fields: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Vec<&'a [u8]> {
    fields
        .iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
        .collect()
}

/// Whether a list in any field with that name has the member.
pub(super) fn lists(fields: &[(Vec<u8>, Vec<u8>)], name: &str, member: &str) -> bool {
    values(fields, name)
        .join(&b','.to_owned())
        .to_ascii_lowercase()
        .split(|byte| *byte == b',')
        .any(|found| trimmed(found) == member.as_bytes())
}

/// `1*DIGIT`, as far as 64 bits hold it.
pub(super) fn number(value: &[u8]) -> Result<u64, &'static str> {
    if value.is_empty() || value.iter().any(|byte| !byte.is_ascii_digit()) {
        return Err("not a number");
    }
    let text = std::str::from_utf8(value).map_err(|_| "not a number")?;
    text.parse().map_err(|_| "too large a number")
}
