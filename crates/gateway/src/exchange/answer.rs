//! Answers to the client: those that are passed on, and those that the gateway makes.

use std::{future::poll_fn, io::Write as _, task::Poll};

use config::routing::{HeaderChange, PathRewrite, Redirect};
use http::StatusCode;
use model::{Cause, Outcome, Protocol};

use super::{After, Exchange};
use crate::{
    failure::Failure,
    forward::{FieldSink, interim_fields, is_grpc, response_fields},
    message::{BodyLength, Known, Method, ResponseHead},
    peer::{H1, H2, Peer, Sending},
    reply::{Reply, grpc_trailers, proxy_status},
    router::{CompiledRoute, split_query},
    worker::Stage,
};

impl Exchange<'_> {
    /// The request failed: answers it where that can still be done, and cuts it short otherwise.
    pub(super) async fn fail(&mut self, failure: Failure) -> Outcome {
        let outcome = failure.outcome();
        let gone = failure.cause == Cause::ClientDisconnected;
        if gone || self.answered {
            self.after = After::Cut;
            let grpc = !gone && is_grpc(&self.head.fields);
            if let Peer::H2(peer) = &mut *self.down {
                // A gRPC caller can still be told in the trailers; others only see the break.
                if grpc && peer.end(Some(&grpc_trailers(&failure))).is_ok() {
                    self.draft.in_band.grpc_status = failure.cause.grpc_status();
                } else {
                    peer.reset(if gone { h2::Reason::CANCEL } else { h2::Reason::INTERNAL_ERROR });
                }
            }
            if gone && !self.answered {
                self.draft.status = failure.status();
            }
            self.draft.failure = Some(failure);
            return outcome;
        }
        let reply = Reply::of_failure(&failure, Some(self.head), self.draft);
        self.draft.status = reply.status;
        if reply.status == 200 {
            self.draft.in_band.grpc_status = failure.cause.grpc_status();
        }
        self.draft.failure = Some(failure);
        self.send_reply(&reply).await;
        outcome
    }

    /// Sends an answer that the gateway made.
    pub(super) async fn send_reply(&mut self, reply: &Reply) {
        self.answered = true;
        self.draft.status = reply.status;
        self.settle_after(true);
        let close = self.after != After::KeepAlive;
        let head_only = self.head.method == Method::Head;
        match &mut *self.down {
            Peer::H1(peer) => {
                write_reply(peer, reply, close, head_only);
            }
            Peer::H2(peer) => send_h2_reply(peer, reply, head_only),
        }
        self.flush().await;
        self.draft.response_bytes = reply.body.len() as u64;
    }

    /// Sees that what has been handed to the client's side goes out, within the stall bound.
    pub(super) async fn flush(&mut self) {
        let deadline = tokio::time::Instant::now() + self.worker.settings.timeouts.client_stall;
        self.timer.set(Some(deadline));
        let sent = poll_fn(|cx| {
            if let Poll::Ready(result) = self.down.poll_flush(cx) {
                return Poll::Ready(result.is_ok());
            }
            self.timer.poll(cx).map(|()| false)
        });
        if !sent.await {
            self.after = After::Cut;
        }
    }

    /// Whether the client's connection can be used again: not where the request's body has not
    /// been read to its end, nor while the gateway is stopping.
    pub(super) fn settle_after(&mut self, request_done_only: bool) {
        let request_done = match &*self.down {
            Peer::H1(peer) => peer.has_received(),
            Peer::H2(_) => true,
        };
        let stopping = self.worker.stage() != Stage::Running;
        if (request_done_only && !request_done) || stopping {
            self.after = self.after.max_close();
        }
    }

    /// Hands the head of the service's response to the client's side.
    pub(super) fn send_head(
        &mut self,
        response: &ResponseHead,
        changes: &[&HeaderChange; 2],
    ) -> Result<(), Failure> {
        self.answered = true;
        self.draft.status = response.status;
        self.settle_after(false);
        let no_body = self.head.method == Method::Head
            || response.status < 200
            || matches!(response.status, 204 | 304);
        let blamed = self.blamed(response);
        match &mut *self.down {
            Peer::H1(peer) => {
                let old = self.head.protocol == Protocol::Http10;
                let close = self.after != After::KeepAlive;
                let closes = write_head(
                    peer,
                    response,
                    &Framing { old, close, no_body },
                    self.worker.settings.expose_outcome,
                    changes,
                    &blamed,
                );
                if closes {
                    self.after = self.after.max_close();
                }
                Ok(())
            }
            Peer::H2(peer) => {
                let expose = self.worker.settings.expose_outcome;
                send_h2_head(peer, response, expose, changes, &blamed)
            }
        }
    }

    /// What an error response that is passed on is given: whose it is, and which request it was.
    fn blamed(&self, response: &ResponseHead) -> Vec<(&'static str, String)> {
        let status = response.status;
        if status < 500 {
            return Vec::new();
        }
        let cause = match self.draft.in_band.outcome {
            Some(Outcome::Panicked) => Cause::UpstreamPanicked,
            _ => Cause::UpstreamFailed,
        };
        let mut fields = vec![("proxy-status", proxy_status(cause, None, Some(status)))];
        let named = [&self.head.fields, &response.fields]
            .iter()
            .any(|fields| fields.get(Known::RequestId).is_some());
        if !named {
            fields.push(("x-request-id", self.draft.trace.trace_id.to_string()));
        }
        fields
    }

    /// The answer of a route that redirects.
    pub(super) fn redirect(
        &self,
        route: &CompiledRoute,
        redirect: &Redirect,
        matched: usize,
    ) -> Reply {
        let scheme = redirect.scheme.as_deref().unwrap_or(self.client.scheme);
        let mut authority =
            redirect.authority.clone().unwrap_or_else(|| self.head.authority().to_owned());
        if let Some(port) = redirect.port {
            authority = crate::router::host_of(&authority).to_owned();
            if (scheme, port) != ("http", 80) && (scheme, port) != ("https", 443) {
                authority = format!("{authority}:{port}");
            }
        }
        let (path, query) = split_query(self.head.path());
        let path = match &redirect.uri {
            Some(PathRewrite::Replace(path)) => path.clone(),
            Some(PathRewrite::ReplaceMatched(prefix)) => {
                format!("{prefix}{}", path.get(matched..).unwrap_or_default())
            }
            Some(PathRewrite::Regex { .. }) | None => {
                route.rewrite_path(path, matched).into_owned()
            }
        };
        Reply::new(redirect.status).with("location", format!("{scheme}://{authority}{path}{query}"))
    }
}

