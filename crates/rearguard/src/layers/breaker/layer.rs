use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{BreakerPermit, SelectBreaker};
use crate::{
    BoxError, Error, Guard, Outcome, guard,
    layers::classify::{ByStatus, Classify},
};

/// Calls what fails no more, until probes succeed.
///
/// ```
/// use http::{Request, Response};
/// use rearguard::{BoxError, ErrorKind, layers::{BreakerLayer, BreakerOptions, CircuitBreaker}};
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let breaker = CircuitBreaker::new(BreakerOptions::new("stock").consecutive_failures(2))?;
/// let stock = service_fn(async |_: Request<()>| {
///     Ok::<_, BoxError>(Response::builder().status(503).body(())?)
/// });
/// let mut stock = BreakerLayer::new(breaker.clone()).layer(stock);
/// for _ in 0..2 {
///     assert_eq!(stock.ready().await?.call(Request::new(())).await?.status(), 503);
/// }
/// let refused = stock.ready().await?.call(Request::new(())).await.unwrap_err();
/// let refused = refused.downcast::<rearguard::Error>()?;
/// assert_eq!(refused.kind(), ErrorKind::CircuitOpen);
/// assert_eq!(breaker.snapshot().refused, 1);
/// # Ok(())
/// # }
/// ```
///
/// - **Goes by** a [`CircuitBreaker`](super::CircuitBreaker), a [`BreakerSet`](super::BreakerSet) with
///   one for each authority, or a set with keys of your own ([`BreakerSet::keyed`](super::BreakerSet::keyed)).
/// - **On clone**: clones go by the same breakers.
/// - **Not ready**: readiness is that of the service inside, and reserves nothing here.
/// - **Cancelled**: a call whose future is dropped does not count, and a probe's place is given back;
///   unless the [`CallContext`](crate::CallContext)'s deadline has passed: then it has failed.
/// - **A panic** inside counts as a failure, and goes on.
#[derive(Clone, Debug)]
pub struct BreakerLayer<K, C = ByStatus> {
    by: K,
    classify: C,
}

impl<K> BreakerLayer<K> {
    /// Goes by these breakers; how a call went is told by [`ByStatus`].
    #[must_use]
    pub const fn new(by: K) -> Self {
        Self { by, classify: ByStatus }
    }
}

impl<K, C> BreakerLayer<K, C> {
    /// Says how a call went: [`ByError`](crate::layers::ByError) where it is not HTTP, or a closure.
    #[must_use]
    pub fn classify_by<D>(self, classify: D) -> BreakerLayer<K, D> {
        BreakerLayer { by: self.by, classify }
    }
}

impl<S, K: Clone, C: Clone> Layer<S> for BreakerLayer<K, C> {
    type Service = Breaker<S, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Breaker { inner, layer: self.clone() }
    }
}

/// A service behind a breaker, made by [`BreakerLayer`].
#[derive(Clone, Debug)]
pub struct Breaker<S, K, C = ByStatus> {
    inner: S,
    layer: BreakerLayer<K, C>,
}

impl<S, K, C, Request> Service<Request> for Breaker<S, K, C>
where
    S: Service<Request, Error: Into<BoxError>>,
    K: SelectBreaker<Request>,
    C: Classify<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let permit = match self.layer.by.select(&request).map(|it| it.acquire()).transpose() {
            Ok(permit) => permit,
            Err(error) => return ResponseFuture::Refused { error: Some(error) },
        };
        // A panic of the call itself.
        let permit = guard(permit, panicked);
        let inner = self.inner.call(request);
        let permit = Guard::into_inner(permit);
        ResponseFuture::Calling { inner, permit, classify: self.layer.classify.clone() }
    }
}

fn panicked(permit: Option<BreakerPermit>) {
    if let Some(permit) = permit {
        permit.finish(Outcome::Panicked);
    }
}

pin_project! {
    /// A call behind a breaker.
    #[project = Projection]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub enum ResponseFuture<F, C> {
        /// It was let through.
        #[doc(hidden)]
        Calling {
            // Before the permit, so that the call has stopped when its place is given back.
            #[pin]
            inner: F,
            permit: Option<BreakerPermit>,
            classify: C,
        },
        /// It was refused.
        #[doc(hidden)]
        Refused { error: Option<Error> },
    }
}

impl<F, C, R, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
    C: Classify<R>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projection::Calling { inner, permit, classify } => {
                let held = guard(permit.take(), panicked);
                let polled = inner.poll(context).map_err(Into::into);
                let held = Guard::into_inner(held);
                match (&polled, held) {
                    (Poll::Ready(result), Some(held)) => held.finish(classify.outcome(result)),
                    (_, held) => *permit = held,
                }
                polled
            }
            Projection::Refused { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => unreachable!("polled after it was done"),
            },
        }
    }
}
