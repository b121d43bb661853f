//! The request's body on its way to the service, and the bounds on how long that may take.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use model::Cause;
use tokio::time::Instant;

use super::{Exchange, way::Way};
use crate::{
    failure::Failure,
    forward::request_trailers,
    message::RequestHead,
    peer::{Meter, Peer, PumpError, ReceiveError, poll_pump},
};

/// How far the request's body has come.
#[derive(Debug)]
pub(super) struct Upload {
    meter: Meter,
    /// Whether the body has been received to its end.
    received: bool,
    /// Whether everything has gone out to the service, or no more of it is wanted.
    over: bool,
    /// When that was.
    over_at: Option<Instant>,
    /// What has been received so far, so that it can be sent again; `None` once that is too much.
    replay: Option<Vec<u8>>,
    replay_limit: usize,
    /// How much of the replay this try has sent.
    replayed: usize,
    /// Whether the client waits for `100 Continue`.
    awaits_continue: bool,
    had_trailers: bool,
}

impl Upload {
    pub(super) fn new(head: &RequestHead, replay_limit: usize, now: Instant) -> Self {
        let empty = !head.has_body();
        Self {
            meter: Meter::default(),
            received: empty,
            over: false,
            over_at: empty.then_some(now),
            replay: Some(Vec::new()),
            replay_limit,
            replayed: 0,
            awaits_continue: head.expects_continue,
            had_trailers: false,
        }
    }

    /// Whether nothing more will go out to the service.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the whole request has gone out.
    pub(super) const fn is_complete(&self) -> bool {
        self.over && self.received
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.meter.bytes
    }

    /// The head went out with the end of the stream.
    pub(super) fn sent_with_head(&mut self, end: bool) {
        if end {
            self.end();
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.over_at.get_or_insert_with(Instant::now);
    }

    /// Whether what has been sent can be sent again.
    pub(super) const fn can_repeat(&self) -> bool {
        self.replay.is_some() && !self.had_trailers
    }

    /// Another try begins.
    pub(super) fn rewind(&mut self) {
        self.over = false;
        self.over_at = self.received.then(Instant::now);
        self.replayed = 0;
    }

    /// Whether the client waits to be told to go on.
    pub(super) const fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    /// An interim response came: the client need not be waited for any longer.
    pub(super) const fn continued(&mut self) {
        self.awaits_continue = false;
    }

    /// Whether it is for the client to go on: not where it rightly waits for `100 Continue`.
    pub(super) const fn waits_for_client(&self) -> bool {
        let asked_first = self.awaits_continue && self.meter.bytes == 0;
        self.over_at.is_none() && !self.received && !asked_first
    }

    /// Whether it is the service that does not take what is there.
    pub(super) const fn is_blocked(&self) -> bool {
        self.over_at.is_none() && self.meter.blocked_on_sink
    }

    /// Whether anything has moved since this was last asked.
    pub(super) const fn take_moved(&mut self) -> bool {
        std::mem::replace(&mut self.meter.moved, false)
    }

    fn keep(&mut self, data: &[u8]) {
        if let Some(replay) = &mut self.replay {
            if replay.len() + data.len() > self.replay_limit {
                self.replay = None;
            } else {
                replay.extend_from_slice(data);
                self.replayed = replay.len();
            }
        }
    }
}

impl Exchange<'_> {
    /// Sends the request on. What the service's side does not take is no failure by itself: the
    /// answer, or its absence, will tell.
    pub(super) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Poll<Result<(), Failure>> {
        match ready!(self.poll_upload_parts(cx, up, upload)) {
            Ok(()) | Err(PumpError::Sink(_)) => {
                upload.end();
                self.draft.request_bytes = upload.bytes();
                Poll::Ready(Ok(()))
            }
            Err(PumpError::TooLong) => {
                self.draft.request_bytes = upload.bytes();
                Poll::Ready(Err(self.body_too_large()))
            }
            Err(PumpError::Source(error)) => {
                self.draft.request_bytes = upload.bytes();
                Poll::Ready(Err(match error {
                    ReceiveError::Malformed(malformed) => malformed.into(),
                    ReceiveError::Closed | ReceiveError::Reset(_) | ReceiveError::Tls(_) => {
                        Failure::new(
                            Cause::ClientDisconnected,
                            "the client left in the middle of its request",
                        )
                    }
                    ReceiveError::Protocol(detail) => Failure::new(Cause::ClientBadRequest, detail),
                }))
            }
        }
    }

