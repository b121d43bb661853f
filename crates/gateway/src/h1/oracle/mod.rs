//! What must hold of the codec whatever the bytes: the fuzz targets and the property tests call it.
//!
//! Each function reads `bytes` as the gateway does, in one piece and in several, and compares with a
//! second reader that was written from the RFC to be plain rather than fast.

mod chunked;
mod reader;
mod request;
mod response;

use super::{HeadLimits, HeadScanner, LineEnds, Malformed, Scan};

pub use chunked::chunked_body;
pub use request::request_head;
pub use response::response_head;

/// Limits that short inputs reach.
const SMALL: HeadLimits = HeadLimits { head_bytes: 160, target_bytes: 24, fields: 4 };

/// Room for a head that was written anew, which has some more bytes than the original.
const ROOMY: HeadLimits = HeadLimits { head_bytes: 1 << 20, target_bytes: 1 << 19, fields: 128 };

/// Some ways to cut `bytes` into pieces: the length of each.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let middle = bytes.len() / 2 + 1;
    [bytes.len().max(1), middle, 1, 2, 7].into_iter()
}

/// The end of a head whose bytes come `piece` by piece; `None` where it has not come.
fn end_of_head(
    bytes: &[u8],
    piece: usize,
    line_ends: LineEnds,
    limits: &HeadLimits,
) -> Result<Option<usize>, Malformed> {
    let mut scanner = HeadScanner::new(line_ends, limits.head_bytes);
    let mut came = 0;
    loop {
        came = (came + piece).min(bytes.len());
        match scanner.scan(&bytes[..came])? {
            Scan::Complete(end) => return Ok(Some(end)),
            Scan::Partial if came == bytes.len() => return Ok(None),
            Scan::Partial => {}
        }
    }
}

/// Text with what cannot be seen written out, for messages.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
