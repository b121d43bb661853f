//! Waiting for the service's answer, and what its absence means.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use model::{Cause, ConnectionUse};

use super::{Exchange, body::Upload, way::Way};
use crate::{
    failure::{Failure, tls_failed},
    h1::Asked,
    message::{Method, ResponseHead},
    peer::{Ending, Peer, ReceiveError},
    upstream::Endpoint,
    worker::Stage,
};

/// An idle race shows at once: the close was on its way when the request went out.
const IDLE_RACE: Duration = Duration::from_millis(5);

/// More interim answers to one request than this are a fault: each is held until the client takes
/// it, and puts the bound in time off.
const MAX_INTERIM: u32 = 32;

/// A try that brought no answer.
pub(super) struct Lost {
    pub(super) failure: Failure,
    /// Whether no service can have acted on the request, so that any method may be repeated.
    pub(super) unprocessed: bool,
    /// Whether the connection was closed before a byte of an answer came.
    pub(super) silent: bool,
}

impl Exchange<'_> {
    /// Waits for the head of the answer, while the request's body goes out.
    pub(super) async fn response(
        &mut self,
        way: &Way<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Result<ResponseHead, Lost> {
        let mut interim_answers = 0;
        loop {
            self.arm(way, upload);
            let step = poll_fn(|cx| self.poll_response(cx, up, upload)).await;
            match step {
                Ok(Step::Uploaded) => {}
                Ok(Step::TimedOut) => self.timed_out(way, upload).map_err(Lost::whole)?,
                Ok(Step::Head(response)) if response.status >= 200 || response.status == 101 => {
                    return Ok(response);
                }
                Ok(Step::Head(_)) if interim_answers == MAX_INTERIM => {
                    return Err(Lost::whole(Failure::new(
                        Cause::UpstreamProtocolError,
                        format!("more than {MAX_INTERIM} interim answers (1xx) came"),
                    )));
                }
                Ok(Step::Head(interim)) => {
                    interim_answers += 1;
                    self.pass_on_interim(&interim, upload);
                }
                Err(lost) => return Err(lost),
            }
        }
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Poll<Result<Step, Lost>> {
        if !upload.is_over() {
            match self.poll_upload(cx, up, upload) {
                // What is waited for changes, and with it the timer.
                Poll::Ready(Ok(())) if self.head.has_body() => {
                    return Poll::Ready(Ok(Step::Uploaded));
                }
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(Lost::whole(failure))),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        // An interim response may wait to go out; whether the client is there shows elsewhere.
        let _flushed = self.down.poll_flush(cx);
        let asked = Asked { head: self.head.method == Method::Head, upgrade: self.head.upgrade };
        let limits = &self.worker.settings.limits.head;
        let head = match up {
            Peer::H1(peer) => {
                let head = peer.poll_response_head(cx, limits, asked);
                let lost = peer.input.is_empty();
                let ending = if lost { Ending::ConnectionLost } else { Ending::Other };
                head.map_err(|error| (error, ending))
            }
            Peer::H2(peer) => peer.poll_response_head(cx),
        };
        if let Poll::Ready(head) = head {
            let head = head.map_err(|(error, ending)| Lost::new(error, ending));
            return Poll::Ready(head.map(Step::Head));
        }
        if (upload.is_over() || self.down.tells_when_gone()) && self.down.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Lost::whole(Failure::new(
                Cause::ClientDisconnected,
                "the client left before the service had answered",
            ))));
        }
        if self.worker.stage() == Stage::Ending {
            return Poll::Ready(Err(ended()));
        }
        self.timer.poll(cx).map(|()| Ok(Step::TimedOut))
    }

    /// `100 Continue` and the like go on to all clients but those of HTTP/1.0.
    pub(super) fn pass_on_interim(&mut self, interim: &ResponseHead, upload: &mut Upload) {
        upload.continued();
        if self.head.protocol == model::Protocol::Http10 {
            return;
        }
        match &mut *self.down {
            Peer::H1(peer) => super::answer::write_interim(peer, interim),
            Peer::H2(peer) => super::answer::send_h2_interim(peer, interim),
        }
    }

    /// What the end of a connection without an answer looks like, so that a panic, a write timeout
    /// and an idle race can be told apart.
    pub(super) fn describe_end(
        &self,
        way: &Way<'_>,
        endpoint: &Endpoint,
        cause: Cause,
        after: Duration,
    ) -> String {
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let what = if cause == Cause::UpstreamReset { "reset" } else { "closed" };
        let usage = self.draft.connection;
        let reused = matches!(usage, Some(ConnectionUse::Reused { .. }));
        let connection = match usage {
            Some(ConnectionUse::Reused { idle }) => {
                format!("a reused connection that had been idle for {:.1} ms", millis(idle))
            }
            _ => "a fresh connection".to_owned(),
        };
        let learned = {
            let mut times = endpoint.close_times.borrow_mut();
            if !(reused && after < IDLE_RACE) {
                times.closed_after(after);
            }
            times.write_timeout()
        };
        let reading = match (way.shared().promises.write_timeout, learned) {
            _ if reused && after < IDLE_RACE => {
                "at once on a reused connection: the idle race, a panic, or a deferred call of the \
                 request before it that panicked"
                    .to_owned()
            }
            // Go closes once the handler and what it deferred have returned, at or after its limit.
            (Some(declared), _) if after >= declared.mul_f64(0.9) => {
                "after its declared write timeout: the handler or its deferred cleanup took too long"
                    .to_owned()
            }
            (Some(_), _) => "before its declared write timeout: a panic, or the process died".to_owned(),
            (None, Some(learned)) => format!(
                "like the closes before it, later than any answer: the service has a write timeout \
                 of at most {learned:.1?}, and the handler or its deferred cleanup took too long"
            ),
            (None, None) => "a panic, a write timeout of the service, or the process died".to_owned(),
        };
        let after = millis(after);
        format!(
            "{what} without an answer {after:.1} ms after the request, on {connection}: {reading}"
        )
    }
}