    fn poll_upload_parts(
        &mut self,
        cx: &mut Context<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Poll<Result<(), PumpError>> {
        // What an earlier try has read already.
        while let Some(rest) = upload.replay.as_deref().map(|replay| &replay[upload.replayed..])
            && !rest.is_empty()
        {
            let taken = ready!(up.poll_send(cx, rest)).map_err(PumpError::Sink)?;
            upload.replayed += taken;
        }
        if upload.received {
            return up.poll_end(cx, None).map_err(PumpError::Sink);
        }
        let mut meter = std::mem::take(&mut upload.meter);
        meter.most = Some(self.worker.settings.limits.request_body_bytes);
        let pumped = poll_pump(self.down, up, cx, &mut meter, request_trailers, |data| {
            upload.keep(data);
        });
        upload.meter = meter;
        ready!(pumped)?;
        upload.received = true;
        upload.had_trailers = self.down.trailers().is_some();
        Poll::Ready(Ok(()))
    }

    /// By when the whole answer must have come. The caller's deadline runs from the request's head;
    /// a route's timeout begins once the request has come in whole, so that until then there is none.
    pub(super) fn whole_by(&self, way: &Way<'_>, upload: &Upload) -> Option<Instant> {
        let started = self.draft.started;
        let begin = if way.times.callers { started } else { upload.over_at?.max(started) };
        way.times.whole.map(|whole| begin + whole)
    }

    /// Sets the timer for what is being waited for.
    pub(super) fn arm(&mut self, way: &Way<'_>, upload: &Upload) {
        let timeouts = &self.worker.settings.timeouts;
        let started = self.draft.started;
        let deadline = match upload.over_at {
            None if upload.waits_for_client() && way.times.may_stall => {
                let stall = Instant::now() + timeouts.request_stall;
                let callers = way.times.whole.filter(|_| way.times.callers);
                Some(callers.map_or(stall, |limit| stall.min(started + limit)))
            }
            over_at => {
                let begin = over_at.unwrap_or_else(Instant::now);
                let whole = self
                    .whole_by(way, upload)
                    .or_else(|| way.times.whole.map(|whole| begin + whole));
                let status_line = way.times.status_line.map(|limit| begin + limit);
                match (whole, status_line) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                }
            }
        };
        self.timer.set(deadline);
    }

    /// The timer fired while the answer was being waited for.
    pub(super) fn timed_out(&self, way: &Way<'_>, upload: &mut Upload) -> Result<(), Failure> {
        if let Some(limit) = way.times.whole.filter(|_| way.times.callers && !upload.is_blocked()) {
            let sent_at = upload.over_at.unwrap_or_else(Instant::now);
            if sent_at.saturating_duration_since(self.draft.started) >= limit {
                return Err(Failure::new(
                    Cause::ClientDeadlinePassed,
                    format!("the caller gave it {limit:?}, but took longer to send the request"),
                ));
            }
        }
        if upload.waits_for_client() && way.times.may_stall {
            if upload.take_moved() {
                return Ok(());
            }
            let stall = self.worker.settings.timeouts.request_stall;
            return Err(if upload.is_blocked() {
                Failure::new(
                    Cause::UpstreamResponseTimedOut,
                    format!("the service read nothing of the request's body for {stall:?}"),
                )
            } else {
                Failure::new(
                    Cause::ClientTooSlow,
                    format!("no byte of the request's body came for {stall:?}"),
                )
            });
        }
        let whole = way.times.whole.unwrap_or(Duration::MAX);
        let status_line = way.times.status_line.unwrap_or(Duration::MAX);
        let whose = if status_line < whole {
            "the default response timeout"
        } else if way.times.callers {
            "the caller's deadline"
        } else {
            "the route's timeout"
        };
        let limit = whole.min(status_line);
        Err(Failure::new(
            Cause::UpstreamResponseTimedOut,
            format!("no status line within {whose} of {limit:?}"),
        ))
    }
}
