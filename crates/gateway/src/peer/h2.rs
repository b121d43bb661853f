use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;

use super::{ReceiveError, Received, SendError};
use crate::{
    h1::may_be_trailer,
    message::{BodyLength, Fields, Known, ResponseHead, Span},
    upstream::Lease,
};

/// One stream of an HTTP/2 connection, from either side.
pub(crate) struct H2 {
    /// What to answer with, on a server's stream whose head has not been sent.
    pub(crate) respond: Option<h2::server::SendResponse<Bytes>>,
    /// What to wait for, on a client's stream whose head has not come.
    pub(crate) response: Option<h2::client::ResponseFuture>,
    pub(crate) send: Option<SendStream<Bytes>>,
    pub(crate) receive: Option<RecvStream>,
    current: Bytes,
    trailers: Option<Fields>,
    ended: bool,
    /// The stream's place on a connection to a service.
    _lease: Option<Lease>,
}

impl std::fmt::Debug for H2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H2").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl From<h2::Error> for ReceiveError {
    fn from(error: h2::Error) -> Self {
        if error.is_io() {
            return match error.into_io() {
                // This is how h2 calls the end of a connection that came too early.
                Some(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Self::Closed,
                Some(error) => error.into(),
                None => Self::Closed,
            };
        }
        // What h2 resets by itself the peer has done wrong.
        if error.is_library() {
            return Self::Protocol(error.to_string());
        }
        if error.is_reset() || error.is_go_away() {
            return Self::Reset(error.to_string());
        }
        Self::Protocol(error.to_string())
    }
}

/// How a request ended that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The peer has said that it did not process the request at all, so that any request may be
    /// sent again (RFC 9113 sections 6.8 and 8.7).
    Refused,
    /// The connection is gone.
    ConnectionLost,
    Other,
}

impl Ending {
    /// h2 gives a stream the error of a GOAWAY only where its number is above the last that the
    /// GOAWAY names, whatever its reason.
    fn of(error: &h2::Error) -> Self {
        let refused = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && refused {
            Self::Refused
        } else if error.is_io() {
            Self::ConnectionLost
        } else {
            Self::Other
        }
    }
}

impl H2 {
    /// A client's request, seen by a server.
    pub(crate) fn server(receive: RecvStream, respond: h2::server::SendResponse<Bytes>) -> Self {
        Self { respond: Some(respond), receive: Some(receive), ..Self::empty() }
    }

    /// A request that is being sent to a service.
    pub(crate) fn client(
        response: h2::client::ResponseFuture,
        send: SendStream<Bytes>,
        lease: Lease,
    ) -> Self {
        Self { response: Some(response), send: Some(send), _lease: Some(lease), ..Self::empty() }
    }

