use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{
    Panics,
    ahead::Ahead,
    serving::{Part, Serving},
};
use crate::{
    BoxError, Outcome, Panic,
    layers::{
        answer::Reason,
        head::Trailers,
        outcome,
        report::{self, Measured},
        stats,
    },
};

/// The body of an answer, which ends its request's scope when it ends.
///
/// Its error is that of the body inside, or an [`Error`](crate::Error) of kind `panicked` or
/// `deadline_passed`.
pub struct ResponseBody<B> {
    ahead: Ahead,
    inner: Option<B>,
    /// None where the scope has ended.
    streaming: Option<Box<Streaming>>,
}

/// What a body that ends a scope has beside its frames.
#[derive(Debug)]
pub(super) struct Streaming {
    serving: Serving,
    /// As far as is known.
    outcome: Outcome,
    /// How many bytes are still to come: a server may not ask for the end once it has them all.
    left: Option<u64>,
    report: Report,
    last: Option<Last>,
}

/// Where it is said how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Trailers,
    Nowhere,
}

/// What is given out when the cleanups have run.
#[derive(Debug)]
enum Last {
    Frame(Frame<Bytes>),
    End,
    Error(BoxError),
    Panic(Panic),
}

impl<B> ResponseBody<B> {
    /// One whose scope has ended, or is about to.
    #[inline]
    pub(super) fn new(ahead: Ahead, inner: Option<B>) -> Self {
        Self { ahead, inner, streaming: None }
    }

    /// Makes it end a scope.
    pub(super) fn stream(&mut self, streaming: Streaming) {
        self.streaming = Some(Box::new(streaming));
    }

    /// How many bytes it has, if that is known.
    pub(super) fn bytes_to_come(&self) -> Option<u64>
    where
        B: Body,
    {
        Some(self.inner.as_ref()?.size_hint().exact()? + self.ahead.bytes())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { ahead, inner, streaming } = self.get_mut();
        let Some(state) = streaming else {
            return match (ahead.pop(), inner) {
                (Some(next), _) => Poll::Ready(Some(next)),
                (None, Some(inner)) => poll_inner(inner, context),
                (None, None) => Poll::Ready(None),
            };
        };
        if state.last.is_none() {
            let next = match ahead.pop() {
                Some(next) => Some(next),
                None => match ready!(state.poll_next(inner, context)) {
                    Next::Came(next) => next,
                    Next::Cut(last) => {
                        state.last = Some(last);
                        None
                    }
                },
            };
            if state.last.is_none() {
                let ended = inner.as_ref().is_none_or(B::is_end_stream) && ahead.is_empty();
                if let Some(frame) = state.pass_on(next, ended) {
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            // With all its locals, before the cleanups run.
            drop(state.serving.run(|| *inner = None));
        }
        let measured = ready!(state.serving.poll_end(state.outcome, context));
        let Some(Streaming { last: Some(last), report, .. }) = streaming.take().map(|it| *it)
        else {
            unreachable!("set above")
        };
        Poll::Ready(last.given_out(report, &measured))
    }

    fn is_end_stream(&self) -> bool {
        self.streaming.is_none()
            && self.ahead.is_empty()
            && self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), B::size_hint);
        let ahead = self.ahead.bytes();
        if ahead > 0 {
            // The upper bound first, so that it stays above the lower one.
            if let Some(upper) = hint.upper() {
                hint.set_upper(upper.saturating_add(ahead));
            }
            hint.set_lower(hint.lower().saturating_add(ahead));
        }
        hint
    }
}

fn poll_inner<B>(
    inner: &mut B,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let next = ready!(Pin::new(inner).poll_frame(context));
    Poll::Ready(next.map(|next| next.map_err(Into::into)))
}

/// What came of a body.
enum Next {
    Came(Option<Result<Frame<Bytes>, BoxError>>),
    /// It panicked, or took too long.
    Cut(Last),
}

impl Streaming {
    pub(super) fn new(
        serving: Serving,
        outcome: Outcome,
        left: Option<u64>,
        head: &mut HeaderMap,
    ) -> Self {
        let report = match serving.trailers {
            Trailers::Always => Report::Trailers,
            // Only where it is chunked.
            Trailers::Announced if left.is_none() => {
                report::announce(head);
                Report::Trailers
            }
            Trailers::Announced | Trailers::Never => Report::Nowhere,
        };
        Self { serving, outcome, left, report, last: None }
    }

    fn poll_next<B>(&mut self, inner: &mut Option<B>, context: &mut Context<'_>) -> Poll<Next>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let Some(body) = inner else { return Poll::Ready(Next::Came(None)) };
        let reason = match self.serving.run(|| poll_inner(body, context)) {
            Ok(Poll::Ready(next)) => return Poll::Ready(Next::Came(next)),
            Ok(Poll::Pending) => {
                ready!(self.serving.poll_deadline(Part::Body, context));
                stats::count_deadline_passed();
                Reason::TIMED_OUT
            }
            Err(panic) => {
                if self.serving.panics == Panics::GoOn {
                    self.outcome = Outcome::Panicked;
                    return Poll::Ready(Next::Cut(Last::Panic(panic)));
                }
                stats::count_recovered();
                Reason::PANICKED
            }
        };
        self.outcome = reason.outcome;
        let cut = reason.cut(self.serving.protocol, self.serving.context());
        Poll::Ready(Next::Cut(cut.map_or_else(Last::Error, Last::Frame)))
    }

    /// Gives out what has come, unless it is the last: that waits for the cleanups.
    fn pass_on(
        &mut self,
        next: Option<Result<Frame<Bytes>, BoxError>>,
        ended: bool,
    ) -> Option<Frame<Bytes>> {
        let last = match next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let length = data.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    // Where trailers follow it is not the last.
                    if self.report == Report::Trailers || !(ended || self.left == Some(0)) {
                        return Some(frame);
                    }
                }
                if let Some(said) = frame.trailers_ref().and_then(outcome::of_trailers) {
                    self.outcome = said;
                }
                Last::Frame(frame)
            }
            Some(Err(error)) => {
                self.outcome = Outcome::Failed;
                Last::Error(error)
            }
            None => Last::End,
        };
        self.last = Some(last);
        None
    }
}

impl Last {
    fn given_out(
        self,
        report: Report,
        measured: &Measured,
    ) -> Option<Result<Frame<Bytes>, BoxError>> {
        match self {
            Self::Frame(frame) => Some(Ok(match frame.into_trailers() {
                Ok(mut trailers) => {
                    if measured.is_notable() {
                        measured.write(&mut trailers);
                    }
                    Frame::trailers(trailers)
                }
                Err(data) => data,
            })),
            Self::End if report == Report::Trailers && measured.is_notable() => {
                let mut trailers = HeaderMap::with_capacity(2);
                measured.write(&mut trailers);
                Some(Ok(Frame::trailers(trailers)))
            }
            Self::End => None,
            Self::Error(error) => Some(Err(error)),
            Self::Panic(panic) => panic.resume(),
        }
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        if let Some(state) = &mut self.streaming {
            // Still with its context, and before its scope; its panic is nobody's.
            drop(state.serving.run(|| self.inner = None));
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("streaming", &self.streaming).finish_non_exhaustive()
    }
}
