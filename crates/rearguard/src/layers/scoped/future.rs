use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_LENGTH};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    Panics, ResponseBody,
    ahead::{Ahead, More},
    body::Streaming,
    serving::{Part, Serving},
};
use crate::{
    BoxError, Outcome, Panic,
    layers::{
        answer::Reason,
        head::AnswerBody,
        outcome::{self, GRPC_STATUS, Protocol},
        stats,
    },
};

pin_project! {
    /// From a request to the head of its answer: the future of [`Scoped`](super::Scoped).
    #[must_use = "it does nothing unless it is polled; dropped, the request is cancelled"]
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        work: Work<F>,
        // None once the answer was given.
        serving: Option<Serving>,
        // Boxed, as few have to wait.
        ending: Option<Box<Ending<B, E>>>,
    }

    impl<F, B, E> PinnedDrop for ResponseFuture<F, B, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let (Some(serving), None) = (this.serving.as_mut(), this.ending.as_ref()) {
                // Still with its context, and before its scope; its panic is nobody's.
                drop(serving.run(|| this.work.set(Work::Gone)));
            }
        }
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F> {
        Made { #[pin] future: F },
        Gone,
    }
}

/// The answer that waits for the cleanups.
struct Ending<B, E> {
    outcome: Outcome,
    result: Result<Response<ResponseBody<B>>, Failure<E>>,
}

enum Failure<E> {
    Service(E),
    Panicked(Panic),
}

/// What the handler came to, with what of its body is there at once.
struct Answered<B, E> {
    answer: Result<Response<B>, E>,
    ahead: Ahead,
    more: More,
}

impl<F, B, E> ResponseFuture<F, B, E> {
    /// Makes the handler's future, unless the deadline has passed.
    #[inline]
    pub(super) fn begin(serving: Serving, make: impl FnOnce() -> F) -> Self {
        let is_late = serving.is_late();
        // Built where it stays: what was just written is dear to move.
        let mut this = Self { work: Work::Gone, serving: Some(serving), ending: None };
        let Self { work, serving: Some(serving), ending } = &mut this else {
            unreachable!("set above")
        };
        if is_late {
            *ending = Some(Box::new(Ending::timed_out(serving)));
        } else if let Err(panic) = serving.run(|| *work = Work::Made { future: make() }) {
            *ending = Some(Box::new(Ending::panicked(panic, serving)));
        }
        this
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(serving) = this.serving else { unreachable!("polled after it was done") };
        let ending = match this.ending.take() {
            Some(ending) => *ending,
            None => {
                let (bound, body) = (serving.buffered_bytes, serving.body);
                let work = this.work.as_mut();
                let mut answered = None;
                let polled = serving.run(|| work.poll(bound, body, context, &mut answered));
                match (polled, answered) {
                    (Ok(Poll::Ready(())), Some(answered)) => match answered.end(serving) {
                        Ok(ending) => ending,
                        Err(answered) => {
                            return Poll::Ready(answered.stream(this.serving.take()));
                        }
                    },
                    (Ok(_), _) => {
                        ready!(serving.poll_deadline(Part::Head, context));
                        drop(serving.run(|| this.work.set(Work::Gone)));
                        Ending::timed_out(serving)
                    }
                    (Err(panic), _) => {
                        drop(serving.run(|| this.work.set(Work::Gone)));
                        Ending::panicked(panic, serving)
                    }
                }
            }
        };
        let Poll::Ready(measured) = serving.poll_end(ending.outcome, context) else {
            *this.ending = Some(Box::new(ending));
            return Poll::Pending;
        };
        *this.serving = None;
        match ending.result {
            Ok(mut answer) => {
                if measured.is_notable() {
                    measured.write(answer.headers_mut());
                }
                Poll::Ready(Ok(answer))
            }
            Err(Failure::Service(error)) => Poll::Ready(Err(error)),
            Err(Failure::Panicked(panic)) => panic.resume(),
        }
    }
}

