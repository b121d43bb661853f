use std::mem::MaybeUninit;

use super::{
    HeadLimits, MAX_FIELDS, Malformed,
    connection::ConnectionOptions,
    request::{parse_content_length, place_in},
};
use crate::message::{BodyLength, Fields, Known, ResponseHead};

/// What was asked, as far as it decides how the response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Asked {
    /// The method was `HEAD`: there is no body, whatever the fields say.
    pub head: bool,
    /// A change of protocol was asked for, so that 101 is an answer.
    pub upgrade: bool,
}

/// Reads a response's head, which is whole.
///
/// # Errors
/// What is not HTTP/1.x, and framing that two readers might understand differently.
pub fn parse_response(
    head: &[u8],
    limits: &HeadLimits,
    asked: Asked,
) -> Result<ResponseHead, Malformed> {
    let mut slots = [MaybeUninit::uninit(); MAX_FIELDS];
    let slots = &mut slots[..limits.fields.min(MAX_FIELDS)];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let read = config.parse_response_with_uninit_headers(&mut parsed, head, slots)?;
    if read != httparse::Status::Complete(head.len()) {
        return Err(Malformed::new("the head is not complete"));
    }
    let status = parsed.code.unwrap_or_default();
    if !(100..=999).contains(&status) {
        return Err(Malformed::new("the status is not between 100 and 999"));
    }
    let reason = parsed.reason.unwrap_or_default();
    let mut fields = Fields::new();
    fields.hold(head);
    // httparse answers an empty text of its own where the reason holds what is not ASCII.
    let reason =
        if reason.is_empty() { Default::default() } else { place_in(head, reason.as_bytes()) };
    let (mut content_length, mut chunked) = (None, false);
    let mut connection = ConnectionOptions::default();
    for header in parsed.headers.iter() {
        let (name, value) = (place_in(head, header.name.as_bytes()), place_in(head, header.value));
        match fields.note(name, value) {
            Known::ContentLength => {
                let length = parse_content_length(header.value)?;
                if content_length.replace(length).is_some_and(|before| before != length) {
                    return Err(Malformed::new("there are two Content-Length fields that differ"));
                }
            }
            Known::TransferEncoding => {
                if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::new("the transfer coding is not chunked alone"));
                }
                chunked = true;
            }
            Known::Connection => connection.read(header.value),
            _ => {}
        }
    }
    let body = body_length(status, content_length, chunked, asked)?;
    let new = parsed.version == Some(1);
    // HTTP/1.0 knows no transfer coding: its framing is not to be trusted any further
    // (RFC 9112 section 6.1).
    let framed = body != BodyLength::UntilClose && (new || !chunked);
    let keep_alive = framed && connection.keeps_alive(new);
    Ok(ResponseHead { status, reason, body, keep_alive, fields })
}

/// RFC 9112 section 6.3.
fn body_length(
    status: u16,
    content_length: Option<u64>,
    chunked: bool,
    asked: Asked,
) -> Result<BodyLength, Malformed> {
    if status == 101 {
        return if asked.upgrade {
            Ok(BodyLength::Empty)
        } else {
            Err(Malformed::new("101 was answered, but no change of protocol was asked for"))
        };
    }
    if chunked && content_length.is_some() {
        return Err(Malformed::new("both Content-Length and Transfer-Encoding are there"));
    }
    Ok(if asked.head || status < 200 || status == 204 || status == 304 {
        BodyLength::Empty
    } else if chunked {
        BodyLength::Unknown
    } else {
        match content_length {
            Some(0) => BodyLength::Empty,
            Some(length) => BodyLength::Known(length),
            None => BodyLength::UntilClose,
        }
    })
}
