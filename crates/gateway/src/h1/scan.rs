use super::{Malformed, Problem};

/// Which line ends are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CR LF only: a lone LF is refused. For requests, where another reader may see it otherwise.
    Strict,
    /// A lone LF ends a line too (RFC 9112 section 2.2 allows it). For responses.
    Lenient,
}

/// Finds the end of a head in bytes that arrive piece by piece; each byte is looked at once.
#[derive(Clone, Copy, Debug)]
pub struct HeadScanner {
    line_ends: LineEnds,
    limit: usize,
    scanned: usize,
    line_start: usize,
    /// Whether a line that is not empty has been seen: empty lines before it are skipped.
    started: bool,
}

/// What scanning found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The head ends before this index.
    Complete(usize),
    /// More bytes are needed.
    Partial,
}

impl HeadScanner {
    /// A scanner for one head of at most `limit` bytes.
    #[must_use]
    pub const fn new(line_ends: LineEnds, limit: usize) -> Self {
        Self { line_ends, limit, scanned: 0, line_start: 0, started: false }
    }

    /// Looks at the bytes that are new since the last call. `bytes` begins where it began then.
    ///
    /// # Errors
    /// A lone LF where that is refused; a head over the limit, told by the line that broke it.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Malformed> {
        // What is past the limit is not looked at, so that the answer does not depend on how much
        // came at once.
        let window = &bytes[..bytes.len().min(self.limit)];
        for at in memchr::memchr_iter(b'\n', window.get(self.scanned..).unwrap_or_default()) {
            let newline = self.scanned + at;
            let has_return = newline > self.line_start && window[newline - 1] == b'\r';
            if !has_return && self.line_ends == LineEnds::Strict {
                return Err(Malformed::new("a line ends in a bare LF"));
            }
            let line_end = newline - usize::from(has_return);
            let empty = line_end == self.line_start;
            if empty && self.started {
                return Ok(Scan::Complete(newline + 1));
            }
            self.started |= !empty;
            self.line_start = newline + 1;
        }
        self.scanned = window.len();
        if bytes.len() > self.limit { Err(self.too_large()) } else { Ok(Scan::Partial) }
    }

    /// Still within its first line, a head is too large because of its target.
    fn too_large(&self) -> Malformed {
        if !self.started {
            Malformed::of(Problem::TargetTooLong, "the first line is over the limit of the head")
        } else {
            Malformed::of(Problem::HeadTooLarge, "the header fields are over their limit")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_in_pieces(bytes: &[u8], piece: usize) -> Result<Scan, Malformed> {
        let mut scanner = HeadScanner::new(LineEnds::Strict, 64);
        let mut end = 0;
        loop {
            end = (end + piece).min(bytes.len());
            let scan = scanner.scan(&bytes[..end])?;
            if scan != Scan::Partial || end == bytes.len() {
                return Ok(scan);
            }
        }
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n";
        for piece in 1..head.len() {
            assert_eq!(scan_in_pieces(head, piece), Ok(Scan::Complete(27)), "{piece}");
        }
    }

    #[test]
    fn empty_lines_before_a_head_are_skipped() {
        assert_eq!(scan_in_pieces(b"\r\n\r\nGET / HTTP/1.0\r\n\r\n", 1), Ok(Scan::Complete(22)));
    }

    #[test]
    fn a_bare_line_feed_is_refused_at_once_or_accepted_as_asked() {
        let head = b"GET / HTTP/1.1\nHost: a\n\n";
        let error = scan_in_pieces(head, 1).unwrap_err();
        assert_eq!(error.detail, "a line ends in a bare LF");
        let mut lenient = HeadScanner::new(LineEnds::Lenient, 64);
        assert_eq!(lenient.scan(head), Ok(Scan::Complete(24)));
    }

    #[test]
    fn the_limit_holds_however_the_bytes_arrive() {
        let exact = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(64 - 18));
        let target = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(64));
        let field = format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "a".repeat(64));
        let bare = format!("GET / HTTP/1.0\r\nX: {}\n\r\n", "a".repeat(64));
        for piece in 1..100 {
            let refused = |text: &str| scan_in_pieces(text.as_bytes(), piece).unwrap_err().problem;
            assert_eq!(scan_in_pieces(exact.as_bytes(), piece), Ok(Scan::Complete(64)), "{piece}");
            assert_eq!(refused(&target), Problem::TargetTooLong, "{piece}");
            assert_eq!(refused(&field), Problem::HeadTooLarge, "{piece}");
            assert_eq!(refused(&bare), Problem::HeadTooLarge, "{piece}");
            assert_eq!(refused(&"\r\n".repeat(33)), Problem::TargetTooLong, "{piece}");
        }
    }

    #[test]
    fn an_over_long_head_is_told_by_what_made_it_so() {
        let target = [b'a'; 65];
        assert_eq!(scan_in_pieces(&target, 7).unwrap_err().problem, Problem::TargetTooLong);
        let mut fields = b"GET / HTTP/1.1\r\n".to_vec();
        fields.extend([b'a'; 65]);
        assert_eq!(scan_in_pieces(&fields, 7).unwrap_err().problem, Problem::HeadTooLarge);
    }
}
