//! The request's head on its way to the service.

use model::Cause;

use super::{Exchange, body::Upload, wait::Lost, way::Way};
use crate::{
    failure::Failure,
    forward::{FieldSink as _, RequestContext, is_grpc, request_fields},
    message::{BodyLength, Known, Method, ResponseHead},
    peer::{H2, Peer, Sending},
    upstream::{Connection, Stake},
};

impl Exchange<'_> {
    /// Hands the request's head to the service's side.
    pub(super) fn send_head_on(
        &mut self,
        way: &Way<'_>,
        connection: Connection,
        upload: &mut Upload,
    ) -> Result<(Peer, u32), Lost> {
        let draft = &*self.draft;
        let context = RequestContext {
            trace: draft.trace,
            continues_trace: draft.continues_trace,
            client: &self.client.ip,
            trusted: self.worker.settings.trust.believes(self.client.address.ip()),
            scheme: self.client.scheme,
            pseudonym: &self.worker.pseudonym,
            time_left: way.times.whole.map(|whole| whole.saturating_sub(draft.elapsed())),
            changes: [&way.rules[0].request, &way.rules[1].request],
        };
        let path = way.route.rewrite_path(self.head.path(), way.matched);
        let authority = match &way.route.rewrite.authority {
            Some(authority) => authority,
            None if self.head.authority.is_empty() => &*way.shared().key.service,
            None => self.head.authority(),
        };
        match connection {
            Connection::H1 { connection: mut peer, requests, .. } => {
                let out = peer.output.buffer();
                for part in
                    [self.head.method(), " ", &path, " HTTP/1.1\r\nhost: ", authority, "\r\n"]
                {
                    out.extend_from_slice(part.as_bytes());
                }
                request_fields(out, self.head, &context);
                self.frame_h1(out);
                out.extend_from_slice(b"\r\n");
                peer.sending = match self.head.body {
                    BodyLength::Empty => Sending::Done,
                    BodyLength::Known(length) => Sending::Length(length),
                    BodyLength::Unknown | BodyLength::UntilClose => Sending::Chunked { left: 0 },
                };
                Ok((Peer::H1(peer), requests))
            }
            Connection::H2(Stake { mut send, lease, .. }) => {
                let request =
                    self.h2_request(&path, authority, way, &context).map_err(Lost::whole)?;
                let end = !self.head.has_body();
                let (response, stream) = send.send_request(request, end).map_err(Lost::unsent)?;
                upload.sent_with_head(end);
                self.continue_early(upload);
                Ok((Peer::H2(Box::new(H2::client(response, stream, lease))), 0))
            }
        }
    }

    /// Services that speak HTTP/2 seldom answer an expectation, so that the gateway does.
    fn continue_early(&mut self, upload: &mut Upload) {
        if self.head.expects_continue && upload.awaits_continue() {
            self.pass_on_interim(&ResponseHead::interim(100), upload);
        }
    }

    /// The fields that frame the body, and those that ask for a change of protocol.
    fn frame_h1(&self, out: &mut Vec<u8>) {
        match self.head.body {
            BodyLength::Empty => {
                // Said where a body would have a meaning, so that no service waits for one.
                if self.head.method == Method::Other || self.head.method == Method::Put {
                    out.field(b"content-length", b"0");
                }
            }
            BodyLength::Known(length) => {
                out.field(b"content-length", length.to_string().as_bytes());
            }
            BodyLength::Unknown | BodyLength::UntilClose => {
                out.field(b"transfer-encoding", b"chunked");
            }
        }
        if self.head.upgrade
            && let Some(protocol) = self.head.fields.get(Known::Upgrade)
        {
            out.field(b"connection", b"Upgrade");
            out.field(b"upgrade", protocol);
        }
    }

    fn h2_request(
        &self,
        path: &str,
        authority: &str,
        way: &Way<'_>,
        context: &RequestContext<'_>,
    ) -> Result<http::Request<()>, Failure> {
        let scheme = if way.shared().tls.is_some() { "https" } else { "http" };
        let built = http::Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .and_then(|uri| http::Request::builder().method(self.head.method()).uri(uri).body(()));
        let mut request = built.map_err(|error| {
            Failure::new(
                Cause::ClientBadRequest,
                format!("the target cannot be written in HTTP/2: {error}"),
            )
        })?;
        *request.version_mut() = http::Version::HTTP_2;
        let headers = request.headers_mut();
        request_fields(headers, self.head, context);
        if let BodyLength::Known(length) = self.head.body {
            headers.field(b"content-length", length.to_string().as_bytes());
        }
        if self.head.expects_continue {
            headers.remove(http::header::EXPECT);
        }
        if is_grpc(&self.head.fields) {
            headers.field(b"te", b"trailers");
        }
        Ok(request)
    }
}
