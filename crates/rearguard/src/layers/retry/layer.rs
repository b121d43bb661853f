use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use http::{HeaderName, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    DefaultRetryRule, MayRepeat, ReplayBody, ResponseFuture, RetryBudget, RetryOptions, RetryRule,
    StopReason, body::Replay,
};
use crate::{BoxError, CallContext, Error};

/// The header that numbers the tries of a request, from 1: Envoy's, and so Istio's.
pub const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");

/// Sends again what failed and may be sent again.
///
/// ```
/// use http::{Request, Response};
/// use rearguard::{BoxError, layers::{ReplayBody, RetryLayer, RetryOptions}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let stock = service_fn(async |request: Request<ReplayBody<String>>| {
///     let status = if request.headers()["x-envoy-attempt-count"] == "1" { 503 } else { 200 };
///     Ok::<_, BoxError>(Response::builder().status(status).body(())?)
/// });
/// let layer = RetryLayer::new(RetryOptions::new())?;
/// let answer = layer.layer(stock).oneshot(Request::get("/").body(String::new())?).await?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(layer.snapshot().recovered, 1);
/// # Ok(())
/// # }
/// ```
///
/// What may be sent again is told by a [`RetryRule`] and [`Repeat`](super::Repeat); each try has the
/// header [`ATTEMPT_COUNT`], and its body is a [`ReplayBody`]. When there is no further try, the last
/// result goes out: an answer with [`RetriesSpent`] in its extensions, an error as the source of a
/// `retries_spent`, with the context `tries` and `why`.
///
/// - **On clone**: clones share the budget and the counts.
/// - **Not ready**: readiness is that of the service inside. A call takes the ready service along, and
///   makes it ready again for each retry; the budget's retry is taken before the wait.
/// - **Cancelled**: the try, or the wait, is dropped; a retry that was not sent goes back to the budget.
/// - **A panic** inside goes on, and is not retried.
#[derive(Debug)]
pub struct RetryLayer<R = DefaultRetryRule>(Arc<Policy<R>>);

pub(super) struct Policy<R> {
    pub(super) options: RetryOptions,
    pub(super) budget: RetryBudget,
    pub(super) rule: R,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) stopped: [AtomicU64; StopReason::ALL.len()],
}

/// What a [`RetryLayer`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetrySnapshot {
    /// Requests that came.
    pub requests: u64,
    /// Tries beyond the first that were sent.
    pub retries: u64,
    /// Requests whose last try, beyond the first, had a result that stood.
    pub recovered: u64,
    stopped: [u64; StopReason::ALL.len()],
}

impl RetrySnapshot {
    /// Requests that were not sent again, because of this.
    #[must_use]
    pub const fn stopped(&self, reason: StopReason) -> u64 {
        self.stopped[reason as usize]
    }
}

/// In the extensions of an answer that failed, and whose request was not sent again although it might
/// have been.
///
/// ```
/// use http::{Request, Response};
/// use rearguard::{BoxError, layers::{ReplayBody, RetryLayer, RetryOptions, retry}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let stock = service_fn(async |_: Request<ReplayBody<String>>| {
///     Ok::<_, BoxError>(Response::builder().status(503).body(())?)
/// });
/// let layer = RetryLayer::new(RetryOptions::new().attempts(2))?;
/// let answer = layer.layer(stock).oneshot(Request::get("/").body(String::new())?).await?;
/// let spent = answer.extensions().get::<retry::RetriesSpent>().unwrap();
/// assert_eq!((spent.tries, spent.reason), (2, retry::StopReason::Attempts));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetriesSpent {
    /// How often the request was sent.
    pub tries: u32,
    /// Why not once more.
    pub reason: StopReason,
}

impl RetryLayer {
    /// By the [`DefaultRetryRule`].
    ///
    /// # Errors
    /// `invalid_input` says which option cannot be.
    pub fn new(options: RetryOptions) -> Result<Self, Error> {
        Self::with_rule(options, DefaultRetryRule)
    }
}

impl<R> RetryLayer<R> {
    /// By a rule of your own.
    ///
    /// # Errors
    /// `invalid_input` says which option cannot be.
    pub fn with_rule(options: RetryOptions, rule: R) -> Result<Self, Error> {
        options.check()?;
        let budget = options.budget.clone().unwrap_or_default();
        Ok(Self(Arc::new(Policy { options, budget, rule, counts: Counts::default() })))
    }

    /// What it has done.
    #[must_use]
    pub fn snapshot(&self) -> RetrySnapshot {
        let counts = &self.0.counts;
        RetrySnapshot {
            requests: counts.requests.load(Relaxed),
            retries: counts.retries.load(Relaxed),
            recovered: counts.recovered.load(Relaxed),
            stopped: StopReason::ALL.map(|reason| counts.stopped[reason as usize].load(Relaxed)),
        }
    }

    /// Its budget.
    #[must_use]
    pub fn budget(&self) -> &RetryBudget {
        &self.0.budget
    }
}

impl<R> Clone for RetryLayer<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Policy<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("options", &self.options)
            .field("budget", &self.budget)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<S, R> Layer<S> for RetryLayer<R> {
    type Service = Retry<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry { inner, layer: self.clone() }
    }
}

/// A service whose calls are retried, made by [`RetryLayer`].
#[derive(Debug)]
pub struct Retry<S, R = DefaultRetryRule> {
    inner: S,
    layer: RetryLayer<R>,
}

impl<S: Clone, R> Clone for Retry<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, R, B, T> Service<Request<B>> for Retry<S, R>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<T>, Error: Into<BoxError>> + Clone,
    R: RetryRule<T>,
    B: Body<Error: Into<BoxError>>,
{
    type Response = Response<T>;
    type Error = BoxError;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let policy = Arc::clone(&self.layer.0);
        policy.counts.requests.fetch_add(1, Relaxed);
        policy.budget.deposit();
        // The one that is ready goes along; its clone may not be.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        let (parts, body) = request.into_parts();
        let may_repeat = parts.extensions.get::<MayRepeat>().is_some()
            || policy.options.repeat.allows(&parts.method, &parts.headers);
        ResponseFuture::new(
            service,
            policy,
            parts,
            Replay::new(body),
            may_repeat,
            CallContext::current(),
        )
    }
}
