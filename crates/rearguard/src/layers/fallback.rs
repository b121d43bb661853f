//! Another answer in the place of a failed one: from a cache, a default, a lesser service.
//!
//! An answer of a fallback is never taken for the real one: it has the header `rearguard-fallback`,
//! and what failed stands in its extensions.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use super::classify::{ByStatus, Classify, kind_of};
use crate::{BoxError, CallContext, Error, ErrorKind, Outcome};

/// The header of an answer that a fallback made; its value is the fallback's name.
pub const FALLBACK_HEADER: HeaderName = HeaderName::from_static("rearguard-fallback");

/// How long a fallback may take unless told otherwise. It is there to answer at once.
pub const DEFAULT_FALLBACK_WITHIN: Duration = Duration::from_secs(1);

/// What failed before another answer was made, in the extensions of that one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginalFailure {
    /// How the call went.
    pub outcome: Outcome,
    /// The answer's status, if there was an answer.
    pub status: Option<StatusCode>,
    /// The kind of the error, if it was one of ours.
    pub kind: Option<ErrorKind>,
    /// What the error said, if there was an error.
    pub message: Option<String>,
}

impl OriginalFailure {
    fn of<B>(outcome: Outcome, result: &Result<Response<B>, BoxError>) -> Self {
        match result {
            Ok(response) => {
                Self { outcome, status: Some(response.status()), kind: None, message: None }
            }
            Err(error) => Self::of_error(outcome, error),
        }
    }

    pub(super) fn of_error(outcome: Outcome, error: &BoxError) -> Self {
        Self { outcome, status: None, kind: kind_of(error), message: Some(error.to_string()) }
    }
}

/// What a fallback has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FallbackSnapshot {
    /// It answered.
    pub served: u64,
    /// It had no answer, and the failure went on.
    pub declined: u64,
    /// It was not done in time, and the failure went on.
    pub timed_out: u64,
}

#[derive(Debug, Default)]
struct Counts {
    served: AtomicU64,
    declined: AtomicU64,
    timed_out: AtomicU64,
}

/// Asks for another answer when a call failed.
///
/// ```
/// use http::{Request, Response, request::Parts};
/// use rearguard::{BoxError, layers::{FallbackLayer, fallback::OriginalFailure}};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let prices = service_fn(async |_: Request<()>| Err::<Response<String>, _>(BoxError::from("down")));
/// let cached = async |_: Parts, _: OriginalFailure| Some(Response::new("yesterday's".to_owned()));
/// let layer = FallbackLayer::new("cached-prices", cached)?;
/// let answer = layer.layer(prices).oneshot(Request::new(())).await?;
/// assert_eq!(answer.headers()["rearguard-fallback"], "cached-prices");
/// let failure = answer.extensions().get::<OriginalFailure>().unwrap();
/// assert_eq!(failure.message.as_deref(), Some("down"));
/// assert_eq!(layer.snapshot().served, 1);
/// # Ok(())
/// # }
/// ```
///
/// The fallback is handed the request's parts, of which a copy is made, and what failed. It answers
/// `None` where it has no answer: then the failure goes on as it was, as it does when the fallback
/// is not done in [`within`](Self::within) or in what is left of the
/// [`CallContext`]'s deadline. It is not asked when the call succeeded, nor when it was
/// cancelled, unless what cancelled it is a breaker or a limit on this side.
///
/// - **On clone**: the counts are shared.
/// - **Not ready**: readiness is that of the service inside. An error of it is no call, and goes out.
/// - **Cancelled**: whichever runs, the call or the fallback, is dropped.
/// - **A panic** of either goes on.
#[derive(Clone)]
pub struct FallbackLayer<H, C = ByStatus> {
    name: HeaderValue,
    handler: H,
    classify: C,
    within: Duration,
    counts: Arc<Counts>,
}

impl<H> FallbackLayer<H> {
    /// A fallback with a name, which its answers show.
    ///
    /// # Errors
    /// `invalid_input` if the name cannot stand in a header.
    pub fn new(name: &str, handler: H) -> Result<Self, Error> {
        let name = HeaderValue::from_str(name).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "fallback.new")
                .with("option", "name")
                .with("expected", "visible ASCII, as it stands in a header")
                .because(error)
        })?;
        Ok(Self {
            name,
            handler,
            classify: ByStatus,
            within: DEFAULT_FALLBACK_WITHIN,
            counts: Arc::default(),
        })
    }
}

impl<H, C> FallbackLayer<H, C> {
    /// Bounds the fallback's time.
    #[must_use]
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Says which calls failed.
    #[must_use]
    pub fn classify_by<D>(self, classify: D) -> FallbackLayer<H, D> {
        let Self { name, handler, within, counts, .. } = self;
        FallbackLayer { name, handler, classify, within, counts }
    }