impl<F> Work<F> {
    /// Until there is an answer, and all of its body that is there with it.
    #[inline]
    fn poll<B, E>(
        mut self: Pin<&mut Self>,
        bound: u64,
        sent: AnswerBody,
        context: &mut Context<'_>,
        answered: &mut Option<Answered<B, E>>,
    ) -> Poll<()>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let WorkProjection::Made { future } = self.as_mut().project() else {
            unreachable!("there until it is ready")
        };
        let answer = ready!(future.poll(context));
        let Answered { answer, ahead, more } =
            answered.insert(Answered { answer, ahead: Ahead::default(), more: More::No });
        self.set(Self::Gone);
        match (answer, sent) {
            (Ok(answer), AnswerBody::Sent) => {
                (*ahead, *more) = Ahead::take(answer.body_mut(), bound, context);
            }
            (Ok(_), AnswerBody::Dropped) => *more = More::Yes,
            (Err(_), _) => {}
        }
        Poll::Ready(())
    }
}

impl<B, E> Answered<B, E> {
    /// Ends the request where the answer is whole; else it comes back.
    #[inline]
    fn end(self, serving: &Serving) -> Result<Ending<B, E>, Self> {
        let Self { answer, ahead, more } = self;
        let answer = match answer {
            Ok(answer) if more == More::No || serving.body == AnswerBody::Dropped => answer,
            Ok(answer) => return Err(Self { answer: Ok(answer), ahead, more }),
            Err(error) => {
                let result = Err(Failure::Service(error));
                return Ok(Ending { outcome: Outcome::Failed, result });
            }
        };
        let trailers = ahead.trailers().and_then(outcome::of_trailers);
        let outcome = match trailers {
            _ if ahead.has_failed() => Outcome::Failed,
            Some(outcome) => outcome,
            None => outcome::of_head(answer.status(), answer.headers()),
        };
        let answer =
            answer.map(|body| ResponseBody::new(ahead, (more == More::Yes).then_some(body), None));
        Ok(Ending { outcome, result: Ok(answer) })
    }

    /// The answer whose body is still to come.
    fn stream(self, serving: Option<Serving>) -> Result<Response<ResponseBody<B>>, E>
    where
        B: Body,
    {
        let (mut head, rest) = self.answer?.into_parts();
        let ahead = self.ahead;
        let streaming = serving.map(|serving| {
            let mut said = outcome::of_head(head.status, &head.headers);
            // One of gRPC that ends without a status has failed.
            let unsaid = !head.headers.contains_key(GRPC_STATUS);
            if serving.protocol == Protocol::Grpc && unsaid && said == Outcome::Succeeded {
                said = Outcome::Failed;
            }
            let exact = rest.size_hint().exact().map(|left| left + ahead.bytes());
            let left = exact.or_else(|| declared_length(&head.headers));
            Streaming::new(serving, said, left, &mut head.headers)
        });
        Ok(Response::from_parts(head, ResponseBody::new(ahead, Some(rest), streaming)))
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<B, E> Ending<B, E> {
    fn timed_out(serving: &Serving) -> Self {
        stats::count_deadline_passed();
        Self::answered(Reason::TIMED_OUT, serving)
    }

    fn panicked(panic: Panic, serving: &Serving) -> Self {
        match serving.panics {
            Panics::Answered => {
                stats::count_recovered();
                Self::answered(Reason::PANICKED, serving)
            }
            Panics::GoOn => {
                Self { outcome: Outcome::Panicked, result: Err(Failure::Panicked(panic)) }
            }
        }
    }

    fn answered(reason: Reason, serving: &Serving) -> Self {
        let answer = reason.answer(serving.protocol, serving.context());
        let answer = answer.map(|body| ResponseBody::new(Ahead::whole(body), None, None));
        Self { outcome: reason.outcome, result: Ok(answer) }
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("serving", &self.serving).finish_non_exhaustive()
    }
}
