use std::{mem::MaybeUninit, net::Ipv6Addr};

use model::Protocol;

use super::{HeadLimits, MAX_FIELDS, Malformed, Problem, connection::ConnectionOptions};
use crate::message::{BodyLength, Fields, Known, Method, RequestHead, Span, list_members};

/// What is done where an absolute-form target and `Host` differ. The target wins either way
/// (RFC 9112 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HostRule {
    /// The request is refused.
    #[default]
    RefuseMismatch,
    /// `Host` is replaced.
    TargetWins,
}

/// Reads a request's head, which is whole, as [`super::HeadScanner`] has found.
///
/// # Errors
/// Whatever another reader might understand otherwise: this is the strict side of RFC 9112.
pub fn parse_request(
    head: &[u8],
    limits: &HeadLimits,
    host_rule: HostRule,
) -> Result<RequestHead, Malformed> {
    let mut slots = [MaybeUninit::uninit(); MAX_FIELDS];
    let slots = &mut slots[..limits.fields.min(MAX_FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    let read = config.parse_request_with_uninit_headers(&mut parsed, head, slots)?;
    if read != httparse::Status::Complete(head.len()) {
        return Err(Malformed::new("the head is not complete"));
    }
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    if target.len() > limits.target_bytes {
        return Err(Malformed::of(Problem::TargetTooLong, "the target is over its limit"));
    }
    let mut fields = Fields::new();
    fields.hold(head);
    let place = |text: &[u8]| place_in(head, text);
    let mut request = RequestHead {
        method: Method::of(method.as_bytes()),
        method_text: place(method.as_bytes()),
        path: place(target.as_bytes()),
        authority: Span::default(),
        protocol: if parsed.version == Some(1) { Protocol::Http11 } else { Protocol::Http10 },
        body: BodyLength::Empty,
        keep_alive: parsed.version == Some(1),
        expects_continue: false,
        upgrade: false,
        fields,
    };
    let mut seen = Seen::default();
    for header in parsed.headers.iter() {
        let (name, value) = (place(header.name.as_bytes()), place(header.value));
        let known = request.fields.note(name, value);
        seen.look_at(known, value, header.value)?;
    }
    seen.settle_body(&mut request)?;
    seen.settle_connection(&mut request);
    settle_target(&mut request, seen.host, host_rule)?;
    Ok(request)
}

/// Where a part of `head` is in it: `part` must point into `head`.
pub(super) fn place_in(head: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).saturating_sub(head.as_ptr() as usize);
    Span::new(start, start + part.len())
}

/// What the fields said about framing, before it has been judged as a whole.
#[derive(Default)]
struct Seen {
    host: Option<Span>,
    content_length: Option<u64>,
    chunked: bool,
    connection: ConnectionOptions,
    upgrade: bool,
    expect: bool,
}

impl Seen {
    fn look_at(&mut self, known: Known, place: Span, value: &[u8]) -> Result<(), Malformed> {
        match known {
            Known::Host => {
                if self.host.replace(place).is_some() {
                    return Err(Malformed::new("there are two Host fields"));
                }
                check_host(value)?;
            }
            Known::ContentLength => {
                let length = parse_content_length(value)?;
                if self.content_length.replace(length).is_some() {
                    return Err(Malformed::new("there are two Content-Length fields"));
                }
            }
            Known::TransferEncoding => {
                if self.chunked {
                    return Err(Malformed::new("there are two Transfer-Encoding fields"));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::of(
                        Problem::UnknownTransferCoding,
                        "the transfer coding is not known; expected chunked alone",
                    ));
                }
                self.chunked = true;
            }
            Known::Connection => self.connection.read(value),
            // A tunnel of HTTP/2 would carry requests past the routes; RFC 9113 has no `h2c` any more.
            Known::Upgrade => {
                self.upgrade = !list_members(value).any(|name| name.eq_ignore_ascii_case(b"h2c"));
            }
            Known::Expect => self.expect = value.eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
        Ok(())
    }

    fn settle_body(&self, request: &mut RequestHead) -> Result<(), Malformed> {
        request.body = match (self.chunked, self.content_length) {
            (true, Some(_)) => {
                return Err(Malformed::new(
                    "both Content-Length and Transfer-Encoding are there, which is ambiguous",
                ));
            }
            (true, None) if request.protocol == Protocol::Http10 => {
                return Err(Malformed::new("HTTP/1.0 has no Transfer-Encoding"));
            }
            (true, None) => BodyLength::Unknown,
            (false, Some(0) | None) => BodyLength::Empty,
            (false, Some(length)) => BodyLength::Known(length),
        };
        request.expects_continue =
            self.expect && request.has_body() && request.protocol == Protocol::Http11;
        Ok(())
    }

    fn settle_connection(&self, request: &mut RequestHead) {
        request.keep_alive = self.connection.keeps_alive(request.keep_alive);
        request.upgrade = self.upgrade
            && self.connection.upgrade
            && request.protocol == Protocol::Http11
            // The other protocol begins after the request, so that a body would be read as it.
            && !request.has_body();
    }
}

/// Digits only, as RFC 9110 section 8.6 has it: no sign, no list, no space.
pub(super) fn parse_content_length(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::new("Content-Length is not a plain number"));
    }
    value
        .iter()
        .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .ok_or_else(|| Malformed::new("Content-Length is too large a number"))
}

