//! The service's answer on its way to the client.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use model::Cause;
use tokio::time::Instant;

use super::{Exchange, body::Upload, way::Way};
use crate::{
    failure::Failure,
    forward::{is_grpc, response_trailers},
    message::{BodyLength, Fields, Known, ResponseHead},
    peer::{Meter, Peer, PumpError, ReceiveError, poll_pump},
    settings::Timeouts,
    verdict,
    worker::Stage,
};

/// How an answer ended that ended well.
pub(super) struct Transferred {
    /// Whether the service's connection can be used again.
    pub(super) reusable: bool,
    /// When it ended.
    pub(super) at: Instant,
}

/// Why transferring paused.
enum Step {
    Done,
    Uploaded,
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
        began: Instant,
    ) -> Result<Transferred, Failure> {
        self.draft.in_band.read(&response.fields);
        // The rest of the request will hardly be wanted, so the client is told that the connection
        // ends here.
        if !upload.is_complete() && (response.status >= 400 || !response.keep_alive) {
            self.after = self.after.max_close();
        }
        self.send_head(&response, &way.response_changes())?;
        #[cfg(test)]
        super::panics::point(self.head.path(), "/panic-midway");
        let mut meter = Meter::default();
        let done = self.carry(way, &response, up, upload, &mut meter, began).await;
        let ended = Instant::now();
        self.draft.phases.transfer = Some(ended - began);
        self.draft.ended = Some(ended);
        self.draft.response_bytes = meter.bytes;
        self.draft.request_bytes = upload.bytes();
        if let Some(trailers) = up.trailers() {
            self.draft.in_band.read(trailers);
        }
        done?;
        self.judge(way, &response);
        // A request that did not go out whole leaves both connections in the middle of it.
        if !upload.is_complete() {
            self.after = self.after.max_close();
        }
        Ok(Transferred { reusable: response.keep_alive && upload.is_complete(), at: ended })
    }

    fn judge(&mut self, way: &Way<'_>, response: &ResponseHead) {
        let promised = way.shared().promises.handler_deadline;
        let deadline = promised.or(way.times.whole);
        let in_band = &mut self.draft.in_band;
        if !is_grpc(&response.fields) {
            in_band.grpc_status = None;
        }
        self.draft.failure = verdict::of_answer(response.status, in_band, deadline);
    }

    async fn carry(
        &mut self,
        way: &Way<'_>,
        response: &ResponseHead,
        up: &mut Peer,
        upload: &mut Upload,
        meter: &mut Meter,
        mut now: Instant,
    ) -> Result<(), Failure> {
        let may_stall = way.times.may_stall && !is_event_stream(&response.fields);
        let stalls = Stalls { timeouts: self.worker.settings.timeouts, may_stall };
        let patience = stalls.shortest(upload);
        let mut moved_at = now;
        loop {
            let whole = self.whole_by(way, upload);
            let look_at = now + patience;
            self.timer.set(Some(whole.map_or(look_at, |whole| whole.min(look_at))));
            let step = poll_fn(|cx| self.poll_carry(cx, response, up, upload, meter)).await?;
            match step {
                Step::Done => return Ok(()),
                // A route's timeout begins now.
                Step::Uploaded => now = Instant::now(),
                Step::TimedOut => {
                    now = Instant::now();
                    if whole.is_some_and(|whole| now >= whole) {
                        return Err(overdue(meter, way.times.whole.unwrap_or_default()));
                    }
                    if std::mem::take(&mut meter.moved) | upload.take_moved() {
                        moved_at = now;
                    } else if let Some(failure) =
                        stalls.judge(meter, upload, response.status, now - moved_at)
                    {
                        return Err(failure);
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
            && let Poll::Ready(uploaded) = self.poll_upload(cx, up, upload)
        {
            return Poll::Ready(uploaded.map(|()| Step::Uploaded));
        }
        match poll_pump(up, self.down, cx, meter, response_trailers, |_| {}) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(Step::Done)),
            Poll::Ready(Err(PumpError::Source(error))) => {
                return Poll::Ready(Err(cut_short(error, meter, response)));
            }
            // An answer's body has no bound.
            Poll::Ready(Err(PumpError::TooLong)) => {}
            Poll::Ready(Err(PumpError::Sink(error))) => {
                return Poll::Ready(Err(Failure::new(
                    Cause::ClientDisconnected,
                    format!("the client left in the middle of the answer: {}", error.0),
                )));
            }
            Poll::Pending => {}
        }
        let all_read = upload.is_complete() && !meter.blocked_on_sink;
        if (all_read || self.down.tells_when_gone()) && self.down.poll_gone(cx).is_ready() {
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

/// How long nothing may move while an answer is passed on.
struct Stalls {
    timeouts: Timeouts,
    /// Whether a silent body is a fault.
    may_stall: bool,
}

impl Stalls {
    /// How often to look.
    fn shortest(&self, upload: &Upload) -> Duration {
        let Timeouts { client_stall, response_stall, request_stall, .. } = self.timeouts;
        match (self.may_stall, upload.is_complete()) {
            (false, _) => client_stall,
            (true, true) => client_stall.min(response_stall),
            (true, false) => client_stall.min(response_stall).min(request_stall),
        }
    }

    /// Whose fault it is that nothing has moved for so long, once that is too long.
    fn judge(
        &self,
        meter: &Meter,
        upload: &Upload,
        status: u16,
        idle: Duration,
    ) -> Option<Failure> {
        let Timeouts { client_stall, response_stall, request_stall, .. } = self.timeouts;
        if meter.blocked_on_sink {
            return (idle >= client_stall).then(|| {
                Failure::new(
                    Cause::ClientDisconnected,
                    format!("the client read nothing of the answer for {client_stall:?}"),
                )
            });
        }
        if !self.may_stall {
            return None;
        }
        // A service that has begun to answer well may want the rest of the request first.
        if upload.waits_for_client() && !upload.is_blocked() && status < 400 {
            return (idle >= request_stall).then(|| {
                Failure::new(
                    Cause::ClientTooSlow,
                    format!("no byte of the request's body came for {request_stall:?}"),
                )
            });
        }
        (idle >= response_stall).then(|| {
            let bytes = meter.bytes;
            Failure::new(
                Cause::UpstreamBodyTimedOut,
                format!("no byte of the body came for {response_stall:?}, after {bytes} bytes"),
            )
        })
    }
}

/// The time for the whole answer is over.
fn overdue(meter: &Meter, limit: Duration) -> Failure {
    if meter.blocked_on_sink {
        return Failure::new(
            Cause::ClientDisconnected,
            format!("the client did not take the answer within the timeout of {limit:?}"),
        );
    }
    Failure::new(
        Cause::UpstreamBodyTimedOut,
        format!("the answer was not whole within the timeout of {limit:?}"),
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
