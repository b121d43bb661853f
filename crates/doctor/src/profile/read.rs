//! From bytes to a profile: which of the forms they have, and unpacking.

use std::{fmt, io::Read as _};

use flate2::read::MultiGzDecoder;

use super::{Profile, goroutine_text, proto};

/// A profile has at most this many bytes once it is unpacked. A goroutine dump of a hundred
/// thousand goroutines has about 100 MB.
pub const MAX_PROFILE_BYTES: u64 = 256 << 20;

/// Stacks have at most this many frames, all samples together.
pub(super) const MAX_FRAMES: usize = 16 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why bytes are no profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was expected and what was found: a lower-case fragment.
    pub message: String,
}

impl Error {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Reads a profile: `profile.proto`, gzipped or not, or a goroutine dump (`debug=1`, `debug=2`).
///
/// # Errors
/// Where the bytes are none of these, end early, or are more than [`MAX_PROFILE_BYTES`] unpacked.
pub fn read(bytes: &[u8]) -> Result<Profile, Error> {
    if !bytes.starts_with(&GZIP) {
        return read_plain(bytes);
    }
    let mut plain = Vec::new();
    // One more byte than allowed tells "just enough" from "too much".
    let mut decoder = MultiGzDecoder::new(bytes).take(MAX_PROFILE_BYTES + 1);
    decoder.read_to_end(&mut plain).map_err(|error| {
        Error::new(format!("the profile could not be unpacked (gzip: {error}); is it cut short?"))
    })?;
    read_plain(&plain)
}

fn read_plain(bytes: &[u8]) -> Result<Profile, Error> {
    if bytes.len() as u64 > MAX_PROFILE_BYTES {
        return Err(Error::new(format!(
            "the profile has more than {} MiB, the most that is read; sample for a shorter time, or \
             take a goroutine profile without debug=2",
            MAX_PROFILE_BYTES >> 20
        )));
    }
    if bytes.is_empty() {
        return Err(Error::new("the profile is empty; was it written to its end?"));
    }
    if goroutine_text::looks_like_one(bytes) {
        return goroutine_text::read(&String::from_utf8_lossy(bytes));
    }
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"<") {
        return Err(Error::new(
            "found a web page, expected a profile; ask for one of them, such as \
             /debug/pprof/goroutine",
        ));
    }
    if [b"heap profile:".as_slice(), b"--- "].iter().any(|text| start.starts_with(text)) {
        return Err(Error::new(
            "found a heap, mutex or block profile as text; leave out debug=1 to get it whole",
        ));
    }
    proto::decode(bytes)
}