impl After {
    /// At least closed.
    pub(super) const fn max_close(self) -> Self {
        match self {
            Self::KeepAlive | Self::Close => Self::Close,
            Self::Cut => Self::Cut,
        }
    }
}

/// What decides how a response is framed towards an HTTP/1 client.
#[derive(Debug)]
struct Framing {
    /// The client speaks HTTP/1.0.
    old: bool,
    /// The connection closes after the response.
    close: bool,
    /// There is no body, whatever the fields say.
    no_body: bool,
}

/// Appends a reply to what goes out.
pub(crate) fn write_reply(peer: &mut H1, reply: &Reply, close: bool, head_only: bool) {
    peer.sending = Sending::Done;
    append_reply(peer.output.buffer(), reply, close, head_only);
}

/// A reply as it goes out on a connection that is closed after it.
pub(crate) fn reply_bytes(reply: &Reply) -> Vec<u8> {
    let mut out = Vec::new();
    append_reply(&mut out, reply, true, false);
    out
}

fn append_reply(out: &mut Vec<u8>, reply: &Reply, close: bool, head_only: bool) {
    status_line(out, reply.status, b"");
    for (name, value) in &reply.fields {
        out.field(name.as_bytes(), value.as_bytes());
    }
    if reply.status != 204 && reply.status != 304 {
        out.field(b"content-length", reply.body.len().to_string().as_bytes());
    }
    if close {
        out.field(b"connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
    if !head_only {
        out.extend_from_slice(&reply.body);
    }
}

/// Appends an interim response.
pub(super) fn write_interim(peer: &mut H1, interim: &ResponseHead) {
    let out = peer.output.buffer();
    status_line(out, interim.status, b"");
    interim_fields(out, &interim.fields);
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    out.extend_from_slice(b"HTTP/1.1 ");
    let digits = [status / 100, status / 10 % 10, status % 10];
    out.extend(digits.map(|digit| b'0' + u8::try_from(digit).unwrap_or_default()));
    out.push(b' ');
    out.extend_from_slice(if reason.is_empty() {
        known.unwrap_or_default().as_bytes()
    } else {
        reason
    });
    out.extend_from_slice(b"\r\n");
}

/// A client might wait for the body that a length speaks of, and take the next response for it: 204
/// has none, and 1xx neither (RFC 9110 section 8.6). 304 and answers to HEAD may tell one.
const fn may_have_length(status: u16) -> bool {
    status >= 200 && status != 204
}

/// Appends the head of a service's response. Whether the connection has to close after it.
fn write_head(
    peer: &mut H1,
    response: &ResponseHead,
    framing: &Framing,
    expose_outcome: bool,
    changes: &[&HeaderChange; 2],
    added: &[(&'static str, String)],
) -> bool {
    peer.sending = match response.body {
        // HTTP/2 may say only after the head that nothing comes.
        _ if framing.no_body => Sending::Done,
        BodyLength::Empty => Sending::Done,
        BodyLength::Known(length) => Sending::Length(length),
        BodyLength::Unknown | BodyLength::UntilClose if framing.old => Sending::UntilClose,
        BodyLength::Unknown | BodyLength::UntilClose => Sending::Chunked { left: 0 },
    };
    let closes = framing.close || peer.sending == Sending::UntilClose;
    let sending = peer.sending;
    let out = peer.output.buffer();
    status_line(out, response.status, response.fields.slice(response.reason));
    let by_length =
        may_have_length(response.status) && matches!(sending, Sending::Done | Sending::Length(_));
    response_fields(out, &response.fields, by_length, expose_outcome, changes);
    for (name, value) in added {
        out.field(name.as_bytes(), value.as_bytes());
    }
    match sending {
        Sending::Chunked { .. } => out.field(b"transfer-encoding", b"chunked"),
        // HTTP/2 says by the end of the stream what HTTP/1.1 says by a length.
        Sending::Done | Sending::Length(_)
            if !framing.no_body && response.fields.get(Known::ContentLength).is_none() =>
        {
            let length = if let Sending::Length(length) = sending { length } else { 0 };
            write!(out, "content-length: {length}\r\n").unwrap_or_default();
        }
        _ => {}
    }
    if closes {
        out.field(b"connection", b"close");
    } else if framing.old {
        out.field(b"connection", b"keep-alive");
    }
    out.extend_from_slice(b"\r\n");
    closes
}

/// Sends an interim response.
pub(super) fn send_h2_interim(peer: &mut H2, interim: &ResponseHead) {
    let Some(respond) = &mut peer.respond else { return };
    let mut response = h2_response(interim.status);
    interim_fields(response.headers_mut(), &interim.fields);
    // Where the client has gone there is nobody to tell.
    respond.send_informational(response).unwrap_or_default();
}

fn h2_response(status: u16) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

/// Sends a reply on a stream.
pub(crate) fn send_h2_reply(peer: &mut H2, reply: &Reply, head_only: bool) {
    let Some(mut respond) = peer.respond.take() else { return };
    let mut response = h2_response(reply.status);
    for (name, value) in &reply.fields {
        response.headers_mut().field(name.as_bytes(), value.as_bytes());
    }
    let length = reply.body.len().to_string();
    if !reply.body.is_empty() {
        response.headers_mut().field(b"content-length", length.as_bytes());
    }
    let end = head_only || reply.body.is_empty();
    // Where the client has gone there is nobody to tell.
    if let Ok(mut send) = respond.send_response(response, end)
        && !end
    {
        send.send_data(reply.body.clone().into(), true).unwrap_or_default();
    }
}

fn send_h2_head(
    peer: &mut H2,
    head: &ResponseHead,
    expose_outcome: bool,
    changes: &[&HeaderChange; 2],
    added: &[(&'static str, String)],
) -> Result<(), Failure> {
    let Some(mut respond) = peer.respond.take() else { return Ok(()) };
    let mut response = h2_response(head.status);
    let keep_length = may_have_length(head.status);
    response_fields(response.headers_mut(), &head.fields, keep_length, expose_outcome, changes);
    for (name, value) in added {
        response.headers_mut().field(name.as_bytes(), value.as_bytes());
    }
    let end = head.body == BodyLength::Empty;
    let send = respond.send_response(response, end).map_err(|error| {
        Failure::new(Cause::ClientDisconnected, format!("the client's stream has ended: {error}"))
    })?;
    peer.send = (!end).then_some(send);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_passed_on_only_where_a_body_can_be_meant() {
        for (status, expected) in [(103, false), (200, true), (204, false), (304, true)] {
            assert_eq!(may_have_length(status), expected, "{status}");
        }
    }
}
