//! Heads of requests and responses in one form for both protocols: a flat buffer of bytes and the
//! places of the fields in it. One head costs no allocation once its buffers have been recycled.

use std::{cell::RefCell, fmt};

use model::Protocol;

/// How many spare buffers a thread keeps for later heads.
const SPARE_BUFFERS: usize = 256;
/// A buffer that has grown beyond this is not kept.
const SPARE_BYTES: usize = 16 * 1024;

/// A part of [`Fields`]' buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Heads are bounded far below 4 GiB, so that 32 bits hold every place.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) fn from(self, offset: usize) -> Self {
        Self::new(self.start as usize + offset, self.end as usize)
    }

    pub(crate) fn to(self, length: usize) -> Self {
        Self::new(self.start as usize, self.start as usize + length)
    }
}

macro_rules! known_fields {
    ($($name:ident = $text:literal,)*) => {
        /// The fields that the gateway looks at; they are recognised once, while parsing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Known {
            /// Any other field.
            Other,
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Known {
            /// Recognises a field's name, whatever its case.
            #[must_use]
            pub fn of(name: &[u8]) -> Self {
                $(mod $name {
                    pub(super) const LENGTH: usize = $text.len();
                    pub(super) const FIRST: u8 = $text.as_bytes()[0];
                })*
                let Some(first) = name.first().map(u8::to_ascii_lowercase) else {
                    return Self::Other;
                };
                // The length and the first letter leave at most a few names to compare with.
                match (name.len(), first) {
                    $(($name::LENGTH, $name::FIRST)
                        if name.eq_ignore_ascii_case($text.as_bytes()) => Self::$name,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

#[expect(non_snake_case, reason = "modules named as the variants that they stand for")]
mod known {
    known_fields! {
        Host = "host",
        ContentLength = "content-length",
        TransferEncoding = "transfer-encoding",
        Connection = "connection",
        KeepAlive = "keep-alive",
        ProxyConnection = "proxy-connection",
        Te = "te",
        Trailer = "trailer",
        Upgrade = "upgrade",
        Http2Settings = "http2-settings",
        Expect = "expect",
        Via = "via",
        Traceparent = "traceparent",
        RequestId = "x-request-id",
        Forwarded = "forwarded",
        ForwardedFor = "x-forwarded-for",
        ForwardedProto = "x-forwarded-proto",
        ForwardedHost = "x-forwarded-host",
        GrpcTimeout = "grpc-timeout",
        GrpcStatus = "grpc-status",
        GrpcMessage = "grpc-message",
        ExpectedTimeout = "x-envoy-expected-rq-timeout-ms",
        ContentType = "content-type",
        Accept = "accept",
        Date = "date",
        ServerTiming = "server-timing",
        RearguardOutcome = "rearguard-outcome",
        Cookie = "cookie",
    }
}
pub use known::Known;

impl Known {
    /// Whether RFC 9110 section 7.6.1 makes it a matter of one connection, not to be passed on.
    #[must_use]
    pub const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
                | Self::Http2Settings
        )
    }
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Which it is.
    pub known: Known,
    name: Span,
    value: Span,
}

/// The fields of a head, in the order in which they came.
#[derive(Default)]
pub struct Fields {
    bytes: Vec<u8>,
    list: Vec<Field>,
}

thread_local! {
    static SPARE: RefCell<Vec<(Vec<u8>, Vec<Field>)>> = const { RefCell::new(Vec::new()) };
}

impl Fields {
    /// An empty set, in recycled buffers where there are any.
    #[must_use]
    pub fn new() -> Self {
        let (bytes, list) =
            SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| (Vec::new(), Vec::new()));
        Self { bytes, list }
    }

    /// Appends bytes that are no field, such as a target, and says where they are.
    pub fn hold(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span::new(start, self.bytes.len())
    }

    /// Appends a field.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let known = Known::of(name);
        let (name, value) = (self.hold(name), self.hold(value));
        self.list.push(Field { known, name, value });
    }

    /// Notes a field whose bytes are held already.
    pub(crate) fn note(&mut self, name: Span, value: Span) -> Known {
        let known = Known::of(self.slice(name));
        self.list.push(Field { known, name, value });
        known
    }

    /// The bytes at a place.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The text at a place; empty where it is not UTF-8.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.slice(span)).unwrap_or_default()
    }

    /// Every field: which it is, its name as written, its value.
    pub fn iter(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.list.iter().map(|field| (field.known, self.slice(field.name), self.slice(field.value)))
    }

    /// The value of the first field of that kind.
    #[must_use]
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.list.iter().find(|field| field.known == known).map(|field| self.slice(field.value))
    }

    /// The value of the first field with that name, whatever its case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(_, found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, _, value)| value)
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any `Connection` field names `option`.
    #[must_use]
    pub fn connection_names(&self, option: &[u8]) -> bool {
        self.iter()
            .filter(|(known, _, _)| *known == Known::Connection)
            .flat_map(|(_, _, value)| list_members(value))
            .any(|member| member.eq_ignore_ascii_case(option))
    }
}

/// The members of a comma-separated list (RFC 9110 section 5.6.1), without empty ones.
pub(crate) fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

impl Drop for Fields {
    fn drop(&mut self) {
        if self.bytes.capacity() == 0 || self.bytes.capacity() > SPARE_BYTES {
            return;
        }
        let (mut bytes, mut list) =
            (std::mem::take(&mut self.bytes), std::mem::take(&mut self.list));
        bytes.clear();
        list.clear();
        // While a thread ends its spares may be gone already; then the buffers just go too.
        SPARE
            .try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < SPARE_BUFFERS {
                    spare.push((bytes, list));
                }
            })
            .unwrap_or_default();
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (_, name, value) in self.iter() {
            map.entry(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
        }
        map.finish()
    }
}

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    Empty,
    /// This many bytes.
    Known(u64),
    /// By its chunks, or by the end of an HTTP/2 stream.
    Unknown,
    /// By the end of the connection; responses only.
    UntilClose,
}

