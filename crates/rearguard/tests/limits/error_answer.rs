use std::task::{Context, Poll};

use http::{Request, Response};
use rearguard::{
    BoxError, CallContext, Error, ErrorKind,
    layers::{ErrorAnswerLayer, fallback::OriginalFailure},
};
use tower::{Layer, Service, ServiceExt, service_fn};

/// The answer to an error, for HTTP or for gRPC.
async fn answer_to(error: Error, content_type: &str) -> Response<String> {
    let error = std::sync::Mutex::new(Some(error));
    let inner = service_fn(move |_: Request<()>| {
        let error = error.lock().unwrap().take().unwrap();
        async { Err::<Response<axum::body::Body>, BoxError>(error.into()) }
    });
    let request = Request::get("/").header("content-type", content_type).body(()).unwrap();
    let Ok(answer) = ErrorAnswerLayer::new().layer(inner).oneshot(request).await;
    let (parts, body) = answer.into_parts();
    let all = axum::body::to_bytes(axum::body::Body::new(body), 1000).await.unwrap();
    Response::from_parts(parts, String::from_utf8(all.to_vec()).unwrap())
}

#[tokio::test]
async fn each_kind_has_its_status_and_what_it_said_stays_inside() {
    let spent = Error::new(ErrorKind::RetriesSpent, "retry")
        .because(Error::new(ErrorKind::ResponseTimedOut, "retry.try"));
    for (error, status, grpc, outcome) in [
        (Error::new(ErrorKind::Overloaded, "limit"), 503, "14", "failed"),
        (Error::new(ErrorKind::QueueTimedOut, "limit"), 503, "14", "timed_out"),
        (Error::new(ErrorKind::CircuitOpen, "breaker"), 503, "14", "failed"),
        (Error::new(ErrorKind::DeadlinePassed, "limit"), 504, "4", "timed_out"),
        (Error::new(ErrorKind::ConnectRefused, "connect"), 502, "14", "failed"),
        (Error::new(ErrorKind::Conflict, "sql"), 500, "13", "failed"),
        (spent, 504, "4", "timed_out"),
    ] {
        let kind = error.kind();
        let again = Error::new(kind, "again");
        let again = match std::error::Error::source(&error).and_then(Error::find) {
            Some(source) => again.because(Error::new(source.kind(), "again")),
            None => again,
        };
        let answer = answer_to(error.with("address", "10.0.0.1"), "text/plain").await;
        assert_eq!(answer.status(), status, "{kind}");
        assert_eq!(answer.headers()["rearguard-outcome"], outcome, "{kind}");
        assert!(!answer.body().contains("10.0.0.1"));
        let failure = answer.extensions().get::<OriginalFailure>().unwrap();
        assert_eq!(failure.kind, Some(kind));
        assert!(failure.message.as_deref().unwrap().contains("10.0.0.1"));

        let answer = answer_to(again, "application/grpc").await;
        assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
        assert_eq!(answer.headers()["grpc-status"], grpc, "{kind}");
    }
}

#[tokio::test]
async fn the_answer_names_the_trace() {
    let context = CallContext::new();
    let trace = context.trace().trace_id.to_string();
    let error = Error::new(ErrorKind::Overloaded, "limit");
    let answer = context.scope(answer_to(error, "text/plain")).await;
    assert!(answer.body().contains(&trace), "{}", answer.body());
}

/// A service whose readiness fails.
struct Broken;

impl Service<Request<()>> for Broken {
    type Response = Response<axum::body::Body>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err(Error::new(ErrorKind::Closed, "pool").into()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        unreachable!("it is not ready")
    }
}

#[tokio::test]
async fn an_error_of_readiness_is_answered_in_the_place_of_the_call() {
    let Ok(answer) = ErrorAnswerLayer::new().layer(Broken).oneshot(Request::new(())).await;
    assert_eq!(answer.status(), 500);
}
