use super::Malformed;
use crate::message::{Fields, Known};

/// A chunk's size line, extensions included, is at most this long.
const MAX_SIZE_LINE: usize = 256;
/// The trailer section is at most this long.
const MAX_TRAILER_BYTES: usize = 8 * 1024;
/// A trailer section has at most this many fields.
const MAX_TRAILERS: usize = 32;
/// More hexadecimal digits than this are refused: no chunk has 2^60 bytes.
const MAX_SIZE_DIGITS: usize = 15;

/// Reads a chunked body (RFC 9112 section 7.1), strictly: CR LF only, no space in a size line
/// before an extension, every length bounded. Extensions are dropped.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    trailers: Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a size line.
    Size,
    /// In a chunk with this many bytes left.
    Data(u64),
    /// At the CR LF after a chunk.
    DataEnd,
    /// In the trailer section.
    Trailers,
    Done,
}

/// One step of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The next `skip` bytes are framing; after them come `data` bytes of the body.
    Data {
        /// Bytes to pass over.
        skip: usize,
        /// Bytes of the body that are there.
        data: usize,
    },
    /// `skip` bytes are framing; more bytes are needed after them.
    Partial {
        /// Bytes to pass over.
        skip: usize,
    },
    /// The body ended; `skip` bytes belonged to it.
    End {
        /// Bytes to pass over.
        skip: usize,
    },
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self { state: State::Size, trailers: Fields::default() }
    }
}

impl ChunkedDecoder {
    /// Says what the next bytes are. Data that was reported must be told as taken by
    /// [`ChunkedDecoder::took`]; all of `skip` has been taken then.
    ///
    /// # Errors
    /// Anything that is not exactly RFC 9112's form, or over a limit.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, Malformed> {
        let mut skip = 0;
        loop {
            let rest = &bytes[skip..];
            match self.state {
                State::Size => match read_size_line(rest)? {
                    None => return Ok(Decoded::Partial { skip }),
                    Some((length, 0)) => {
                        skip += length;
                        self.state = State::Trailers;
                    }
                    Some((length, size)) => {
                        skip += length;
                        self.state = State::Data(size);
                    }
                },
                State::Data(_) if rest.is_empty() => return Ok(Decoded::Partial { skip }),
                State::Data(left) => {
                    let data = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    return Ok(Decoded::Data { skip, data });
                }
                State::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        skip += 2;
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(Decoded::Partial { skip }),
                    _ => return Err(Malformed::new("a chunk is longer than its size says")),
                },
                State::Trailers => {
                    return Ok(match self.read_trailers(rest)? {
                        None => Decoded::Partial { skip },
                        Some(length) => {
                            self.state = State::Done;
                            Decoded::End { skip: skip + length }
                        }
                    });
                }
                State::Done => return Ok(Decoded::End { skip }),
            }
        }
    }

    /// Data bytes of the current chunk were taken.
    pub fn took(&mut self, data: usize) {
        if let State::Data(left) = self.state {
            let left = left.saturating_sub(data as u64);
            self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
        }
    }

    /// The trailers, once the end has been reached.
    #[must_use]
    pub const fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// Reads the trailer section, if it is whole, and says how long it is.
    fn read_trailers(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if let [b'\r', b'\n', ..] = bytes {
            return Ok(Some(2));
        }
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return if bytes.len() > MAX_TRAILER_BYTES {
                Err(Malformed::new("the trailers are over their limit"))
            } else if memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes[at - 1] != b'\r')
            {
                Err(Malformed::new("a trailer line ends in a bare LF"))
            } else {
                Ok(None)
            };
        };
        let length = end + 4;
        let section = &bytes[..length];
        if length > MAX_TRAILER_BYTES {
            return Err(Malformed::new("the trailers are over their limit"));
        }
        if memchr::memchr_iter(b'\n', section).any(|at| at == 0 || section[at - 1] != b'\r') {
            return Err(Malformed::new("a trailer line ends in a bare LF"));
        }
        let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let httparse::Status::Complete((_, headers)) =
            httparse::parse_headers(section, &mut slots)?
        else {
            return Err(Malformed::new("the trailers are not complete"));
        };
        for header in headers.iter().filter(|header| may_be_trailer(header.name.as_bytes())) {
            self.trailers.push(header.name.as_bytes(), header.value);
        }
        Ok(Some(length))
    }
}

