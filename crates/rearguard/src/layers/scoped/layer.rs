use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{ResponseBody, ResponseFuture, serving::Serving};
use crate::{
    BoxError, Options,
    layers::{after_response::AfterResponse, head::RequestHead, timer::Bounds},
};

/// Bodies of at most so many bytes are collected before the answer begins, where all of it is there
/// at once, unless [`ScopedLayer::buffered_bytes`] says otherwise.
pub const DEFAULT_BUFFERED_BYTES: u64 = 64 * 1024;

/// Opens a scope for each request, which ends with the response body.
///
/// * The handler, and the body, run with the request's [`CallContext`](crate::CallContext), which
///   goes on with the caller's trace or begins one, and reach the scope by
///   [`RequestScope::current`](crate::layers::RequestScope::current).
/// * The outcome is that of the answer: by `rearguard-outcome`, by `grpc-status`, by the status. An
///   error of the service or of the body is `failed`. A body that is dropped before its end, and a
///   future that is dropped, are `cancelled`; then the cleanups run in the
///   [`Reaper`](crate::Reaper).
/// * A panic ends the scope as `panicked`, and goes on: see
///   [`RecoverLayer`](crate::layers::RecoverLayer).
/// * The answer says how long work and cleanup took, and how it ended if not well: in its headers
///   where the body is small and there at once, else in its trailers, where they reach the caller.
///
/// **On clone** the service clones the one inside; the options are shared. **Not ready** is what the
/// one inside says. **Cancelled**, it drops the handler first, then hands the cleanups to the reaper.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::{Options, layers::ScopedLayer};
///
/// let options = Options::new().named("orders").cleanup_deadline(Duration::from_secs(5));
/// let layer = ScopedLayer::new().options(options).buffered_bytes(16 * 1024);
/// # drop(layer);
/// ```
#[derive(Clone, Debug)]
pub struct ScopedLayer(Policy);

/// What is the same for every request.
#[derive(Clone, Debug)]
pub(in crate::layers) struct Policy {
    pub(in crate::layers) options: Options,
    pub(in crate::layers) after: AfterResponse,
    pub(in crate::layers) buffered_bytes: u64,
    pub(in crate::layers) panics: Panics,
    pub(in crate::layers) bounds: Bounds,
}

/// What becomes of a panic once the cleanups have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layers) enum Panics {
    GoOn,
    Answered,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            options: Options::new(),
            after: AfterResponse::default(),
            buffered_bytes: DEFAULT_BUFFERED_BYTES,
            panics: Panics::GoOn,
            bounds: Bounds::NONE,
        }
    }
}

impl ScopedLayer {
    /// A layer whose scopes have no name and the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self(Policy::default())
    }

    /// Sets the name and the bounds of the scopes. [`Options::deadline`] does not count here: see
    /// [`DeadlineLayer`](crate::layers::DeadlineLayer).
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.0.options = options;
        self
    }

    /// Bounds the body that is collected before the answer begins.
    #[must_use]
    pub fn buffered_bytes(mut self, bytes: u64) -> Self {
        self.0.buffered_bytes = bytes;
        self
    }

    /// Sets where [`after_response`](crate::layers::RequestScope::after_response) puts cleanup.
    #[must_use]
    pub fn after_response(mut self, after: AfterResponse) -> Self {
        self.0.after = after;
        self
    }
}

impl Default for ScopedLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ScopedLayer {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped::new(inner, self.0.clone())
    }
}

/// Serves each request in a scope: see [`ScopedLayer`] and
/// [`ServiceLayer`](crate::layers::ServiceLayer).
#[derive(Clone)]
pub struct Scoped<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> Scoped<S> {
    pub(in crate::layers) fn new(inner: S, policy: Policy) -> Self {
        Self { inner, policy: Arc::new(policy) }
    }
}

impl<S, A, B> Service<Request<A>> for Scoped<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B, S::Error>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let serving = Serving::begin(&self.policy, &RequestHead::read(&request));
        // Called at once, so it is the one that was ready.
        ResponseFuture::begin(serving, || self.inner.call(request))
    }
}

impl<S: fmt::Debug> fmt::Debug for Scoped<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("inner", &self.inner).field("policy", &self.policy).finish()
    }
}
