//! A panic costs one request: it becomes an answer.
//!
//! tower-http's `CatchPanic` does so for the handler's future; here it is the same for a body that
//! panics on its way, for gRPC, and the answer says to the gateway what it was.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{answer::Reason, head::RequestHead, outcome::Protocol, source::Source, stats};
use crate::{BoxError, CallContext, Panic};

/// Makes a panic of the handler, in making its future, in the future or in the body, an answer: 500,
/// or INTERNAL for gRPC, with the trace id and `rearguard-outcome: panicked`.
///
/// Where the head was sent already, the body ends in an error, or in trailers that say INTERNAL, so
/// that the caller does not take it for whole. The process lives, the connection stays usable, and
/// [`Stats::recovered`](super::Stats::recovered) counts it. The trace id is that of the
/// [`CallContext`] at hand, else the caller's. A panic of `poll_ready` is not caught: there is no
/// request to answer.
///
/// **On clone** the service clones the one inside. **Not ready** is what the one inside says.
/// **Cancelled**, it drops the handler.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use rearguard::layers::RecoverLayer;
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # std::panic::set_hook(Box::new(|_| {}));
/// let broken = get(async || -> &'static str { panic!("a bug") });
/// let app = Router::new().route("/", broken).layer(RecoverLayer::new());
/// let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 500);
/// assert_eq!(answer.headers()["rearguard-outcome"], "panicked");
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RecoverLayer {}

impl RecoverLayer {
    /// The layer; it has no options.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S> Layer<S> for RecoverLayer {
    type Service = Recover<S>;

    fn layer(&self, inner: S) -> Recover<S> {
        Recover { inner }
    }
}

/// Makes panics answers: see [`RecoverLayer`].
#[derive(Clone, Debug)]
pub struct Recover<S> {
    inner: S,
}

impl<S, A, B> Service<Request<A>> for Recover<S>
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
        let caught = Caught { protocol: head.protocol, context: head.context() };
        // Called at once, so it is the one that was ready.
        let work = match catch(|| self.inner.call(request)) {
            Ok(future) => Work::Made { future },
            Err(_) => Work::Panicked,
        };
        ResponseFuture { work, caught: Some(caught) }
    }
}

/// How a panic of this request is answered.
#[derive(Debug)]
struct Caught {
    protocol: Protocol,
    context: Option<CallContext>,
}

impl Caught {
    fn answer(&self) -> Response<Bytes> {
        stats::count_recovered();
        Reason::PANICKED.answer(self.protocol, self.context().as_ref())
    }

    fn cut(&self) -> Result<Frame<Bytes>, BoxError> {
        stats::count_recovered();
        Reason::PANICKED.cut(self.protocol, self.context().as_ref())
    }

    fn context(&self) -> Option<CallContext> {
        CallContext::current().or_else(|| self.context.clone())
    }
}

fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
}

pin_project! {
    /// The future of [`Recover`].
    #[must_use = "it does nothing unless it is polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        work: Work<F>,
        caught: Option<Caught>,
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F> {
        Made { #[pin] future: F },
        Panicked,
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
        let polled = match this.work.as_mut().project() {
            WorkProjection::Made { future } => match catch(|| future.poll(context)) {
                Ok(polled) => Some(ready!(polled)),
                Err(_) => None,
            },
            WorkProjection::Panicked => None,
        };
        let Some(caught) = this.caught.take() else { unreachable!("polled after it was done") };
        // The handler may also panic as it is dropped; then its answer is void.
        let dropped = catch(|| this.work.set(Work::Panicked));
        let answer = match (polled, dropped) {
            (Some(Ok(answer)), Ok(())) => answer.map(|body| Source::Handler { body }),
            (Some(Err(error)), _) => return Poll::Ready(Err(error)),
            _ => caught.answer().map(|body| Source::Layer { body }),
        };
        Poll::Ready(Ok(answer.map(|source| ResponseBody { source, caught })))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("caught", &self.caught).finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of [`Recover`]'s answers. Its error is that of the body inside, or an
    /// [`Error`](crate::Error) of kind `panicked`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
        caught: Caught,
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
        let Ok(polled) = catch(|| this.source.as_mut().poll(context)) else {
            drop(catch(|| this.source.set(Source::Ended)));
            return Poll::Ready(Some(this.caught.cut()));
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