/// Whether a byte may stand in a host's name: `reg-name` of RFC 3986 section 3.2.2.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"-._~%!$&'()*+,;=";
    let mut at = 0;
    while at < table.len() {
        table[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2), without user information.
pub(crate) fn check_host(value: &[u8]) -> Result<(), Malformed> {
    const BAD: Malformed = Malformed::new("the host is not a host name or address with a port");
    let (host, port) = if let Some(rest) = value.strip_prefix(b"[") {
        let end = rest.iter().position(|byte| *byte == b']').ok_or(BAD)?;
        let (address, port) = (&rest[..end], &rest[end + 1..]);
        let valid = std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        (valid, port)
    } else {
        let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
        let (name, port) = value.split_at(end);
        let valid = name.iter().all(|byte| IN_NAME[usize::from(*byte)]);
        (valid && !name.is_empty(), port)
    };
    let port_valid = match port.strip_prefix(b":") {
        Some(digits) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        None => port.is_empty(),
    };
    if host && port_valid { Ok(()) } else { Err(BAD) }
}

/// Brings the four forms of a target (RFC 9112 section 3.2) to a path and an authority.
fn settle_target(
    request: &mut RequestHead,
    host: Option<Span>,
    rule: HostRule,
) -> Result<(), Malformed> {
    let target = request.fields.slice(request.path);
    if !target.iter().all(|byte| (0x21..=0x7e).contains(byte) && *byte != b'#') {
        return Err(Malformed::new("the target holds a character that is not allowed"));
    }
    if host.is_none() && request.protocol == Protocol::Http11 {
        return Err(Malformed::new("there is no Host field"));
    }
    request.authority = host.unwrap_or_default();
    match target {
        _ if request.method == Method::Connect => {
            Err(Malformed::new("CONNECT is not for a gateway"))
        }
        [b'/', ..] => Ok(()),
        b"*" if request.method == Method::Options => Ok(()),
        _ => settle_absolute(request, rule),
    }
}

/// `http://authority/path`: its authority overrides `Host`.
fn settle_absolute(request: &mut RequestHead, rule: HostRule) -> Result<(), Malformed> {
    const FORM: Malformed = Malformed::new("the target is neither a path nor an http URL");
    let target = request.fields.slice(request.path);
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| {
            target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .ok_or(FORM)?
        .len();
    let rest = &target[scheme..];
    let length = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..length];
    check_host(authority)?;
    let host = request.fields.slice(request.authority);
    if rule == HostRule::RefuseMismatch && !host.is_empty() && !host.eq_ignore_ascii_case(authority)
    {
        return Err(Malformed::new("the target's host and the Host field differ"));
    }
    let path = match rest.get(length) {
        Some(b'/') => None,
        // An empty path becomes "/" before the query (RFC 9110 section 4.2.3).
        Some(_) => Some([b"/", &rest[length..]].concat()),
        None => Some(b"/".to_vec()),
    };
    request.authority = request.path.from(scheme).to(length);
    request.path = match path {
        Some(path) => request.fields.hold(&path),
        None => request.path.from(scheme + length),
    };
    Ok(())
}
