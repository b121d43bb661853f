use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    LimitPermit, Limiter,
    limiter::{Entered, Waiter},
};
use crate::{
    BoxError, Error,
    layers::classify::{ByStatus, Classify},
};

/// Lets as many calls through at once as can be served without a queue, and refuses the others.
///
/// ```
/// use http::{Request, Response};
/// use rearguard::{BoxError, layers::{LimitLayer, LimitOptions, Limiter}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let limiter = Limiter::new(LimitOptions::new("api"))?;
/// let api = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
/// LimitLayer::new(limiter.clone()).layer(api).oneshot(Request::new(())).await?;
/// assert_eq!((limiter.snapshot().permitted, limiter.snapshot().in_flight), (1, 0));
/// # Ok(())
/// # }
/// ```
///
/// A call holds its place until the head of the answer is there, which is also what it is measured
/// by.
///
/// - **On clone**: clones share the limiter.
/// - **Not ready**: readiness is that of the service inside. A place is taken by the call, never by
///   `poll_ready`, so none is kept by who was ready and did not call. A call that must wait takes the
///   ready service along.
/// - **Cancelled**: the place, or the place in the queue, is free again, and the call is not measured;
///   unless the [`CallContext`](crate::CallContext)'s deadline has passed: then it has timed out.
/// - **A panic** inside goes on, and the place is free again.
#[derive(Clone, Debug)]
pub struct LimitLayer<C = ByStatus> {
    limiter: Limiter,
    classify: C,
}

impl LimitLayer {
    /// By this limiter; how a call went is told by [`ByStatus`].
    #[must_use]
    pub const fn new(limiter: Limiter) -> Self {
        Self { limiter, classify: ByStatus }
    }
}

impl<C> LimitLayer<C> {
    /// Says how a call went: [`ByError`](crate::layers::ByError) where it is not HTTP, or a closure.
    #[must_use]
    pub fn classify_by<D>(self, classify: D) -> LimitLayer<D> {
        LimitLayer { limiter: self.limiter, classify }
    }
}

impl<S, C: Clone> Layer<S> for LimitLayer<C> {
    type Service = Limit<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Limit { inner, layer: self.clone() }
    }
}

/// A service behind a limit, made by [`LimitLayer`].
#[derive(Clone, Debug)]
pub struct Limit<S, C = ByStatus> {
    inner: S,
    layer: LimitLayer<C>,
}

impl<S, C, Request> Service<Request> for Limit<S, C>
where
    S: Service<Request, Error: Into<BoxError>> + Clone,
    C: Classify<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let state = match self.layer.limiter.enter() {
            Ok(Entered::Permitted(permit)) => {
                State::Calling { inner: self.inner.call(request), permit: Some(permit) }
            }
            Ok(Entered::Queued(waiter)) => {
                // The one that is ready goes along; its clone may not be.
                let clone = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, clone);
                State::Waiting { waiter, call: Some((service, request)) }
            }
            Err(error) => State::Refused { error: Some(error) },
        };
        ResponseFuture { state, classify: self.layer.classify.clone() }
    }
}

pin_project! {
    /// A call behind a limit.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, C>
    where
        S: Service<Request>,
    {
        #[pin]
        state: State<S, S::Future, Request>,
        classify: C,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, Request> {
        Waiting { #[pin] waiter: Waiter, call: Option<(S, Request)> },
        Calling {
            // Before the permit, so that the call has stopped when its place is free.
            #[pin]
            inner: F,
            permit: Option<LimitPermit>,
        },
        Refused { error: Option<Error> },
    }
}

impl<S, Request, C> Future for ResponseFuture<S, Request, C>
where
    S: Service<Request, Error: Into<BoxError>>,
    C: Classify<S::Response>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProjection::Waiting { waiter, call } = this.state.as_mut().project() {
            let next = match (ready!(waiter.poll(context)), call.take()) {
                (Ok(permit), Some((mut service, request))) => {
                    State::Calling { inner: service.call(request), permit: Some(permit) }
                }
                (Err(error), _) => State::Refused { error: Some(error) },
                (Ok(_), None) => unreachable!("taken once"),
            };
            this.state.set(next);
        }
        match this.state.project() {
            StateProjection::Calling { inner, permit } => {
                let result = ready!(inner.poll(context)).map_err(Into::into);
                if let Some(permit) = permit.take() {
                    permit.finish(this.classify.outcome(&result));
                }
                Poll::Ready(result)
            }
            StateProjection::Refused { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => unreachable!("polled after it was done"),
            },
            StateProjection::Waiting { .. } => unreachable!("set above"),
        }
    }
}

impl<S: Service<Request>, Request, C> fmt::Debug for ResponseFuture<S, Request, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
