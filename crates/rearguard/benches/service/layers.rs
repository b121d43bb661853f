//! One request through a router in this process, without sockets: its body is read to the end.

use std::{
    convert::Infallible,
    future::{IntoFuture as _, pending, poll_fn},
    hint::black_box,
    io,
    pin::pin,
    sync::{LazyLock, Mutex},
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    http::{Request, Response},
    routing::get,
    serve::Listener,
};
use rearguard::layers::{DeadlineLayer, RecoverLayer, RequestScope, ScopedLayer, ServiceLayer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    runtime::{Builder, Runtime},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _, make::Shared};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer, trace::TraceLayer};

use crate::{Row, allocations, print, timing};

/// One side of one row.
#[derive(Clone, Copy, Debug)]
struct Case {
    row: &'static str,
    side: &'static str,
    /// Does it so many times.
    run: fn(u64),
}

/// Around the whole router, so that nothing but the layers is added.
const AROUND: &str = "a request, layers around the router";
/// The same with a `traceparent`, which the peers do not read.
const TRACED: &str = "a request with a caller's trace";
/// By `Router::layer`, which boxes the route's future and body once more.
const ROUTER: &str = "a request, layers by Router::layer";
/// By HTTP/1.1 on one connection, with all that a server does for a request but the socket.
const SERVED: &str = "a request served by hyper in memory";
const DEFERS: &str = "a request that defers one cleanup";

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

macro_rules! around {
    ($side:literal, $layer:expr) => {
        Case {
            row: AROUND,
            side: $side,
            run: |times| repeat(times, request, Layer::layer(&$layer, app())),
        }
    };
}

macro_rules! router {
    ($side:literal, $layer:expr) => {
        Case { row: ROUTER, side: $side, run: |times| repeat(times, request, app().layer($layer)) }
    };
}

macro_rules! served {
    ($side:literal, $service:expr) => {
        Case {
            row: SERVED,
            side: $side,
            run: |times| {
                static CONNECTION: Connection = Mutex::new(None);
                served(times, &CONNECTION, || $service);
            },
        }
    };
}

macro_rules! tower_http {
    () => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, TIMEOUT))
            .layer(CatchPanicLayer::new())
    };
}

fn cases() -> Vec<Case> {
    vec![
        Case { row: AROUND, side: "plain axum", run: |times| repeat(times, request, app()) },
        around!("tower-http Trace, Timeout, CatchPanic", tower_http!()),
        around!("RecoverLayer", RecoverLayer::new()),
        around!("DeadlineLayer", DeadlineLayer::new(TIMEOUT)),
        around!("ScopedLayer", ScopedLayer::new()),
        around!("ServiceLayer", ServiceLayer::new().deadline(TIMEOUT)),
        Case { row: TRACED, side: "plain axum", run: |times| repeat(times, traced, app()) },
        Case {
            row: TRACED,
            side: "ServiceLayer",
            run: |times| {
                let layer = ServiceLayer::new().deadline(TIMEOUT);
                repeat(times, traced, Layer::layer(&layer, app()));
            },
        },
        Case { row: ROUTER, side: "plain axum", run: |times| repeat(times, request, app()) },
        router!("tower-http Trace, Timeout, CatchPanic", tower_http!()),
        router!("ServiceLayer", ServiceLayer::new().deadline(TIMEOUT)),
        served!("plain axum", app()),
        served!("tower-http Trace, Timeout, CatchPanic", Layer::layer(&tower_http!(), app())),
        served!("ServiceLayer", Layer::layer(&ServiceLayer::new().deadline(TIMEOUT), app())),
        Case {
            row: DEFERS,
            side: "ServiceLayer",
            run: |times| {
                repeat(
                    times,
                    request,
                    ServiceLayer::new().deadline(TIMEOUT).layer(app_that_defers()),
                )
            },
        },
    ]
}

fn app() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn app_that_defers() -> Router {
    Router::new().route(
        "/",
        get(async || {
            if let Some(scope) = RequestScope::current() {
                scope.defer(async { black_box(()) });
            }
            "hello"
        }),
    )
}

static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().ok());

fn repeat<S, B>(times: u64, request: fn() -> Request<Body>, mut service: S)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: HttpBody + Unpin,
{
    let Some(runtime) = &*RUNTIME else { return };
    runtime.block_on(async {
        for _ in 0..times {
            let request = request();
            let Ok(()) = poll_fn(|context| service.poll_ready(context)).await;
            let Ok(answer) = service.call(request).await;
            let mut body = pin!(answer.into_body());
            while let Some(Ok(frame)) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
                black_box(frame.is_data());
            }
        }
    });
}

/// One that stays open from run to run.
type Connection = Mutex<Option<DuplexStream>>;

pub(crate) const ASKED: &[u8] =
    b"GET / HTTP/1.1\r\nhost: orders\r\nuser-agent: curl/8.5.0\r\naccept: */*\r\n\
    accept-encoding: gzip\r\n\r\n";

/// Hands over one end of a pipe, and then no more.
struct Pipe(Option<DuplexStream>);

impl Listener for Pipe {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(stream) => (stream, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn served<S, B>(times: u64, connection: &Connection, service: impl FnOnce() -> S)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (Some(runtime), Ok(mut connection)) = (&*RUNTIME, connection.lock()) else { return };
    let kept = connection.take();
    *connection = runtime.block_on(async {
        let mut stream = kept.unwrap_or_else(|| {
            let (here, there) = duplex(4096);
            let service = service().map_response(|answer| answer.map(Body::new));
            tokio::spawn(axum::serve(Pipe(Some(there)), Shared::new(service)).into_future());
            here
        });
        let mut answer = [0; 1024];
        for _ in 0..times {
            stream.write_all(ASKED).await.ok()?;
            // One write, which a pipe does not cut.
            black_box(stream.read(&mut answer).await.ok()?);
        }
        Some(stream)
    });
}

fn traced() -> Request<Body> {
    let request = Request::get("/")
        .header("host", "orders")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "*/*")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.body(Body::empty()).unwrap_or_default()
}

fn request() -> Request<Body> {
    let request = Request::get("/")
        .header("host", "orders")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip");
    request.body(Body::empty()).unwrap_or_default()
}

/// Runs one case so many times.
pub(crate) fn run(row: &str, side: &str, times: &str) -> bool {
    let case = cases().into_iter().find(|case| case.row == row && case.side == side);
    let (Some(case), Ok(times)) = (case, times.parse()) else { return false };
    (case.run)(times);
    true
}

/// Prints every row and side.
pub(crate) fn list() -> bool {
    cases().into_iter().all(|Case { row, side, .. }| print(&format!("{row}\t{side}")))
}

/// Measures every case in each round; the least counts, as what disturbs the machine only adds to it.
pub(crate) fn measure(rounds: u32) -> Vec<Row> {
    let mut least: Vec<(Case, f64)> =
        cases().into_iter().map(|case| (case, f64::INFINITY)).collect();
    for _ in 0..rounds {
        for (case, ns) in &mut least {
            *ns = ns.min(timing::least_ns(case.run));
        }
    }
    least
        .into_iter()
        .flat_map(|(Case { row, side, run }, ns)| {
            let of = |unit, value| Row { row: row.to_owned(), side: side.to_owned(), unit, value };
            [of("ns", ns), of("allocations", allocations::of_each(run))]
        })
        .collect()
}