    /// What it has done.
    #[must_use]
    pub fn snapshot(&self) -> FallbackSnapshot {
        FallbackSnapshot {
            served: self.counts.served.load(Relaxed),
            declined: self.counts.declined.load(Relaxed),
            timed_out: self.counts.timed_out.load(Relaxed),
        }
    }
}

impl<H, C> fmt::Debug for FallbackLayer<H, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer")
            .field("name", &self.name)
            .field("within", &self.within)
            .field("did", &self.snapshot())
            .finish_non_exhaustive()
    }
}

impl<S, H: Clone, C: Clone> Layer<S> for FallbackLayer<H, C> {
    type Service = Fallback<S, H, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback { inner, layer: self.clone() }
    }
}

/// A service with a fallback, made by [`FallbackLayer`].
#[derive(Clone, Debug)]
pub struct Fallback<S, H, C = ByStatus> {
    inner: S,
    layer: FallbackLayer<H, C>,
}

impl<S, H, A, C, B, R> Service<Request<B>> for Fallback<S, H, C>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    H: Fn(Parts, OriginalFailure) -> A + Clone,
    A: Future<Output = Option<Response<R>>>,
    C: Classify<Response<R>> + Clone,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, H, A, C, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        ResponseFuture {
            state: State::Calling { inner: self.inner.call(request), parts: Some(parts) },
            layer: self.layer.clone(),
        }
    }
}

pin_project! {
    /// A call with a fallback.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, H, A, C, R> {
        #[pin]
        state: State<F, A, R>,
        layer: FallbackLayer<H, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, A, R> {
        Calling { #[pin] inner: F, parts: Option<Parts> },
        Answering {
            #[pin]
            answer: A,
            #[pin]
            sleep: Sleep,
            // What goes on where there is no other answer.
            original: Option<(Result<Response<R>, BoxError>, OriginalFailure)>,
        },
    }
}

impl<F, H, A, C, R, E> Future for ResponseFuture<F, H, A, C, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    H: Fn(Parts, OriginalFailure) -> A,
    A: Future<Output = Option<Response<R>>>,
    C: Classify<Response<R>>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProjection::Calling { inner, parts } = this.state.as_mut().project() {
            let result = ready!(inner.poll(context)).map_err(Into::into);
            let outcome = this.layer.classify.outcome(&result);
            let Some(parts) = parts.take() else { unreachable!("polled after it was done") };
            if !is_for_a_fallback(outcome, &result) {
                return Poll::Ready(result);
            }
            let left = CallContext::current().and_then(|context| context.remaining());
            let within = left.map_or(this.layer.within, |left| left.min(this.layer.within));
            let failure = OriginalFailure::of(outcome, &result);
            let answer = (this.layer.handler)(parts, failure.clone());
            let original = Some((result, failure));
            this.state.set(State::Answering { answer, sleep: sleep(within), original });
        }
        let StateProjection::Answering { answer, sleep, original } = this.state.project() else {
            unreachable!("set above")
        };
        let counts = &this.layer.counts;
        let answered = match answer.poll(context) {
            Poll::Ready(answered) => {
                let count = if answered.is_some() { &counts.served } else { &counts.declined };
                count.fetch_add(1, Relaxed);
                answered
            }
            Poll::Pending => {
                ready!(sleep.poll(context));
                counts.timed_out.fetch_add(1, Relaxed);
                None
            }
        };
        let Some((original, failure)) = original.take() else {
            unreachable!("polled after it was done")
        };
        let Some(mut answered) = answered else { return Poll::Ready(original) };
        answered.headers_mut().insert(FALLBACK_HEADER, this.layer.name.clone());
        answered.extensions_mut().insert(failure);
        Poll::Ready(Ok(answered))
    }
}

/// A refusal of a layer on this side says nothing of what is called, so it is `cancelled`; the caller
/// is in need of an answer all the same.
fn is_for_a_fallback<R>(outcome: Outcome, result: &Result<R, BoxError>) -> bool {
    match outcome {
        Outcome::Succeeded => false,
        Outcome::Cancelled => {
            result.as_ref().err().and_then(kind_of).is_some_and(super::classify::is_refusal)
        }
        Outcome::Failed | Outcome::TimedOut | Outcome::Panicked | Outcome::Lost => true,
    }
}

impl<F, H, A, C, R> fmt::Debug for ResponseFuture<F, H, A, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("layer", &self.layer).finish_non_exhaustive()
    }
}
