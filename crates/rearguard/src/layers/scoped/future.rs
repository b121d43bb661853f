use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    Panics, ResponseBody,
    ahead::Ahead,
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
        ending: Option<Ending<B, E>>,
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

/// What the handler came to.
enum Done<B, E> {
    Answered(Response<(Ahead, Option<B>)>),
    Failed(E),
}

impl<F, B, E> ResponseFuture<F, B, E> {
    /// Of a request whose future was made, or panicked meanwhile.
    pub(super) fn new(made: Result<F, Panic>, serving: Serving) -> Self {
        match made {
            Ok(future) => {
                Self { work: Work::Made { future }, serving: Some(serving), ending: None }
            }
            Err(panic) => Self {
                work: Work::Gone,
                ending: Some(Ending::panicked(panic, &serving)),
                serving: Some(serving),
            },
        }
    }

    /// Of a request whose deadline had passed when it came.
    pub(super) fn late(serving: Serving) -> Self {
        let ending = Some(Ending::timed_out(&serving));
        Self { work: Work::Gone, ending, serving: Some(serving) }
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
        if this.ending.is_none() {
            let bound = serving.buffered_bytes;
            let body = serving.body;
            let work = this.work.as_mut();
            *this.ending = Some(match serving.run(|| work.poll(bound, body, context)) {
                Ok(Poll::Pending) => {
                    ready!(serving.poll_deadline(Part::Head, context));
                    drop(serving.run(|| this.work.set(Work::Gone)));
                    Ending::timed_out(serving)
                }
                Ok(Poll::Ready(Done::Answered(answer))) => match Ending::of(answer, serving) {
                    Ok(ending) => ending,
                    Err((answer, said)) => {
                        let serving = this.serving.take();
                        return Poll::Ready(Ok(stream(answer, said, serving)));
                    }
                },
                Ok(Poll::Ready(Done::Failed(error))) => {
                    Ending { outcome: Outcome::Failed, result: Err(Failure::Service(error)) }
                }
                Err(panic) => {
                    drop(serving.run(|| this.work.set(Work::Gone)));
                    Ending::panicked(panic, serving)
                }
            });
        }
        let outcome = this.ending.as_ref().map_or(Outcome::Cancelled, |ending| ending.outcome);
        let measured = ready!(serving.poll_end(outcome, context));
        *this.serving = None;
        match this.ending.take().map(|ending| ending.result) {
            Some(Ok(mut answer)) => {
                measured.write(answer.headers_mut());
                Poll::Ready(Ok(answer))
            }
            Some(Err(Failure::Service(error))) => Poll::Ready(Err(error)),
            Some(Err(Failure::Panicked(panic))) => panic.resume(),
            None => unreachable!("set above"),
        }
    }
}

impl<F> Work<F> {
    /// Until there is an answer, and all of its body that is there with it.
    fn poll<B, E>(
        mut self: Pin<&mut Self>,
        bound: u64,
        sent: AnswerBody,
        context: &mut Context<'_>,
    ) -> Poll<Done<B, E>>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let WorkProjection::Made { future } = self.as_mut().project() else {
            unreachable!("there until it is ready")
        };
        let answer = ready!(future.poll(context));
        self.set(Self::Gone);
        Poll::Ready(match answer {
            Ok(answer) => Done::Answered(answer.map(|body| match sent {
                AnswerBody::Sent => Ahead::take(body, bound, context),
                AnswerBody::Dropped => (Ahead::default(), Some(body)),
            })),
            Err(error) => Done::Failed(error),
        })
    }
}

/// What waits for the end of its body: its head, with how it went as far as that tells.
type Begun<B> = (Response<(Ahead, Option<B>)>, Outcome);

impl<B, E> Ending<B, E> {
    /// That of an answer which is whole; back comes one that is not.
    fn of(answer: Response<(Ahead, Option<B>)>, serving: &Serving) -> Result<Self, Begun<B>> {
        let (ahead, rest) = answer.body();
        let said = outcome::of_head(answer.status(), answer.headers());
        if rest.is_some() && serving.body == AnswerBody::Sent {
            return Err((answer, said));
        }
        let outcome = match ahead.trailers() {
            _ if ahead.has_failed() => Outcome::Failed,
            Some(trailers) => outcome::of_trailers(trailers).unwrap_or(said),
            None => said,
        };
        let answer = answer.map(|(ahead, rest)| ResponseBody::new(ahead, rest, None));
        Ok(Self { outcome, result: Ok(answer) })
    }

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

/// The answer whose body is still to come.
fn stream<B: Body>(
    answer: Response<(Ahead, Option<B>)>,
    said: Outcome,
    serving: Option<Serving>,
) -> Response<ResponseBody<B>> {
    let (mut head, (ahead, rest)) = answer.into_parts();
    let streaming = serving.map(|serving| {
        // One of gRPC that ends without a status has failed.
        let unsaid = !head.headers.contains_key(GRPC_STATUS);
        let said = match serving.protocol {
            Protocol::Grpc if unsaid && said == Outcome::Succeeded => Outcome::Failed,
            _ => said,
        };
        let hint = rest.as_ref().and_then(|rest| rest.size_hint().exact());
        let left = hint.map(|left| left + ahead.bytes()).or_else(|| declared(&head.headers));
        Streaming::new(serving, said, left, &mut head.headers)
    });
    Response::from_parts(head, ResponseBody::new(ahead, rest, streaming))
}

/// The length that the head declares.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("serving", &self.serving).finish_non_exhaustive()
    }
}
