//! Connections that change their protocol (RFC 9110 section 7.8): WebSocket and the like.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use model::Cause;
use tokio::{io::AsyncWrite as _, time::Instant};

use super::{After, Exchange, way::Way};
use crate::{
    failure::Failure,
    forward::{FieldSink as _, response_fields},
    message::{Known, ResponseHead},
    peer::{H1, Meter, Peer, Receiving, Sending, poll_pump},
    worker::Stage,
};

impl Exchange<'_> {
    /// Passes 101 on, and then bytes both ways until both ends have finished. An end that breaks
    /// off is how such connections usually end, so it is no failure.
    pub(super) async fn upgraded(
        &mut self,
        way: &Way<'_>,
        response: ResponseHead,
        mut up: Peer,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        self.answered = true;
        self.after = After::Close;
        self.draft.status = response.status;
        let (Peer::H1(down), Peer::H1(service)) = (&mut *self.down, &mut up) else {
            return Err(Failure::new(
                Cause::UpstreamProtocolError,
                "a change of protocol was answered where none is possible",
            ));
        };
        let out = down.output.buffer();
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        let expose = self.worker.settings.expose_outcome;
        response_fields(out, &response.fields, false, expose, &way.response_changes());
        out.field(b"connection", b"Upgrade");
        if let Some(protocol) = response.fields.get(Known::Upgrade) {
            out.field(b"upgrade", protocol);
        }
        out.extend_from_slice(b"\r\n");
        open_tunnel(down);
        open_tunnel(service);
        let (mut to_service, mut to_client) = (Meter::default(), Meter::default());
        poll_fn(|cx| {
            let one = poll_tunnel(self.down, &mut up, cx, &mut to_service);
            let other = poll_tunnel(&mut up, self.down, cx, &mut to_client);
            let over = (one.is_ready() && other.is_ready())
                || to_service.failed
                || to_client.failed
                || self.worker.stage() == Stage::Ending;
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.draft.phases.transfer = Some(began.elapsed());
        self.draft.request_bytes = to_service.bytes;
        self.draft.response_bytes = to_client.bytes;
        Ok(())
    }
}

fn open_tunnel(peer: &mut H1) {
    peer.receiving = Receiving::UntilClose;
    peer.sending = Sending::UntilClose;
}

/// Carries bytes one way; ready once the source has finished and the sink has been told.
fn poll_tunnel(
    source: &mut Peer,
    sink: &mut Peer,
    cx: &mut Context<'_>,
    meter: &mut Meter,
) -> Poll<()> {
    if !meter.done {
        match std::task::ready!(poll_pump(source, sink, cx, meter, |_| None, |_| {})) {
            Ok(()) => {}
            Err(_) => {
                meter.failed = true;
                return Poll::Ready(());
            }
        }
    }
    // The half that has finished is closed; the other goes on.
    match sink {
        Peer::H1(sink) => Pin::new(&mut sink.stream).poll_shutdown(cx).map(|_| ()),
        Peer::H2(_) => Poll::Ready(()),
    }
}
