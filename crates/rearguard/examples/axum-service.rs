//! A service by axum whose requests are scopes: `cargo run -p rearguard --features layers --example
//! axum-service`, then `curl -i localhost:3000/order`, `/broken`, `/slow`, `/slow-release`,
//! `/released-after`, `/stream`.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    routing::get,
};
use http_body::Frame;
use rearguard::{
    Options, Reaper,
    layers::{self, AfterResponse, RequestScope, ServiceLayer},
};
use tokio::{
    net::TcpListener,
    time::{Interval, interval, sleep},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await
}

/// Serves until told to stop, and finishes what was begun.
async fn serve(
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let after = AfterResponse::new(256);
    axum::serve(listener, app(&after)).with_graceful_shutdown(stop).await?;
    after.drain(Duration::from_secs(10)).await;
    Reaper::global().drain(Duration::from_secs(10)).await;
    Ok(())
}

fn app(after: &AfterResponse) -> Router {
    let layer = ServiceLayer::new()
        .options(Options::new().named("orders").cleanup_deadline(Duration::from_secs(5)))
        .deadline(Duration::from_secs(1))
        .after_response(after.clone());
    Router::new()
        .route("/order", get(order))
        .route("/broken", get(broken))
        .route("/slow", get(slow))
        .route("/slow-release", get(slow_release))
        .route("/released-after", get(released_after))
        .route("/stream", get(stream))
        .route("/stats", get(async || format!("{:#?}\n", layers::stats())))
        .layer(layer)
}

/// A connection of some pool, which takes its time to be given back.
struct Connection;

impl Connection {
    async fn give_back(self) {
        sleep(Duration::from_millis(300)).await;
    }
}

/// Nothing went wrong, so nothing is undone.
async fn order() -> &'static str {
    let Some(scope) = RequestScope::current() else { return "served without a layer\n" };
    scope.on_failure(async { say("order taken back") });
    "ordered\n"
}

/// One request fails; the undo runs, the process and the connection live.
async fn broken() -> &'static str {
    if let Some(scope) = RequestScope::current() {
        scope.on_failure(async { say("order taken back") });
    }
    panic!("a bug")
}

/// The work is dropped when the deadline passes, and the undo runs.
async fn slow() -> &'static str {
    if let Some(scope) = RequestScope::current() {
        scope.on_failure(async { say("order taken back") });
    }
    sleep(Duration::from_secs(60)).await;
    "never\n"
}

/// The caller waits for the release: `Server-Timing` tells it from the work.
async fn slow_release() -> &'static str {
    if let Some(scope) = RequestScope::current() {
        scope.defer(Connection.give_back());
    }
    "answered late\n"
}

/// The caller does not wait for the release.
async fn released_after() -> &'static str {
    if let Some(scope) = RequestScope::current() {
        scope.after_response(Connection.give_back());
    }
    "answered at once\n"
}

/// The scope ends with the body: what it took stands in its trailers, as `curl -i --raw -H 'TE:
/// trailers'` shows.
async fn stream() -> Body {
    if let Some(scope) = RequestScope::current() {
        scope.defer(async { say("the last line was sent") });
    }
    Body::new(Lines { left: 3, interval: interval(Duration::from_millis(100)) })
}

/// A line each 100 ms.
struct Lines {
    left: u32,
    interval: Interval,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(context));
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(format!("{left} to go\n"))))))
    }
}

fn say(what: &str) {
    use std::io::Write as _;
    writeln!(io::stderr(), "{what}").unwrap_or_default();
}
