//! Messages: a head with the length, a blank line, JSON.

use std::io::{self, BufRead, Read as _, Write};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A message is so long at most: a file of the longest kind, escaped.
const MAX_MESSAGE_BYTES: u64 = 128 * 1024 * 1024;
/// A line of the head is so long at most.
const MAX_HEAD_LINE_BYTES: u64 = 1024;
/// The head has so many lines at most.
const MAX_HEAD_LINES: usize = 16;

/// The next message; `None` at the end of the input.
pub(super) fn read(input: &mut dyn BufRead) -> anyhow::Result<Option<Value>> {
    let mut length = None;
    for _ in 0..MAX_HEAD_LINES {
        let mut line = String::new();
        let read = (&mut *input).take(MAX_HEAD_LINE_BYTES).read_line(&mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse::<u64>().context("expected a number of bytes")?);
        }
    }
    let length = length.context("expected a message with Content-Length")?;
    if length > MAX_MESSAGE_BYTES {
        bail!("expected a message of at most {MAX_MESSAGE_BYTES} bytes, found {length}");
    }
    let mut body = Vec::new();
    (&mut *input).take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body).context("expected JSON")?))
}

/// Writes a message.
pub(super) fn write(out: &mut dyn Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        let message = serde_json::json!({"a": "ü"});
        write(&mut bytes, &message).unwrap();
        write(&mut bytes, &message).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read(&mut input).unwrap(), Some(message.clone()));
        assert_eq!(read(&mut input).unwrap(), Some(message));
        assert_eq!(read(&mut input).unwrap(), None);
    }

    #[test]
    fn what_is_no_message_or_too_long_is_an_error_and_one_cut_short_is_the_end() {
        let error = |text: &str| read(&mut text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error("x: 1\r\n\r\n"), "expected a message with Content-Length");
        assert!(error("Content-Length: 999999999999\r\n\r\n").starts_with("expected a message of"));
        assert_eq!(read(&mut "Content-Length: 9\r\n\r\n{}".as_bytes()).unwrap(), None);
    }
}
