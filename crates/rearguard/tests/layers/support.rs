//! What the tests share: a log, bodies made to order, answers read to their end.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use rearguard::{Outcome, Reaper, layers::RequestScope};
use tower::{Layer, Service};

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What was said since it was last asked.
    pub(crate) fn said(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(", ")
    }

    /// Says how the request that is served here ends.
    pub(crate) fn watch(&self) {
        let log = self.clone();
        let scope = RequestScope::current().expect("a layer opened a scope");
        scope.defer_with(move |outcome: Outcome| async move { log.say(outcome.as_str()) });
    }
}

/// What a body does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(&'static str),
    /// It has to wait once.
    Yield,
    Trailers(&'static [(&'static str, &'static str)]),
    Fail,
    Panic,
    Hang,
}

/// A body that does what it is told, and says so when it is dropped.
#[derive(Debug)]
pub(crate) struct Steps {
    steps: VecDeque<Step>,
    length: Option<u64>,
}

impl Steps {
    /// One whose length nobody knows.
    pub(crate) fn stream(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), length: None }
    }

    /// One whose length is known.
    pub(crate) fn exact(length: u64, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { length: Some(length), ..Self::stream(steps) }
    }
}

impl HttpBody for Steps {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let Some(step) = self.steps.pop_front() else { return Poll::Ready(None) };
        Poll::Ready(Some(match step {
            Step::Data(text) => {
                self.length = self.length.map(|length| length - text.len() as u64);
                Ok(Frame::data(Bytes::from_static(text.as_bytes())))
            }
            Step::Yield => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Step::Trailers(fields) => Ok(Frame::trailers(headers(fields))),
            Step::Fail => Err(std::io::Error::other("the disk is gone")),
            Step::Panic => panic!("a bug in a body"),
            Step::Hang => {
                self.steps.push_front(Step::Hang);
                return Poll::Pending;
            }
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

pub(crate) fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let fields = fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    fields.collect()
}

pub(crate) fn answer<B>(status: u16, body: B) -> Response<B> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

/// A request by HTTP/1.1.
pub(crate) fn request() -> Request<Body> {
    Request::get("/").body(Body::empty()).unwrap()
}

pub(crate) fn http_2() -> Request<Body> {
    Request::get("/").version(Version::HTTP_2).body(Body::empty()).unwrap()
}

pub(crate) fn grpc() -> Request<Body> {
    let request = Request::post("/").version(Version::HTTP_2);
    request.header("content-type", "application/grpc").body(Body::empty()).unwrap()
}

type Serve<'h, B> = Box<dyn FnOnce(Request<Body>) -> Handled<'h, B> + 'h>;
type Handled<'h, B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + 'h>>;

/// A handler that serves one request.
pub(crate) struct Handler<'h, B>(Option<Serve<'h, B>>);

impl<'h, B> Service<Request<Body>> for Handler<'h, B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Handled<'h, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Handled<'h, B> {
        self.0.take().expect("it serves one request")(request)
    }
}

/// Asks a handler behind a layer.
pub(crate) fn ask<'h, L, H, B, R>(
    layer: &L,
    request: Request<Body>,
    handler: H,
) -> impl Future<Output = Response<R>> + use<'h, L, H, B, R>
where
    L: Layer<Handler<'h, B>>,
    H: AsyncFnOnce(Request<Body>) -> Result<Response<B>, Infallible> + 'h,
    L::Service: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
{
    let handler = Handler(Some(Box::new(|request| Box::pin(async { handler(request).await }))));
    let mut service = layer.layer(handler);
    async move {
        let Ok(()) = poll_fn(|context| service.poll_ready(context)).await;
        let Ok(answer) = service.call(request).await;
        answer
    }
}

/// An answer, read to its end.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) trailers: HeaderMap,
    /// None where it ended well.
    pub(crate) error: Option<rearguard::BoxError>,
}

pub(crate) async fn read<B>(body: &mut B) -> Read
where
    B: HttpBody<Data = Bytes, Error = rearguard::BoxError> + Unpin,
{
    let mut read = Read::default();
    while let Some(next) = frame(body).await {
        match next {
            Ok(frame) if frame.is_data() => {
                let data = frame.into_data().unwrap();
                read.text.push_str(std::str::from_utf8(&data).unwrap());
            }
            Ok(frame) => read.trailers = frame.into_trailers().unwrap(),
            Err(error) => {
                read.error = Some(error);
                break;
            }
        }
    }
    read
}

pub(crate) async fn frame<B: HttpBody + Unpin>(
    body: &mut B,
) -> Option<Result<Frame<B::Data>, B::Error>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// The milliseconds of work and of cleanup in a `Server-Timing`.
pub(crate) fn timing(headers: &HeaderMap) -> Option<(f64, f64)> {
    let value = headers.get("server-timing")?.to_str().ok()?;
    let (work, cleanup) = value.strip_prefix("work;dur=")?.split_once(", cleanup;dur=")?;
    Some((work.parse().ok()?, cleanup.parse().ok()?))
}

pub(crate) fn outcome(headers: &HeaderMap) -> Option<&str> {
    headers.get("rearguard-outcome")?.to_str().ok()
}

/// Waits until the reaper has nothing to do.
pub(crate) async fn reaped() {
    Reaper::global().drain(Duration::from_secs(60)).await;
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Keeps the panics that tests mean to have out of their output.
pub(crate) fn quiet() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        if !text.contains("a bug") {
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap_or_default();
        }
    }));
}
