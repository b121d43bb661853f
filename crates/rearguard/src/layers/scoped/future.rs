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

/// What waits for the cleanups: an answer or, where a panic goes on, that.
struct Ending<B, E> {
    outcome: Outcome,
    answer: Option<Result<Response<ResponseBody<B>>, E>>,
    panic: Option<Panic>,
}

/// What follows on an answer.
enum Next {
    Ends(Outcome),
    /// Its body is still to come.
    Streams,
}

impl<F, B, E> ResponseFuture<F, B, E> {
    /// Makes the handler's future, unless the deadline has passed.
    #[inline(always)]
    pub(super) fn begin(serving: Serving, make: impl FnOnce() -> F) -> Self {
        // Built where it stays: what was just written is dear to move.
        let mut this = Self { work: Work::Gone, serving: Some(serving), ending: None };
        let Self { work, serving: Some(serving), ending } = &mut this else {
            unreachable!("set above")
        };
        if serving.is_late() {
            ending.insert(Box::default()).time_out(serving);
        } else if let Err(panic) = serving.run(|| *work = Work::Made { future: make() }) {
            ending.insert(Box::default()).panic(panic, serving);
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
        let mut ending = Ending::default();
        if let Some(waiting) = this.ending.take() {
            ending = *waiting;
        } else {
            let (bound, body) = (serving.buffered_bytes, serving.body);
            let (work, answer) = (this.work.as_mut(), &mut ending.answer);
            match serving.run(|| work.poll(bound, body, context, answer)) {
                Ok(Poll::Ready(Next::Ends(outcome))) => ending.outcome = outcome,
                Ok(Poll::Ready(Next::Streams)) => {
                    let (Some(answer), Some(serving)) = (ending.answer, this.serving.take()) else {
                        unreachable!("there, as they were polled")
                    };
                    return Poll::Ready(answer.map(|answer| stream(answer, serving)));
                }
                Ok(Poll::Pending) => {
                    ready!(serving.poll_deadline(Part::Head, context));
                    drop(serving.run(|| this.work.set(Work::Gone)));
                    ending.time_out(serving);
                }
                Err(panic) => {
                    drop(serving.run(|| this.work.set(Work::Gone)));
                    ending.panic(panic, serving);
                }
            }
        }
        let Poll::Ready(measured) = serving.poll_end(ending.outcome, context) else {
            *this.ending = Some(Box::new(ending));
            return Poll::Pending;
        };
        *this.serving = None;
        if let Some(panic) = ending.panic {
            panic.resume();
        }
        if let Some(Ok(answer)) = &mut ending.answer
            && measured.is_notable()
        {
            measured.write(answer.headers_mut());
        }
        let Some(answer) = ending.answer else { unreachable!("there, as there is no panic") };
        Poll::Ready(answer)
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
        to: &mut Option<Result<Response<ResponseBody<B>>, E>>,
    ) -> Poll<Next>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let WorkProjection::Made { future } = self.as_mut().project() else {
            unreachable!("there until it is ready")
        };
        let answer = ready!(future.poll(context));
        self.set(Self::Gone);
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                *to = Some(Err(error));
                return Poll::Ready(Next::Ends(Outcome::Failed));
            }
        };
        let (ahead, more) = match sent {
            AnswerBody::Sent => Ahead::take(answer.body_mut(), bound, context),
            AnswerBody::Dropped => (Ahead::default(), More::Yes),
        };
        let next = if more == More::Yes && sent == AnswerBody::Sent {
            Next::Streams
        } else if ahead.has_failed() {
            Next::Ends(Outcome::Failed)
        } else {
            let said = ahead.trailers().and_then(outcome::of_trailers);
            Next::Ends(said.unwrap_or_else(|| outcome::of_head(answer.status(), answer.headers())))
        };
        *to = Some(Ok(
            answer.map(|body| ResponseBody::new(ahead, (more == More::Yes).then_some(body)))
        ));
        Poll::Ready(next)
    }
}

/// Hands the request over to the body of its answer.
fn stream<B: Body>(
    mut answer: Response<ResponseBody<B>>,
    serving: Serving,
) -> Response<ResponseBody<B>> {
    let headers = answer.headers();
    let said = outcome::of_head(answer.status(), headers);
    let grpc = serving.protocol == Protocol::Grpc || Protocol::of(headers) == Protocol::Grpc;
    // One of gRPC that ends without a status has failed.
    let said = match said {
        Outcome::Succeeded if grpc && !headers.contains_key(&GRPC_STATUS) => Outcome::Failed,
        said => said,
    };
    let left = answer.body().bytes_to_come().or_else(|| declared_length(headers));
    let streaming = Streaming::new(serving, said, left, answer.headers_mut());
    answer.body_mut().stream(streaming);
    answer
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<B, E> Default for Ending<B, E> {
    #[inline]
    fn default() -> Self {
        Self { outcome: Outcome::Cancelled, answer: None, panic: None }
    }
}

impl<B, E> Ending<B, E> {
    #[cold]
    fn time_out(&mut self, serving: &Serving) {
        stats::count_deadline_passed();
        self.answer(Reason::TIMED_OUT, serving);
    }

    #[cold]
    fn panic(&mut self, panic: Panic, serving: &Serving) {
        match serving.panics {
            Panics::Answered => {
                stats::count_recovered();
                self.answer(Reason::PANICKED, serving);
            }
            Panics::GoOn => (self.outcome, self.panic) = (Outcome::Panicked, Some(panic)),
        }
    }

    fn answer(&mut self, reason: Reason, serving: &Serving) {
        let answer = reason.answer(serving.protocol, serving.context());
        self.outcome = reason.outcome;
        self.answer = Some(Ok(answer.map(|body| ResponseBody::new(Ahead::whole(body), None))));
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("serving", &self.serving).finish_non_exhaustive()
    }
}
