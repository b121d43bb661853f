use std::net::Ipv6Addr;

use model::Protocol;

use super::{
    HeadLimits, LineEnds, Malformed, ROOMY, SMALL, cuts, end_of_head,
    reader::{Lines, is_token, lists, number, read_lines, values},
    shown,
};
use crate::{
    h1::{HostRule, parse_request},
    message::{BodyLength, RequestHead},
};

/// What a request's head says.
#[derive(Debug, PartialEq)]
struct Request {
    method: Vec<u8>,
    path: Vec<u8>,
    authority: Vec<u8>,
    protocol: Protocol,
    body: BodyLength,
    keep_alive: bool,
    expects_continue: bool,
    upgrade: bool,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Checks that the head of a request is understood in one way only.
///
/// # Panics
/// Where it is not.
pub fn request_head(bytes: &[u8]) {
    for limits in [HeadLimits::default(), SMALL] {
        for rule in [HostRule::RefuseMismatch, HostRule::TargetWins] {
            check(bytes, &limits, rule);
        }
    }
}

fn check(bytes: &[u8], limits: &HeadLimits, rule: HostRule) {
    let whole = read(bytes, bytes.len().max(1), limits, rule);
    for piece in cuts(bytes) {
        let read = read(bytes, piece, limits, rule);
        assert_eq!(read, whole, "pieces of {piece}: {}", shown(bytes));
    }
    let slow = match read_lines(bytes, LineEnds::Strict, limits) {
        Ok(Some(lines)) => judge(&lines, limits, rule).map(|request| Some((request, lines.length))),
        Ok(None) => Ok(None),
        Err(why) => Err(why),
    };
    match (&whole, &slow) {
        (Ok(fast), Ok(slow)) => assert_eq!(fast, slow, "{}", shown(bytes)),
        (Err(_), Err(_)) => {}
        (fast, slow) => panic!("one reader has {fast:?}, the other {slow:?}: {}", shown(bytes)),
    }
    if let Ok(Some((request, length))) = &whole {
        check_what_always_holds(request, &bytes[..*length]);
        check_written_anew(request, rule);
    }
}

/// As the gateway reads, from bytes that come piece by piece.
fn read(
    bytes: &[u8],
    piece: usize,
    limits: &HeadLimits,
    rule: HostRule,
) -> Result<Option<(Request, usize)>, Malformed> {
    let Some(end) = end_of_head(bytes, piece, LineEnds::Strict, limits)? else { return Ok(None) };
    let head = parse_request(&bytes[..end], limits, rule)?;
    Ok(Some((Request::of(&head), end)))
}

impl Request {
    fn of(head: &RequestHead) -> Self {
        Self {
            method: head.fields.slice(head.method_text).to_vec(),
            path: head.fields.slice(head.path).to_vec(),
            authority: head.fields.slice(head.authority).to_vec(),
            protocol: head.protocol,
            body: head.body,
            keep_alive: head.keep_alive,
            expects_continue: head.expects_continue,
            upgrade: head.upgrade,
            fields: head.fields.iter().map(|(_, n, v)| (n.to_vec(), v.to_vec())).collect(),
        }
    }
}

/// What no request that is accepted may lack, said without a parser.
fn check_what_always_holds(request: &Request, head: &[u8]) {
    let text = shown(head);
    let count = |name| values(&request.fields, name).len();
    let (hosts, lengths, codings) =
        (count("host"), count("content-length"), count("transfer-encoding"));
    match request.protocol {
        Protocol::Http11 => assert_eq!(hosts, 1, "{text}"),
        _ => assert!(hosts <= 1 && codings == 0, "{text}"),
    }
    assert!(lengths + codings <= 1, "{text}");
    assert_eq!(request.body == BodyLength::Unknown, codings == 1, "{text}");
    assert_ne!(request.body, BodyLength::UntilClose, "{text}");
    assert!(!head.contains(&0), "{text}");
    for (at, byte) in head.iter().enumerate() {
        if *byte == b'\n' {
            assert!(at > 0 && head[at - 1] == b'\r', "{text}");
        }
        if *byte == b'\r' {
            assert_eq!(head.get(at + 1), Some(&b'\n'), "{text}");
        }
    }
    assert!(request.path.starts_with(b"/") || request.path == b"*", "{text}");
    assert!(request.path.iter().all(u8::is_ascii_graphic), "{text}");
    assert!(request.authority.iter().all(u8::is_ascii_graphic), "{text}");
    assert!(!request.authority.iter().any(|byte| b"/?#@".contains(byte)), "{text}");
    assert!(!(request.upgrade && request.body != BodyLength::Empty), "{text}");
}

/// A head that was accepted means the same once it has been written from its parts.
fn check_written_anew(request: &Request, rule: HostRule) {
    let version = if request.protocol == Protocol::Http11 { "1.1" } else { "1.0" };
    let mut text = [&request.method, &b" "[..], &request.path, b" HTTP/"].concat();
    text.extend_from_slice(version.as_bytes());
    text.extend_from_slice(b"\r\n");
    let mut expected_fields = Vec::new();
    if !request.authority.is_empty() {
        expected_fields.push((b"Host".to_vec(), request.authority.clone()));
    }
    let others = request.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host"));
    expected_fields.extend(others.cloned());
    for (name, value) in &expected_fields {
        text.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    let (again, length) = match read(&text, text.len(), &ROOMY, rule) {
        Ok(Some(again)) => again,
        other => panic!("written anew, it is read as {other:?}: {}", shown(&text)),
    };
    assert_eq!(length, text.len(), "{}", shown(&text));
    assert_eq!(again.fields, expected_fields, "{}", shown(&text));
    assert_eq!(Request { fields: request.fields.clone(), ..again }, *request, "{}", shown(&text));
}

/// RFC 9112 sections 3 and 6, and what the gateway adds to them.
fn judge(lines: &Lines, limits: &HeadLimits, rule: HostRule) -> Result<Request, &'static str> {
    let [method, target, version] = lines
        .first
        .split(|byte| *byte == b' ')
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "not three words")?;
    if !is_token(method) || method == b"CONNECT" {
        return Err("method");
    }
    if target.len() > limits.target_bytes
        || !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
    {
        return Err("target");
    }
    let protocol = match version {
        b"HTTP/1.1" => Protocol::Http11,
        b"HTTP/1.0" => Protocol::Http10,
        _ => return Err("version"),
    };
    let new = protocol == Protocol::Http11;
    let fields = lines.fields.clone();
    let host = match values(&fields, "host")[..] {
        [host] if is_authority(host) => host,
        [] if !new => b"",
        _ => return Err("host"),
    };
    let (path, authority) = split_target(method, target, host, rule)?;
    let length = match values(&fields, "content-length")[..] {
        [] => None,
        [value] => Some(number(value)?),
        _ => return Err("two lengths"),
    };
    let body = match (&values(&fields, "transfer-encoding")[..], length) {
        ([], None | Some(0)) => BodyLength::Empty,
        ([], Some(length)) => BodyLength::Known(length),
        ([value], None) if new && value.eq_ignore_ascii_case(b"chunked") => BodyLength::Unknown,
        _ => return Err("transfer coding"),
    };
    let expects = values(&fields, "expect")
        .last()
        .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    let keep_alive = !lists(&fields, "connection", "close")
        && (new || lists(&fields, "connection", "keep-alive"));
    let upgrade = !values(&fields, "upgrade").is_empty()
        && !lists(&fields, "upgrade", "h2c")
        && lists(&fields, "connection", "upgrade")
        && new
        && body == BodyLength::Empty;
    Ok(Request {
        method: method.to_vec(),
        path,
        authority,
        protocol,
        body,
        keep_alive,
        expects_continue: expects && new && body != BodyLength::Empty,
        upgrade,
        fields,
    })
}

fn split_target(
    method: &[u8],
    target: &[u8],
    host: &[u8],
    rule: HostRule,
) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    if target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS") {
        return Ok((target.to_vec(), host.to_vec()));
    }
    let target = std::str::from_utf8(target).map_err(|_| "target")?;
    let (scheme, rest) = target.split_once("://").ok_or("target")?;
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err("scheme");
    }
    let length = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(length);
    if !is_authority(authority.as_bytes()) {
        return Err("authority");
    }
    let same = host.is_empty() || host.eq_ignore_ascii_case(authority.as_bytes());
    if rule == HostRule::RefuseMismatch && !same {
        return Err("mismatch");
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((format!("{slash}{path}").into_bytes(), authority.as_bytes().to_vec()))
}

/// `uri-host [ ":" port ]` of RFC 3986, the host not empty.
fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let named = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&b))
    };
    let numbered = |host: &str| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    };
    (named(host) || numbered(host)) && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())
}
