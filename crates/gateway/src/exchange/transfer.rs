//! The service's answer on its way to the client.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use model::Cause;
use tokio::time::Instant;

use super::{Exchange, attempt::Way, body::Upload};
use crate::{
    failure::Failure,
    forward::{is_grpc, response_trailers},
    message::{BodyLength, Fields, Known, ResponseHead},
    peer::{Meter, Peer, PumpError, ReceiveError, poll_pump},
    verdict,
    worker::Stage,
};

/// How an answer ended that ended well.
pub(super) struct Transferred {
    /// Whether the service's connection can be used again.
    pub(super) reusable: bool,
}

/// Why transferring paused.
enum Step {
    Done,
    TimedOut,
}

impl Exchange<'_> {
    /// Passes the answer on, and judges it.
    pub(super) async fn transfer(
        &mut self,
        way: &Way<'_>,
        response: ResponseHead,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Result<Transferred, Failure> {
        let began = Instant::now();
        self.draft.borrow_mut().in_band.read(&response.fields);
        self.send_head(&response, &way.response_changes())?;
        let mut meter = Meter::default();
        let done = self.carry(way, &response, up, upload, &mut meter).await;
        {
            let mut draft = self.draft.borrow_mut();
            draft.phases.transfer = Some(began.elapsed());
            draft.response_bytes = meter.bytes;
            draft.request_bytes = upload.bytes();
            if let Some(trailers) = up.trailers() {
                draft.in_band.read(trailers);
            }
        }
        done?;
        self.judge(way, &response);
        // A request that did not go out whole leaves both connections in the middle of it.
        if !upload.is_complete() {
            self.after = self.after.max_close();
        }
        Ok(Transferred { reusable: response.keep_alive && upload.is_complete() })
    }

    fn judge(&self, way: &Way<'_>, response: &ResponseHead) {
        let promised = way.shared().promises.handler_deadline;
        let deadline = promised.or(way.times.whole);
        let mut draft = self.draft.borrow_mut();
        let mut in_band = draft.in_band;
        if !is_grpc(&response.fields) {
            in_band.grpc_status = None;
        }
        draft.in_band = in_band;
        draft.failure = verdict::of_answer(response.status, &in_band, deadline);
    }

    async fn carry(
        &mut self,
        way: &Way<'_>,
        response: &ResponseHead,
        up: &mut Peer,
        upload: &mut Upload,
        meter: &mut Meter,
    ) -> Result<(), Failure> {
        let whole = way.times.whole.map(|whole| self.draft.borrow().started + whole);
        let may_stall = way.times.may_stall && !is_event_stream(&response.fields);
        loop {
            let timeouts = &self.worker.settings.timeouts;
            let stall = match (meter.blocked_on_sink, may_stall) {
                (true, _) => Some(timeouts.client_stall),
                (false, true) => Some(timeouts.response_stall),
                (false, false) => None,
            };
            let stall_at = stall.map(|stall| Instant::now() + stall);
            let next = match (whole, stall_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            self.timer.set(next);
            let step = poll_fn(|cx| self.poll_carry(cx, response, up, upload, meter)).await?;
            match step {
                Step::Done => return Ok(()),
                Step::TimedOut => {
                    if whole.is_some_and(|whole| Instant::now() >= whole) {
                        let limit = way.times.whole.unwrap_or_default();
                        return Err(Failure::new(
                            Cause::UpstreamBodyTimedOut,
                            format!("the answer was not whole within the timeout of {limit:?}"),
                        ));
                    }
                    if !std::mem::take(&mut meter.moved) {
                        return Err(stalled(meter, stall.unwrap_or_default()));
                    }
                }
            }
        }
    }

    fn poll_carry(
        &mut self,
        cx: &mut Context<'_>,
        response: &ResponseHead,
        up: &mut Peer,
        upload: &mut Upload,
        meter: &mut Meter,
    ) -> Poll<Result<Step, Failure>> {
        // An early answer: the request may still be on its way.
        if !upload.is_over()
            && let Poll::Ready(Err(failure)) = self.poll_upload(cx, up, upload)
        {
            return Poll::Ready(Err(failure));
        }
        match poll_pump(up, self.down, cx, meter, response_trailers, |_| {}) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(Step::Done)),
            Poll::Ready(Err(PumpError::Source(error))) => {
                return Poll::Ready(Err(cut_short(error, meter, response)));
            }
            Poll::Ready(Err(PumpError::Sink(error))) => {
                return Poll::Ready(Err(Failure::new(
                    Cause::ClientDisconnected,
                    format!("the client left in the middle of the answer: {}", error.0),
                )));
            }
            Poll::Pending => {}
        }
        if upload.is_complete() && !meter.blocked_on_sink && self.down.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::new(
                Cause::ClientDisconnected,
                "the client left in the middle of the answer",
            )));
        }
        if self.worker.stage() == Stage::Ending {
            return Poll::Ready(Err(Failure::new(
                Cause::GatewayDraining,
                "the gateway is stopping; the answer was cut short",
            )));
        }
        self.timer.poll(cx).map(|()| Ok(Step::TimedOut))
    }
}

fn is_event_stream(fields: &Fields) -> bool {
    fields.get(Known::ContentType).is_some_and(|value| value.starts_with(b"text/event-stream"))
}

fn stalled(meter: &Meter, stall: std::time::Duration) -> Failure {
    if meter.blocked_on_sink {
        return Failure::new(
            Cause::ClientDisconnected,
            format!("the client read nothing of the answer for {stall:?}"),
        );
    }
    Failure::new(
        Cause::UpstreamBodyTimedOut,
        format!("no byte of the body came for {stall:?}, after {} bytes", meter.bytes),
    )
}

/// The answer broke off after its head had come.
fn cut_short(error: ReceiveError, meter: &Meter, response: &ResponseHead) -> Failure {
    let of = match response.body {
        BodyLength::Known(length) => format!(" of {length}"),
        _ => String::new(),
    };
    let after = format!("after {}{of} bytes of the body", meter.bytes);
    match error {
        ReceiveError::Closed => Failure::new(
            Cause::UpstreamClosedMidResponse,
            format!("the service closed the connection {after}"),
        ),
        ReceiveError::Reset(detail) => Failure::new(
            Cause::UpstreamClosedMidResponse,
            format!("the service reset the connection {after}: {detail}"),
        ),
        ReceiveError::Tls(error) => {
            Failure::new(Cause::UpstreamProtocolError, format!("TLS broke {after}: {error}"))
        }
        ReceiveError::Malformed(malformed) => Failure::new(
            Cause::UpstreamProtocolError,
            format!("the body's framing broke {after}: {}", malformed.detail),
        ),
        ReceiveError::Protocol(detail) => {
            Failure::new(Cause::UpstreamProtocolError, format!("it broke {after}: {detail}"))
        }
    }
}
