//! Over a real connection: a gRPC service that is unavailable at first.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use rearguard::layers::{
    BreakerLayer, BreakerOptions, CircuitBreaker, Repeat, ReplayBody, RetryLayer, RetryOptions,
};
use tokio::net::TcpListener;
use tonic::{
    Status,
    body::Body,
    server::NamedService,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tower::{Layer, Service, ServiceExt};

/// Sends back what it gets, from the third call on.
#[derive(Clone, Default)]
struct Echo {
    calls: Arc<AtomicU32>,
    attempts: Arc<Mutex<Vec<String>>>,
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let attempt = request.headers()["x-envoy-attempt-count"].to_str().unwrap().to_owned();
        self.attempts.lock().unwrap().push(attempt);
        if self.calls.fetch_add(1, Relaxed) < 2 {
            return ready(Ok(Status::unavailable("not yet").into_http()));
        }
        let answer = Response::builder().header("content-type", "application/grpc");
        ready(Ok(answer.body(request.into_body()).unwrap()))
    }
}

#[tokio::test]
async fn what_is_unavailable_is_asked_again_with_the_whole_message_and_each_try_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = Echo::default();
    let server = Server::builder()
        .add_service(echo.clone())
        .serve_with_incoming(TcpIncoming::from(listener));
    let server = tokio::spawn(server);

    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let channel =
        channel.map_request(|request: Request<ReplayBody<String>>| request.map(Body::new));
    let breaker = CircuitBreaker::new(BreakerOptions::new("echo")).unwrap();
    let retry = RetryLayer::new(RetryOptions::new().repeat(Repeat::All)).unwrap();
    let service = retry.layer(BreakerLayer::new(breaker.clone()).layer(channel));

    // A message of five bytes.
    let message = "\0\0\0\0\u{5}hello";
    let request = Request::post(format!("http://{address}/test.Echo/Say"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(message.to_owned())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    let echoed =
        axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 100).await.unwrap();
    assert_eq!(echoed, message.as_bytes());
    assert_eq!(*echo.attempts.lock().unwrap(), ["1", "2", "3"]);
    let tally = breaker.snapshot().tally;
    assert_eq!((tally.calls, tally.failed), (3, 2));
    server.abort();
}
