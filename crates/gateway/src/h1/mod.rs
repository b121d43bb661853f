//! HTTP/1.1 framing without I/O: bytes in, heads and body data out; heads in, bytes out.
//!
//! Why ours where hyper exists: hyper drops `Content-Length` whenever `Transfer-Encoding` is
//! present, accepts bare LF, and passes on requests with no `Host` or two, so nothing above it can
//! refuse the ambiguities that request smuggling lives on. `docs/decisions/` has the measurements.
//!
//! * [`HeadScanner`] finds the end of a head in time linear in its length, however it arrives.
//! * [`parse_request`] and [`parse_response`] read one, strictly.
//! * [`ChunkedDecoder`] reads a chunked body.

mod chunked;
mod connection;
#[cfg(test)]
mod corpus;
mod error;
#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
#[cfg(test)]
mod properties;
mod request;
mod response;
mod scan;

pub(crate) use chunked::may_be_trailer;
pub use chunked::{ChunkedDecoder, Decoded};
pub use error::{Malformed, Problem};
pub(crate) use request::check_host;
pub use request::{HostRule, parse_request};
pub use response::{Asked, parse_response};
pub use scan::{HeadScanner, LineEnds, Scan};

/// Limits of what is read as one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head.
    pub head_bytes: usize,
    /// Bytes of the target of a request.
    pub target_bytes: usize,
    /// Number of fields; at most [`MAX_FIELDS`].
    pub fields: usize,
}

/// No head has more fields than this, whatever the limits say.
pub const MAX_FIELDS: usize = 128;

impl Default for HeadLimits {
    /// 32 KiB in all, 8 KiB for the target (RFC 9112 section 3 asks for at least 8000 octets),
    /// 100 fields.
    fn default() -> Self {
        Self { head_bytes: 32 * 1024, target_bytes: 8 * 1024, fields: 100 }
    }
}