/// What waiting for an answer brought.
enum Step {
    Uploaded,
    Head(ResponseHead),
    TimedOut,
}

fn ended() -> Lost {
    Lost::whole(Failure::new(
        Cause::GatewayDraining,
        "the gateway is stopping, and the time for requests in flight is over",
    ))
}

impl Lost {
    /// The failure stands, whatever could be repeated.
    pub(super) const fn whole(failure: Failure) -> Self {
        Self { failure, unprocessed: false, silent: false }
    }

    /// The request's head could not be given to an HTTP/2 connection.
    pub(super) fn unsent(error: h2::Error) -> Self {
        let detail = format!("the request could not be sent over HTTP/2: {error}");
        if error.is_go_away() || error.is_io() {
            let failure = Failure::new(Cause::UpstreamReset, detail);
            return Self { failure, unprocessed: true, silent: false };
        }
        Self::whole(Failure::new(Cause::ClientBadRequest, detail))
    }

    fn new(error: ReceiveError, ending: Ending) -> Self {
        // A reset of a reused connection is the idle race as much as a close is: the service's end
        // was closed when the request arrived.
        let silent = ending == Ending::ConnectionLost;
        let failure = match error {
            ReceiveError::Closed => {
                let detail = if silent { "closed" } else { "closed within the head of its answer" };
                Failure::new(Cause::UpstreamClosedBeforeResponse, detail)
            }
            ReceiveError::Reset(detail) => Failure::new(Cause::UpstreamReset, detail),
            ReceiveError::Tls(error) => return Self::whole(tls_failed(&error)),
            ReceiveError::Malformed(malformed) => {
                return Self::whole(Failure::new(Cause::UpstreamProtocolError, malformed.detail));
            }
            ReceiveError::Protocol(detail) => {
                return Self::whole(Failure::new(Cause::UpstreamProtocolError, detail));
            }
        };
        Self { failure, unprocessed: ending == Ending::Refused, silent }
    }
}
