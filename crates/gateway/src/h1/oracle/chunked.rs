use super::{
    HeadLimits, LineEnds, cuts,
    reader::{read_lines, values},
    shown,
};
use crate::h1::{ChunkedDecoder, Decoded};

/// Bytes of a size line with its end.
const SIZE_LINE: usize = 256;
/// Bytes of the trailers with the empty line after them.
const TRAILER_BYTES: usize = 8 * 1024;
const TRAILERS: usize = 32;

/// What a chunked body was found to be.
#[derive(Debug, PartialEq)]
struct Body {
    data: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// It is whole: how many bytes it had, and its trailers.
    Whole(usize, Vec<(Vec<u8>, Vec<u8>)>),
    /// More bytes are needed.
    Partial,
    Refused,
}

/// Checks that a chunked body is understood in one way only.
///
/// # Panics
/// Where it is not.
pub fn chunked_body(bytes: &[u8]) {
    let expected = read_slowly(bytes);
    for piece in cuts(bytes) {
        assert_eq!(read(bytes, piece), expected, "pieces of {piece}: {}", shown(bytes));
    }
}

/// As the gateway reads, from bytes that come piece by piece, and taking half of the data at a time.
fn read(bytes: &[u8], piece: usize) -> Body {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    let (mut at, mut came) = (0, piece.min(bytes.len()));
    let end = loop {
        match decoder.decode(&bytes[at..came]) {
            Ok(Decoded::Data { skip, data: found }) => {
                at += skip;
                assert!(found > 0 && at + found <= came, "{}", shown(bytes));
                let taken = found.div_ceil(2);
                data.extend_from_slice(&bytes[at..at + taken]);
                decoder.took(taken);
                at += taken;
            }
            Ok(Decoded::End { skip }) => {
                let trailers = decoder.trailers().iter();
                let trailers = trailers.map(|(_, n, v)| (n.to_vec(), v.to_vec())).collect();
                break End::Whole(at + skip, trailers);
            }
            Ok(Decoded::Partial { skip }) => {
                at += skip;
                assert!(at <= came, "{}", shown(bytes));
                if came == bytes.len() {
                    break End::Partial;
                }
                came = (came + piece).min(bytes.len());
            }
            Err(_) => break End::Refused,
        }
    };
    Body { data, end }
}

/// RFC 9112 section 7.1, one chunk after the other.
fn read_slowly(bytes: &[u8]) -> Body {
    let mut data = Vec::new();
    let mut rest = bytes;
    let end = loop {
        let Some(newline) = rest.iter().take(SIZE_LINE).position(|byte| *byte == b'\n') else {
            let partial = rest.len() < SIZE_LINE && begins_size_line(rest);
            break if partial { End::Partial } else { End::Refused };
        };
        let Some(size) = read_size(&rest[..newline]) else { break End::Refused };
        rest = &rest[newline + 1..];
        if size == 0 {
            break read_trailers(bytes.len() - rest.len(), rest);
        }
        let there = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        data.extend_from_slice(&rest[..there]);
        rest = &rest[there..];
        match rest {
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => break End::Partial,
            _ => break End::Refused,
        }
    };
    Body { data, end }
}

/// `chunk-size [ chunk-ext ] CR`; any text without control characters is taken for an extension.
fn read_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r")?;
    let semicolon = line.iter().position(|byte| *byte == b';');
    let (size, extension) = line.split_at(semicolon.unwrap_or(line.len()));
    let size = std::str::from_utf8(size).ok()?;
    let fine = (1..=15).contains(&size.len())
        && size.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    fine.then(|| u64::from_str_radix(size, 16).ok()).flatten()
}

/// Whether a size line may begin so; extensions are judged once they are whole.
fn begins_size_line(start: &[u8]) -> bool {
    let size = start.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match &start[size..] {
        [] => size <= 15,
        [b'\r'] | [b';', ..] => (1..=15).contains(&size),
        _ => false,
    }
}

fn read_trailers(before: usize, rest: &[u8]) -> End {
    // The reader of heads wants a first line.
    let first = b"trailers\r\n";
    let section = [&first[..], rest].concat();
    let limits =
        HeadLimits { head_bytes: first.len() + TRAILER_BYTES, target_bytes: 0, fields: TRAILERS };
    match read_lines(&section, LineEnds::Strict, &limits) {
        Ok(None) => End::Partial,
        Err(_) => End::Refused,
        Ok(Some(lines)) => {
            let mut kept = lines.fields;
            kept.retain(|field| {
                let framing = DROPPED
                    .iter()
                    .any(|name| !values(std::slice::from_ref(field), name).is_empty());
                !framing
            });
            End::Whole(before + lines.length - first.len(), kept)
        }
    }
}

/// What means nothing, or must mean nothing, in a trailer (RFC 9110 section 6.5.1).
const DROPPED: [&str; 20] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "host",
    "content-length",
    "trailer",
    "expect",
    "content-type",
    "cookie",
    "via",
    "traceparent",
    "x-request-id",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
];
