//! The time that a request has: by its route's word and by its caller's.
//!
//! tower-http's `Timeout` knows the route's only, does not tell the handler, and answers no gRPC.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answer::Reason,
    head::RequestHead,
    outcome::Protocol,
    source::Source,
    stats,
    timer::{Bounds, CallerTimeout, Covers, Deadlines, Timer},
};
use crate::{BoxError, CallContext};

/// Bounds the time of a request: the least of the route's own and the caller's `grpc-timeout` and
/// `x-envoy-expected-rq-timeout-ms`.
///
/// The handler has the deadline in its [`CallContext`], from where it goes to every call made
/// inside. When it passes, the work is dropped where it waits, and the answer is 504, or
/// DEADLINE_EXCEEDED for gRPC, with `rearguard-outcome: timed_out`. A request whose deadline has
/// passed when it comes is not begun. What is [covered](Self::covers) of the body ends in an error,
/// or in trailers that say DEADLINE_EXCEEDED. A handler that blocks its thread cannot be
/// interrupted.
///
/// **On clone** the service clones the one inside. **Not ready** is what the one inside says; waiting
/// for it takes none of the time. **Cancelled**, it drops the handler.
///
/// ```
/// use std::time::Duration;
///
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use rearguard::layers::DeadlineLayer;
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let slow = get(async || tokio::time::sleep(Duration::from_secs(60)).await);
/// let app = Router::new().route("/", slow).layer(DeadlineLayer::new(Duration::from_secs(2)));
/// let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 504);
/// assert_eq!(answer.headers()["rearguard-outcome"], "timed_out");
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer(Bounds);

impl DeadlineLayer {
    /// So much time from the request to the head of its answer, and less where the caller says so.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self(Bounds {
            timeout: Some(timeout),
            covers: Covers::Head,
            caller: CallerTimeout::Trusted,
        })
    }

    /// Only the caller's time.
    #[must_use]
    pub const fn of_caller() -> Self {
        Self(Bounds { timeout: None, covers: Covers::Head, caller: CallerTimeout::Trusted })
    }

    /// Says what the layer's own time covers.
    #[must_use]
    pub const fn covers(mut self, covers: Covers) -> Self {
        self.0.covers = covers;
        self
    }

    /// Says whether the caller's word counts.
    #[must_use]
    pub const fn caller(mut self, caller: CallerTimeout) -> Self {
        self.0.caller = caller;
        self
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, bounds: self.0 }
    }
}

/// Bounds the time of requests: see [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    bounds: Bounds,
}

impl<S, A, B> Service<Request<A>> for Deadline<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let head = RequestHead::read(&request);
        let now = Instant::now();
        let deadlines = self.bounds.deadlines(&head, now);
        let protocol = head.protocol;
        let context = deadlines.head.map(|deadline| {
            CallContext::current().or_else(|| head.context()).unwrap_or_default().until(deadline)
        });
        let bounded = Bounded { deadlines, protocol, context, timer: Timer::default() };
        // Called at once, so it is the one that was ready.
        let work = match deadlines.head {
            Some(deadline) if deadline <= now => Work::Gone,
            _ => Work::Made { future: bounded.within(|| self.inner.call(request)) },
        };
        ResponseFuture { work, bounded: Some(bounded) }
    }
}

/// A request whose time is bounded.
#[derive(Debug)]
struct Bounded {
    deadlines: Deadlines,
    protocol: Protocol,
    /// Where there is a deadline.
    context: Option<CallContext>,
    timer: Timer,
}

impl Bounded {
    fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.context {
            Some(context) => context.clone().sync_scope(work),
            None => work(),
        }
    }
}

pin_project! {
    /// The future of [`Deadline`].
    #[must_use = "it does nothing unless it is polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        work: Work<F>,
        bounded: Option<Bounded>,
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F> {
        Made { #[pin] future: F },
        // It was not begun, or was dropped.
        Gone,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(bounded) = this.bounded else { unreachable!("polled after it was done") };
        let answer = match this.work.as_mut().project() {
            WorkProjection::Made { future } => match bounded.within(|| future.poll(context)) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => {
                    ready!(bounded.timer.poll(bounded.deadlines.head, context));
                    bounded.within(|| this.work.set(Work::Gone));
                    None
                }
            },
            WorkProjection::Gone => None,
        };
        let Some(bounded) = this.bounded.take() else { unreachable!("there, as it was polled") };
        let answer = match answer {
            Some(answer) => answer?.map(|body| Source::Handler { body }),
            None => {
                stats::count_deadline_passed();
                let answer = Reason::TIMED_OUT.answer(bounded.protocol, bounded.context.as_ref());
                answer.map(|body| Source::Layer { body })
            }
        };
        Poll::Ready(Ok(answer.map(|source| ResponseBody { source, bounded })))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("bounded", &self.bounded).finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of [`Deadline`]'s answers. Its error is that of the body inside, or an
    /// [`Error`](crate::Error) of kind `deadline_passed`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
        bounded: Bounded,
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let bounded = this.bounded;
        if let Poll::Ready(next) = bounded.within(|| this.source.as_mut().poll(context)) {
            return Poll::Ready(next);
        }
        ready!(bounded.timer.poll(bounded.deadlines.body, context));
        bounded.within(|| this.source.set(Source::Ended));
        stats::count_deadline_passed();
        let cut = Reason::TIMED_OUT.cut(bounded.protocol, bounded.context.as_ref());
        Poll::Ready(Some(cut))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