/// The methods that the gateway treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `CONNECT`
    Connect,
    /// Any other; none of these is idempotent as far as a proxy may know.
    Other,
}

impl Method {
    /// Methods are case-sensitive (RFC 9110 section 9.1).
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Whether it may be repeated without asking (RFC 9110 section 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Connect | Self::Other)
    }
}

/// A request's head, checked.
#[derive(Debug)]
pub struct RequestHead {
    /// Its fields, and the buffer that the spans below point into.
    pub fields: Fields,
    /// The method's kind.
    pub method: Method,
    /// The method as written.
    pub method_text: Span,
    /// Path and query, beginning with `/`, or `*`.
    pub path: Span,
    /// Host and port, from the target or from `Host`; empty where an HTTP/1.0 client named none.
    pub authority: Span,
    /// What the client speaks.
    pub protocol: Protocol,
    /// How its body ends.
    pub body: BodyLength,
    /// Whether the client would use the connection again.
    pub keep_alive: bool,
    /// Whether it waits for `100 Continue`.
    pub expects_continue: bool,
    /// Whether it asks to change the protocol of the connection.
    pub upgrade: bool,
}

impl RequestHead {
    /// Path and query as text; checked to be visible ASCII.
    #[must_use]
    pub fn path(&self) -> &str {
        self.fields.text(self.path)
    }

    /// Takes `.` and `..` out of the path, also where a dot is written `%2e` (RFC 3986 sections
    /// 5.2.4 and 6.2.2.2), so that a route for `/public` is no way to `/public/../admin`.
    pub fn normalise_path(&mut self) {
        if let Some(path) = without_dot_segments(self.path()) {
            self.path = self.fields.hold(path.as_bytes());
        }
    }

    /// Host and port as text.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.fields.text(self.authority)
    }

    /// The method as text.
    #[must_use]
    pub fn method(&self) -> &str {
        self.fields.text(self.method_text)
    }

    /// Whether the body has been seen to be none.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        !matches!(self.body, BodyLength::Empty)
    }
}

/// The path without its dot segments; `None` where it has none, as nearly every path.
fn without_dot_segments(target: &str) -> Option<String> {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let dots = |segment: &str| {
        if segment.len() > 6 || !segment.starts_with(['.', '%']) {
            return None;
        }
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        matches!(plain.as_str(), "." | "..").then_some(plain.len())
    };
    if !path.starts_with('/') || !path[1..].split('/').any(|segment| dots(segment).is_some()) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        match dots(segment) {
            None => kept.push(segment),
            Some(count) => {
                // Above the root there is nothing to leave.
                if count == 2 {
                    kept.pop();
                }
                if segments.peek().is_none() {
                    kept.push("");
                }
            }
        }
    }
    Some(format!("/{}{query}", kept.join("/")))
}

/// A response's head, checked.
#[derive(Debug)]
pub struct ResponseHead {
    /// Its fields, and the buffer that `reason` points into.
    pub fields: Fields,
    /// 100 to 999.
    pub status: u16,
    /// The reason phrase; empty over HTTP/2.
    pub reason: Span,
    /// How its body ends.
    pub body: BodyLength,
    /// Whether the connection can be used again once the body has been read.
    pub keep_alive: bool,
}

impl ResponseHead {
    /// An interim response without fields.
    pub(crate) fn interim(status: u16) -> Self {
        Self {
            fields: Fields::new(),
            status,
            reason: Span::default(),
            body: BodyLength::Empty,
            keep_alive: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_whatever_their_case() {
        assert_eq!(Known::of(b"Content-LENGTH"), Known::ContentLength);
        assert_eq!(Known::of(b"content-lengthy"), Known::Other);
        assert_eq!(Known::of(b"te"), Known::Te);
        assert_eq!(Known::of(b""), Known::Other);
    }

    #[test]
    fn connection_options_are_found_in_any_field_and_place() {
        let mut fields = Fields::new();
        fields.push(b"Connection", b"keep-alive");
        fields.push(b"connection", b" , Upgrade,x-hop");
        assert!(fields.connection_names(b"upgrade"));
        assert!(fields.connection_names(b"X-Hop"));
        assert!(!fields.connection_names(b"close"));
    }

    #[test]
    fn dot_segments_are_taken_out_however_they_are_written() {
        for (target, expected) in [
            ("/public/../admin", "/admin"),
            ("/public/%2e%2E/admin", "/admin"),
            ("/public/.%2e/admin?x=/../y", "/admin?x=/../y"),
            ("/a/./b", "/a/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a//../b", "/a/b"),
        ] {
            assert_eq!(without_dot_segments(target).as_deref(), Some(expected), "{target}");
        }
        for plain in ["/", "*", "/a/b", "/a/...", "/.well-known/x", "/a..b", "/a/b.c", "/a?b=/../c"]
        {
            assert_eq!(without_dot_segments(plain), None, "{plain}");
        }
    }

    #[test]
    fn only_methods_that_rfc_9110_lists_are_idempotent() {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            assert!(Method::of(method.as_bytes()).is_idempotent(), "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "get", "MKCOL"] {
            assert!(!Method::of(method.as_bytes()).is_idempotent(), "{method}");
        }
    }
}
