//! Errors become answers, where a service must not fail.
//!
//! axum's services cannot fail, and tonic answers any error with UNKNOWN. axum's `HandleErrorLayer`
//! leaves what to answer to its user, and knows no gRPC.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answer::Reason, classify::of_error, fallback::OriginalFailure, outcome::Protocol,
    source::Source,
};
use crate::{BoxError, CallContext, Error, ErrorKind};

/// Makes an answer of every error: the status, or gRPC status, of its kind ([`ErrorKind::cause`]), else
/// 500 or INTERNAL; with `rearguard-outcome`, and the trace id. What the error said does not go out; it
/// stands in the answer's extensions, as an [`OriginalFailure`]. A `retries_spent` is answered as its
/// last try.
///
/// | kind | status | gRPC |
/// |---|---|---|
/// | `circuit_open`, `overloaded`, `queue_full`, `queue_timed_out` | 503 | UNAVAILABLE |
/// | `deadline_passed`, `response_timed_out` | 504 | DEADLINE_EXCEEDED |
/// | `connect_refused`, `reset`, `closed_before_response` | 502 | UNAVAILABLE |
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use rearguard::layers::{ErrorAnswerLayer, LimitLayer, LimitOptions, Limiter};
/// use tower::{ServiceBuilder, ServiceExt as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rearguard::Error> {
/// let limiter = Limiter::new(LimitOptions::new("api").limits(1, 1))?;
/// let limit = ServiceBuilder::new().layer(ErrorAnswerLayer::new()).layer(LimitLayer::new(limiter.clone()));
/// let app = Router::new().route("/", get(async || "served")).layer(limit);
/// let _all_there_is = limiter.acquire().await?;
/// let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// assert_eq!(answer.headers()["rearguard-outcome"], "failed");
/// # Ok(())
/// # }
/// ```
///
/// - **On clone** the service clones the one inside.
/// - **Not ready** is what the one inside says. An error of its readiness is answered to the next call,
///   in its place.
/// - **Cancelled**, it drops the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorAnswerLayer {}

impl ErrorAnswerLayer {
    /// There is nothing to choose.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<S> Layer<S> for ErrorAnswerLayer {
    type Service = ErrorAnswer<S>;

    fn layer(&self, inner: S) -> ErrorAnswer<S> {
        ErrorAnswer { inner, failed: None }
    }
}

/// Makes answers of errors: see [`ErrorAnswerLayer`].
#[derive(Debug)]
pub struct ErrorAnswer<S> {
    inner: S,
    /// Its readiness failed.
    failed: Option<BoxError>,
}

impl<S: Clone> Clone for ErrorAnswer<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), failed: None }
    }
}

impl<S, A, B> Service<Request<A>> for ErrorAnswer<S>
where
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_none() {
            self.failed = ready!(self.inner.poll_ready(context)).err().map(Into::into);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let protocol = Protocol::of(request.headers());
        let work = match self.failed.take() {
            Some(error) => Work::Failed { error: Some(error) },
            None => Work::Called { future: self.inner.call(request) },
        };
        ResponseFuture { work, protocol }
    }
}

pin_project! {
    /// The future of [`ErrorAnswer`].
    #[must_use = "it does nothing unless it is polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        work: Work<F>,
        protocol: Protocol,
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F> {
        Called { #[pin] future: F },
        Failed { error: Option<BoxError> },
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match this.work.project() {
            WorkProjection::Called { future } => match ready!(future.poll(context)) {
                Ok(answer) => {
                    return Poll::Ready(Ok(
                        answer.map(|body| ResponseBody { source: Source::Handler { body } })
                    ));
                }
                Err(error) => error.into(),
            },
            WorkProjection::Failed { error } => match error.take() {
                Some(error) => error,
                None => unreachable!("polled after it was done"),
            },
        };
        let answer = answer_to(&error, *this.protocol);
        Poll::Ready(Ok(answer.map(|body| ResponseBody { source: Source::Layer { body } })))
    }
}

fn answer_to(error: &BoxError, protocol: Protocol) -> Response<Bytes> {
    let kind = last_kind(error);
    let cause = kind.and_then(ErrorKind::cause);
    let status =
        cause.and_then(|cause| cause.status()).and_then(|it| StatusCode::from_u16(it).ok());
    let reason = Reason {
        status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        grpc_status: match cause.and_then(|cause| cause.grpc_status()) {
            Some(4) => "4",
            Some(14) => "14",
            _ => "13",
        },
        outcome: kind.map_or_else(|| of_error(error), ErrorKind::outcome),
        sentence: match kind {
            Some(ErrorKind::CircuitOpen) => {
                "what is needed for this failed, and is left alone for now"
            }
            Some(ErrorKind::Overloaded | ErrorKind::QueueFull | ErrorKind::QueueTimedOut) => {
                "there are too many requests at once"
            }
            Some(ErrorKind::DeadlinePassed) => "the deadline passed",
            _ => "the request failed",
        },
    };
    let mut answer = reason.answer(protocol, CallContext::current().as_ref());
    answer.extensions_mut().insert(OriginalFailure::of_error(reason.outcome, error));
    answer
}

/// Where retries are spent, that of the last try.
fn last_kind(error: &BoxError) -> Option<ErrorKind> {
    let first = Error::find(&**error)?;
    let last = std::error::Error::source(first).and_then(Error::find);
    match first.kind() {
        ErrorKind::RetriesSpent => last.map(Error::kind),
        kind => Some(kind),
    }
}

pin_project! {
    /// The body of [`ErrorAnswer`]'s answers.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
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
        self.project().source.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