    const fn empty() -> Self {
        Self {
            respond: None,
            response: None,
            send: None,
            receive: None,
            current: Bytes::new(),
            trailers: None,
            ended: false,
            _lease: None,
        }
    }

    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, ReceiveError>> {
        loop {
            if !self.current.is_empty() {
                return Poll::Ready(Ok(Received::Data));
            }
            let Some(receive) = self.receive.as_mut().filter(|_| !self.ended) else {
                return Poll::Ready(Ok(Received::End));
            };
            match ready!(receive.poll_data(cx)) {
                Some(Ok(data)) => self.current = data,
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => {
                    let trailers = ready!(receive.poll_trailers(cx))?;
                    self.trailers = trailers.map(|trailers| trailers_of(&trailers));
                    self.ended = true;
                }
            }
        }
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn consume(&mut self, count: usize) {
        let taken = self.current.split_to(count.min(self.current.len()));
        if let Some(receive) = &mut self.receive {
            // Fails only where more is released than was received.
            receive.flow_control().release_capacity(taken.len()).unwrap_or_default();
        }
    }

    pub(super) fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref().filter(|trailers| !trailers.is_empty())
    }

    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, SendError>> {
        let Some(send) = &mut self.send else {
            return Poll::Ready(Err(SendError("the stream has ended".to_owned())));
        };
        send.reserve_capacity(data.len());
        loop {
            let capacity = send.capacity().min(data.len());
            if capacity > 0 {
                return Poll::Ready(
                    send.send_data(Bytes::copy_from_slice(&data[..capacity]), false)
                        .map(|()| capacity)
                        .map_err(|error| SendError(error.to_string())),
                );
            }
            match ready!(send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(SendError(error.to_string()))),
                None => return Poll::Ready(Err(SendError("the stream has ended".to_owned()))),
            }
        }
    }

    /// Ends the body; h2 sees that it goes out.
    pub(crate) fn end(&mut self, trailers: Option<&Fields>) -> Result<(), SendError> {
        let Some(mut send) = self.send.take() else { return Ok(()) };
        let sent = match trailers {
            Some(trailers) => send.send_trailers(map_of(trailers)),
            None => send.send_data(Bytes::new(), true),
        };
        self.send = Some(send);
        sent.map_err(|error| SendError(error.to_string()))
    }

    /// Ready once the peer has reset the stream, or its connection is gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match (&mut self.respond, &mut self.send) {
            (Some(respond), _) => respond.poll_reset(cx).map(|_| ()),
            (None, Some(send)) => send.poll_reset(cx).map(|_| ()),
            (None, None) => Poll::Pending,
        };
        ready!(reset);
        Poll::Ready(())
    }

    /// Tells the peer that the stream ends here, unfinished.
    pub(crate) fn reset(&mut self, reason: Reason) {
        if let Some(respond) = &mut self.respond {
            respond.send_reset(reason);
        }
        if let Some(send) = &mut self.send {
            send.send_reset(reason);
        }
    }

    /// Waits for the head of a response; interim ones (1xx) count.
    pub(crate) fn poll_response_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, (ReceiveError, Ending)>> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(Err((ReceiveError::Closed, Ending::Other)));
        };
        if let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx) {
            return Poll::Ready(Ok(ResponseHead {
                fields: fields_of(interim.headers()),
                ..ResponseHead::interim(interim.status().as_u16())
            }));
        }
        let answer = match ready!(Pin::new(response).poll(cx)) {
            Ok(answer) => answer,
            Err(error) => {
                let ending = Ending::of(&error);
                return Poll::Ready(Err((error.into(), ending)));
            }
        };
        self.response = None;
        let (parts, receive) = answer.into_parts();
        let fields = fields_of(&parts.headers);
        let body = if receive.is_end_stream() {
            BodyLength::Empty
        } else {
            declared_length(&fields).map_or(BodyLength::Unknown, BodyLength::Known)
        };
        self.ended = body == BodyLength::Empty;
        self.receive = Some(receive);
        Poll::Ready(Ok(ResponseHead {
            status: parts.status.as_u16(),
            reason: Span::default(),
            fields,
            body,
            keep_alive: true,
        }))
    }
}

/// A `content-length` that is a number; h2 has checked the body against it.
pub(crate) fn declared_length(fields: &Fields) -> Option<u64> {
    std::str::from_utf8(fields.get(Known::ContentLength)?).ok()?.parse().ok()
}

/// The fields of a map. HTTP/2 may split `cookie` in crumbs, which are one field again elsewhere
/// (RFC 9113 section 8.2.3).
pub(crate) fn fields_of(map: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    let mut cookies = Vec::new();
    for (name, value) in map {
        if name == http::header::COOKIE {
            if !cookies.is_empty() {
                cookies.extend_from_slice(b"; ");
            }
            cookies.extend_from_slice(value.as_bytes());
        } else {
            fields.push(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if !cookies.is_empty() {
        fields.push(b"cookie", &cookies);
    }
    fields
}

/// The trailers of a map, as far as they may be trailers.
fn trailers_of(map: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in map.iter().filter(|(name, _)| may_be_trailer(name.as_str().as_bytes())) {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

/// Fields as a map; what has been received is valid, so nothing is lost.
pub(crate) fn map_of(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (_, name, value) in fields.iter() {
        append(&mut map, name, value);
    }
    map
}

/// Adds a field; one that is not valid in HTTP/2 is left out.
pub(crate) fn append(map: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) =
        (http::HeaderName::from_bytes(name), http::HeaderValue::from_bytes(value))
    {
        map.append(name, value);
    }
}