/// Fields that decide framing, routing or the connection mean nothing as trailers
/// (RFC 9110 section 6.5.1) and are dropped.
pub(crate) fn may_be_trailer(name: &[u8]) -> bool {
    let known = Known::of(name);
    !known.is_hop_by_hop()
        && !matches!(
            known,
            Known::Host
                | Known::ContentLength
                | Known::Trailer
                | Known::Expect
                | Known::ContentType
                | Known::Cookie
                // What the gateway itself says of the request, and what it strips.
                | Known::Via
                | Known::Traceparent
                | Known::RequestId
                | Known::Forwarded
                | Known::ForwardedFor
                | Known::ForwardedProto
                | Known::ForwardedHost
        )
}

/// A size line: its length with its CR LF, and the size. `None` where it is not whole.
fn read_size_line(bytes: &[u8]) -> Result<Option<(usize, u64)>, Malformed> {
    let window = &bytes[..bytes.len().min(MAX_SIZE_LINE)];
    let digits = window.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits > MAX_SIZE_DIGITS {
        return Err(Malformed::new("a chunk's size is too large"));
    }
    match window.get(digits) {
        Some(b'\r' | b';') if digits > 0 => {}
        None => return Ok(None),
        Some(_) => return Err(Malformed::new("a chunk's size is not a hexadecimal number")),
    }
    let Some(newline) = memchr::memchr(b'\n', window) else {
        return if window.len() == MAX_SIZE_LINE {
            Err(Malformed::new("a chunk's extensions are too long"))
        } else if window[digits] == b'\r' && window.len() > digits + 1 {
            Err(Malformed::new("a chunk's size line does not end in CR LF"))
        } else {
            Ok(None)
        };
    };
    let line = &window[..newline];
    let Some((b'\r', line)) = line.split_last() else {
        return Err(Malformed::new("a chunk's size line ends in a bare LF"));
    };
    let plain = |byte: &u8| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f);
    if !line[digits..].iter().all(plain) {
        return Err(Malformed::new("a chunk's extensions hold a control character"));
    }
    let size = line[..digits].iter().fold(0, |sum, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit.to_ascii_lowercase() - b'a' + 10,
        };
        sum << 4 | u64::from(value)
    });
    Ok(Some((newline + 1, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `bytes` as they would arrive in pieces; the body, and how many bytes were read.
    fn decode(bytes: &[u8], piece: usize) -> Result<(String, usize, String), Malformed> {
        let mut decoder = ChunkedDecoder::default();
        let (mut body, mut at, mut end) = (Vec::new(), 0, piece.min(bytes.len()));
        loop {
            match decoder.decode(&bytes[at..end])? {
                Decoded::Data { skip, data } => {
                    body.extend_from_slice(&bytes[at + skip..at + skip + data]);
                    at += skip + data;
                    decoder.took(data);
                }
                Decoded::End { skip } => {
                    let trailers = format!("{:?}", decoder.trailers());
                    return Ok((String::from_utf8(body).unwrap(), at + skip, trailers));
                }
                Decoded::Partial { skip } => {
                    at += skip;
                    if end == bytes.len() {
                        return Err(Malformed::new("partial"));
                    }
                    end = (end + piece).min(bytes.len());
                }
            }
        }
    }

    #[test]
    fn a_body_is_read_however_it_arrives() {
        let bytes =
            b"5\r\nhello\r\n6;a=b;c=\"d\"\r\n world\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\nNEXT";
        for piece in 1..bytes.len() {
            let (body, length, trailers) = decode(bytes, piece).unwrap();
            assert_eq!((body.as_str(), length), ("hello world", bytes.len() - 4), "{piece}");
            assert_eq!(trailers, r#"{"X-Sum": "1"}"#);
        }
    }

    #[test]
    fn what_another_reader_might_read_otherwise_is_refused() {
        for bad in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-1\r\n",
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "5;\u{1}\r\nhello\r\n0\r\n\r\n",
            "5\rX\nhello\r\n0\r\n\r\n",
            "1000000000000000\r\n",
            "ffffffffffffffffff\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\n X: 1\r\n\r\n",
            "0\nX: 1\r\n\r\n",
        ] {
            for piece in [1, 2, 1000] {
                let error = decode(bad.as_bytes(), piece).unwrap_err();
                assert_ne!(error.detail, "partial", "{bad:?}");
            }
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extension = format!("5;{}", "x".repeat(MAX_SIZE_LINE));
        assert!(decode(extension.as_bytes(), 100).is_err());
        let trailers = format!("0\r\nX: {}", "x".repeat(MAX_TRAILER_BYTES));
        let error = decode(trailers.as_bytes(), 100).unwrap_err();
        assert_eq!(error.detail, "the trailers are over their limit");
    }
}
