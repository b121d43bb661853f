//! The body of a response.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    exchange::{Exchange, Rest},
    failure,
    limit::{DEADLINE, after},
};
use crate::{Closing, Error, Held, Outcome, OwnedScope};

/// The body of a response. The connection is another request's when it was read to its end.
///
/// Dropped before, what is left of it is read in the background where it is short
/// ([`DRAIN_MAX_BYTES`](super::DRAIN_MAX_BYTES) within [`DRAIN_DEADLINE`](super::DRAIN_DEADLINE)) and
/// the connection kept, or else it is closed.
///
/// Its errors are `body_timed_out`, `closed_mid_response`, `protocol_error` and, where the connection
/// was closed by us, `cancelled`.
#[must_use = "a body that is dropped unread costs a read or a connection"]
pub struct Body(Option<Box<Reading>>);

struct Reading {
    // Before the scope, so that it is back when the scope's cleanup looks for it.
    exchange: Option<Held<Exchange>>,
    scope: Option<OwnedScope>,
    closing: Option<Closing>,
    bounds: Bounds,
    timer: Option<Pin<Box<Sleep>>>,
    stalled_at: Instant,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) deadline: Option<Instant>,
    pub(super) stall_timeout: Duration,
}

impl Body {
    pub(super) const fn empty() -> Self {
        Self(None)
    }

    pub(super) fn new(exchange: Held<Exchange>, scope: OwnedScope, bounds: Bounds) -> Self {
        Self(Some(Box::new(Reading {
            exchange: Some(exchange),
            scope: Some(scope),
            closing: None,
            timer: None,
            stalled_at: bounds.stalled_at(),
            bounds,
        })))
    }
}

impl Bounds {
    /// When a pause that begins now is too long.
    fn stalled_at(&self) -> Instant {
        after(Instant::now(), self.stall_timeout)
    }
}

impl Reading {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(exchange) = &mut self.exchange else {
            return self.poll_closing(context).map(|()| None);
        };
        let Rest::Body(body) = &mut exchange.rest else { return Poll::Ready(None) };
        match Pin::new(&mut *body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if body.is_end_stream() {
                    self.end(Rest::Nothing, Outcome::Succeeded, context);
                } else {
                    self.stalled_at = self.bounds.stalled_at();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = failure::in_body(&error, &exchange.turn);
                self.end(Rest::Broken, error.kind().outcome(), context);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end(Rest::Nothing, Outcome::Succeeded, context);
                self.poll_closing(context).map(|()| None)
            }
            Poll::Pending => {
                let limit = ready!(self.poll_timer(context));
                let Some(exchange) = &self.exchange else { return Poll::Ready(None) };
                let error = failure::body_timed_out(limit, &exchange.turn);
                self.end(Rest::Broken, Outcome::TimedOut, context);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    /// Ready, with its name, when a bound has passed.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<&'static str> {
        let (at, limit) = match self.bounds.deadline {
            Some(deadline) if deadline <= self.stalled_at => (deadline, DEADLINE),
            _ => (self.stalled_at, "body_stall_timeout"),
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(context).map(|()| limit)
    }

    /// The response has ended, and so does its scope.
    fn end(&mut self, rest: Rest, outcome: Outcome, context: &mut Context<'_>) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.rest = rest;
        }
        self.closing = self.scope.take().map(|scope| scope.end(outcome));
        // What is not done at once is done by the next poll, or by the reaper.
        let _mostly_done = self.poll_closing(context);
    }

    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(closing) = &mut self.closing {
            drop(ready!(Pin::new(closing).poll(context)));
            self.closing = None;
        }
        Poll::Ready(())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(reading) = &mut self.0 else { return Poll::Ready(None) };
        reading.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|reading| reading.exchange.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        let exchange = self.0.as_ref().and_then(|reading| reading.exchange.as_ref());
        match exchange.map(|exchange| &exchange.rest) {
            Some(Rest::Body(body)) => body.size_hint(),
            _ => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("ended", &self.is_end_stream()).finish_non_exhaustive()
    }
}
