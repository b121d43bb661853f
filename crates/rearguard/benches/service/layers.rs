//! One request through a router in this process, without sockets: its body is read to the end.

use std::{
    convert::Infallible, future::poll_fn, hint::black_box, pin::pin, sync::LazyLock, time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{Request, Response},
    routing::get,
};
use rearguard::layers::{DeadlineLayer, RecoverLayer, RequestScope, ScopedLayer, ServiceLayer};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceBuilder};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer, trace::TraceLayer};

use crate::{Row, allocations, timing};

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
/// By `Router::layer`, which boxes the route's future and body once more.
const ROUTER: &str = "a request, layers by Router::layer";
const DEFERS: &str = "a request that defers one cleanup";

const TIMEOUT: Duration = Duration::from_secs(30);

macro_rules! around {
    ($side:literal, $layer:expr) => {
        Case { row: AROUND, side: $side, run: |times| repeat(times, Layer::layer(&$layer, app())) }
    };
}

macro_rules! router {
    ($side:literal, $layer:expr) => {
        Case { row: ROUTER, side: $side, run: |times| repeat(times, app().layer($layer)) }
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
        Case { row: AROUND, side: "plain axum", run: |times| repeat(times, app()) },
        around!("tower-http Trace, Timeout, CatchPanic", tower_http!()),
        around!("RecoverLayer", RecoverLayer::new()),
        around!("DeadlineLayer", DeadlineLayer::new(TIMEOUT)),
        around!("ScopedLayer", ScopedLayer::new()),
        around!("ServiceLayer", ServiceLayer::new().deadline(TIMEOUT)),
        Case { row: ROUTER, side: "plain axum", run: |times| repeat(times, app()) },
        router!("tower-http Trace, Timeout, CatchPanic", tower_http!()),
        router!("ServiceLayer", ServiceLayer::new().deadline(TIMEOUT)),
        Case {
            row: DEFERS,
            side: "ServiceLayer",
            run: |times| {
                repeat(times, ServiceLayer::new().deadline(TIMEOUT).layer(app_that_defers()))
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
                scope.defer(async { drop(black_box(1)) });
            }
            "hello"
        }),
    )
}

static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().ok());

fn repeat<S, B>(times: u64, mut service: S)
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

/// With the headers that a caller in the same cluster sends.
fn request() -> Request<Body> {
    let request = Request::get("/")
        .header("host", "orders")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "*/*")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.body(Body::empty()).unwrap_or_default()
}

/// Runs one case so many times.
pub(crate) fn run(row: &str, side: &str, times: &str) -> bool {
    let case = cases().into_iter().find(|case| case.row == row && case.side == side);
    let (Some(case), Ok(times)) = (case, times.parse()) else { return false };
    (case.run)(times);
    true
}

/// Measures every case whose row has this part in its name.
pub(crate) fn measure(part: &str) -> Vec<Row> {
    let cases = cases().into_iter().filter(|case| case.row.contains(part));
    cases
        .flat_map(|Case { row, side, run }| {
            let of = |unit, value| Row { row: row.to_owned(), side: side.to_owned(), unit, value };
            let allocations = allocations::of_each(run);
            [of("ns", timing::least_ns(run)), of("allocations", allocations)]
        })
        .collect()
}
