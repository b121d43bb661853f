use super::{
    HeadLimits, LineEnds, Malformed, SMALL, cuts, end_of_head,
    reader::{Lines, lists, number, read_lines, values},
    shown,
};
use crate::{
    h1::{Asked, parse_response},
    message::{BodyLength, ResponseHead},
};

/// What a response's head says.
#[derive(Debug, PartialEq)]
struct Response {
    status: u16,
    reason: Vec<u8>,
    body: BodyLength,
    keep_alive: bool,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Checks that the head of a response is understood in one way only, whatever was asked.
///
/// # Panics
/// Where it is not.
pub fn response_head(bytes: &[u8]) {
    for limits in [HeadLimits::default(), SMALL] {
        for (head, upgrade) in [(false, false), (true, false), (false, true)] {
            check(bytes, &limits, Asked { head, upgrade });
        }
    }
}

fn check(bytes: &[u8], limits: &HeadLimits, asked: Asked) {
    let whole = read(bytes, bytes.len().max(1), limits, asked);
    for piece in cuts(bytes) {
        let read = read(bytes, piece, limits, asked);
        assert_eq!(read, whole, "pieces of {piece}: {}", shown(bytes));
    }
    let slow = match read_lines(bytes, LineEnds::Lenient, limits) {
        Ok(Some(lines)) => judge(&lines, asked).map(|response| Some((response, lines.length))),
        Ok(None) => Ok(None),
        Err(why) => Err(why),
    };
    match (&whole, &slow) {
        (Ok(fast), Ok(slow)) => assert_eq!(fast, slow, "{}", shown(bytes)),
        (Err(_), Err(_)) => {}
        (fast, slow) => panic!("one reader has {fast:?}, the other {slow:?}: {}", shown(bytes)),
    }
    if let Ok(Some((response, _))) = whole {
        check_written_anew(&response, asked);
    }
}

/// As the gateway reads, from bytes that come piece by piece.
fn read(
    bytes: &[u8],
    piece: usize,
    limits: &HeadLimits,
    asked: Asked,
) -> Result<Option<(Response, usize)>, Malformed> {
    let Some(end) = end_of_head(bytes, piece, LineEnds::Lenient, limits)? else { return Ok(None) };
    let head = parse_response(&bytes[..end], limits, asked)?;
    Ok(Some((Response::of(&head), end)))
}

impl Response {
    fn of(head: &ResponseHead) -> Self {
        Self {
            status: head.status,
            reason: head.fields.slice(head.reason).to_vec(),
            body: head.body,
            keep_alive: head.keep_alive,
            fields: head.fields.iter().map(|(_, n, v)| (n.to_vec(), v.to_vec())).collect(),
        }
    }
}

/// A strict reader finds in what is passed on what was read: no field became two, no value ended a
/// line.
fn check_written_anew(response: &Response, asked: Asked) {
    let mut text = format!("HTTP/1.1 {} ", response.status).into_bytes();
    text.extend_from_slice(&response.reason);
    text.extend_from_slice(b"\r\n");
    for (name, value) in &response.fields {
        text.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    let limits = &super::ROOMY;
    let lines = match read_lines(&text, LineEnds::Strict, limits) {
        Ok(Some(lines)) => lines,
        other => panic!("written anew, it is read as {other:?}: {}", shown(&text)),
    };
    assert_eq!((lines.length, &lines.fields), (text.len(), &response.fields), "{}", shown(&text));
    let again = read(&text, text.len(), limits, asked).ok().flatten();
    let body = again.map(|(again, _)| again.body);
    assert_eq!(body, Some(response.body), "{}", shown(&text));
}

/// RFC 9112 sections 4 and 6, and what the gateway adds to them.
fn judge(lines: &Lines, asked: Asked) -> Result<Response, &'static str> {
    let line = &lines.first[..];
    let old = line.starts_with(b"HTTP/1.0 ");
    if !old && !line.starts_with(b"HTTP/1.1 ") {
        return Err("version");
    }
    let (status, reason) = match &line[b"HTTP/1.1 ".len()..] {
        status if status.len() == 3 => (status, &b""[..]),
        [a, b, c, b' ', reason @ ..] => (&[*a, *b, *c][..], reason),
        _ => return Err("status"),
    };
    let status = u16::try_from(number(status)?).map_err(|_| "status")?;
    if status < 100 {
        return Err("status");
    }
    let fields = lines.fields.clone();
    let lengths = values(&fields, "content-length");
    let lengths = lengths.iter().map(|value| number(value)).collect::<Result<Vec<_>, _>>()?;
    if lengths.iter().any(|length| *length != lengths[0]) {
        return Err("two lengths");
    }
    let chunked = match values(&fields, "transfer-encoding")[..] {
        [] => false,
        [value] if value.eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err("transfer coding"),
    };
    let body = match (status, lengths.first()) {
        (101, _) if asked.upgrade => BodyLength::Empty,
        (101, _) => return Err("101"),
        (_, Some(_)) if chunked => return Err("both"),
        (100..200 | 204 | 304, _) => BodyLength::Empty,
        _ if asked.head => BodyLength::Empty,
        (_, None) if chunked => BodyLength::Unknown,
        (_, Some(0)) => BodyLength::Empty,
        (_, Some(length)) => BodyLength::Known(*length),
        (_, None) => BodyLength::UntilClose,
    };
    let close = lists(&fields, "connection", "close") || body == BodyLength::UntilClose;
    let keep = if old { !chunked && lists(&fields, "connection", "keep-alive") } else { true };
    // A phrase that is not ASCII is left out.
    let reason = if reason.is_ascii() { reason.to_vec() } else { Vec::new() };
    Ok(Response { status, reason, body, keep_alive: keep && !close, fields })
}
