//! W3C trace context (<https://www.w3.org/TR/trace-context/>, version 00).

use core::fmt;

/// The 16 bytes that name a trace; never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The 8 bytes that name a span; never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// What `traceparent` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that called.
    pub span_id: SpanId,
    /// The `trace-flags`; bit 0 is `sampled`.
    pub flags: u8,
}

/// The length of a version 00 `traceparent`.
pub(crate) const TRACEPARENT_LENGTH: usize = 55;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(out: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

/// Reads lower-case hexadecimal digits, twice as many as bytes. First all values, then their pairs,
/// without a branch for each: that becomes vector code, and it is done for every request.
fn parse_hex<const N: usize, const DIGITS: usize>(text: &[u8]) -> Option<[u8; N]> {
    const { assert!(DIGITS == 2 * N) }
    let digits: [u8; DIGITS] = text.try_into().ok()?;
    let values = digits.map(hex_digit);
    let all = values.iter().fold(0, |all, value| all | value);
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks::<2>().0) {
        *byte = high << 4 | low;
    }
    (all < 16).then_some(bytes)
}

/// The value of a digit; 16 or more where it is none.
const fn hex_digit(byte: u8) -> u8 {
    let (decimal, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        0xff
    }
}

impl TraceId {
    /// A trace id from random bits; an all-zero id, which the standard forbids, becomes 1.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        Self(random.max(1).to_be_bytes())
    }

    /// Its 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> [u8; 32] {
        let mut out = [0; 32];
        push_hex(&mut out, &self.0);
        out
    }
}

impl SpanId {
    /// A span id from random bits; an all-zero id, which the standard forbids, becomes 1.
    #[must_use]
    pub fn from_random(random: u64) -> Self {
        Self(random.max(1).to_be_bytes())
    }
}

macro_rules! write_hex {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
write_hex!(TraceId);
write_hex!(SpanId);

impl TraceContext {
    /// Reads a `traceparent`. `None` where the standard says to start a new trace: a malformed
    /// value, all-zero ids, version `ff`, or version 00 of another length. A higher version is
    /// read by its first 55 bytes, as section 4.3 asks.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let head = text.get(..TRACEPARENT_LENGTH)?;
        let [version] = parse_hex::<1, 2>(&head[..2])?;
        let rest_allowed = version != 0 && text.get(TRACEPARENT_LENGTH) == Some(&b'-');
        if version == 0xff || !(text.len() == TRACEPARENT_LENGTH || rest_allowed) {
            return None;
        }
        if head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
            return None;
        }
        let trace_id = parse_hex::<16, 32>(&head[3..35])?;
        let span_id = parse_hex::<8, 16>(&head[36..52])?;
        let [flags] = parse_hex::<1, 2>(&head[53..])?;
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        Some(Self { trace_id: TraceId(trace_id), span_id: SpanId(span_id), flags })
    }

    /// The same trace as seen by the next hop: `span_id` becomes the caller. Only the flags that
    /// version 00 knows (`sampled`) and level 2's `random` are handed on.
    #[must_use]
    pub fn child(self, span_id: SpanId) -> Self {
        Self { span_id, flags: self.flags & 0b11, ..self }
    }

    /// The `traceparent` header's value.
    #[must_use]
    pub fn to_header(self) -> [u8; TRACEPARENT_LENGTH] {
        let mut out = [b'-'; TRACEPARENT_LENGTH];
        push_hex(&mut out[..2], &[0]);
        push_hex(&mut out[3..35], &self.trace_id.0);
        push_hex(&mut out[36..52], &self.span_id.0);
        push_hex(&mut out[53..], &[self.flags]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_standards_example_reads_and_writes_back() {
        let context = TraceContext::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(context.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id.to_string(), "b7ad6b7169203331");
        assert_eq!(context.to_header(), *EXAMPLE.as_bytes().first_chunk::<55>().unwrap());
        assert_eq!(context.trace_id.to_hex(), *b"0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn a_child_keeps_the_trace_and_names_its_own_span() {
        let context = TraceContext::parse(EXAMPLE.as_bytes()).unwrap();
        let child = context.child(SpanId::from_random(2));
        assert_eq!(child.trace_id, context.trace_id);
        assert_eq!(child.span_id.to_string(), "0000000000000002");
    }

    #[test]
    fn what_the_standard_refuses_starts_a_new_trace() {
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01extra",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_by_its_first_55_bytes() {
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(TraceContext::parse(later.as_bytes()).is_some());
    }

    #[test]
    fn random_bits_never_make_a_forbidden_id() {
        assert_eq!(TraceId::from_random(0).to_string(), format!("{:032x}", 1));
        assert_eq!(SpanId::from_random(0).to_string(), format!("{:016x}", 1));
    }
}
