use std::{future::pending, time::Duration};

use http::{Request, Response, request::Parts};
use rearguard::{
    BoxError, CallContext, ErrorKind, Outcome,
    layers::{ByStatus, Classify, FallbackLayer, fallback::OriginalFailure},
};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answer, answer, error, get, our_error};

const SECOND: Duration = Duration::from_secs(1);

/// Answers with the request's path.
async fn other(parts: Parts, _: OriginalFailure) -> Option<Response<String>> {
    Some(Response::new(parts.uri.path().to_owned()))
}

async fn declines(_: Parts, _: OriginalFailure) -> Option<Response<String>> {
    None
}

async fn hangs(_: Parts, _: OriginalFailure) -> Option<Response<String>> {
    pending().await
}

async fn call<H, A>(layer: &FallbackLayer<H>, result: fn() -> Answer) -> Answer
where
    H: Fn(Parts, OriginalFailure) -> A + Clone,
    A: Future<Output = Option<Response<String>>>,
{
    let inner = service_fn(move |_: Request<String>| async move { result() });
    layer.layer(inner).oneshot(Request::get("/path").body(String::new()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn it_answers_in_the_place_of_a_failure_and_shows_what_failed() {
    let layer = FallbackLayer::new("cached", other).unwrap();
    let of_error = call(&layer, || error(ErrorKind::ResponseTimedOut)).await.unwrap();
    assert_eq!(of_error.headers()["rearguard-fallback"], "cached");
    assert_eq!(of_error.body(), "/path");
    let failure = of_error.extensions().get::<OriginalFailure>().unwrap();
    assert_eq!(
        (failure.outcome, failure.kind),
        (Outcome::TimedOut, Some(ErrorKind::ResponseTimedOut))
    );

    let of_answer = call(&layer, || answer(503)).await.unwrap();
    assert_eq!(of_answer.status(), 200);
    let failure = of_answer.extensions().get::<OriginalFailure>().unwrap();
    assert_eq!((failure.outcome, failure.status.unwrap().as_u16()), (Outcome::Failed, 503));
    // A breaker or a limit on this side tells nothing of what is called, but the caller needs an answer.
    call(&layer, || error(ErrorKind::CircuitOpen)).await.unwrap();
    assert_eq!(layer.snapshot().served, 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_on_success_nor_when_cancelled() {
    let layer = FallbackLayer::new("cached", other).unwrap();
    for status in [200, 404] {
        let answer = match status {
            200 => call(&layer, || answer(200)).await,
            _ => call(&layer, || answer(404)).await,
        };
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status);
        assert!(answer.headers().is_empty());
    }
    let cancelled = our_error(call(&layer, || error(ErrorKind::Cancelled)).await);
    assert_eq!(cancelled.kind(), ErrorKind::Cancelled);
    assert_eq!(layer.snapshot(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn where_it_declines_the_failure_goes_on_as_it_was() {
    let layer = FallbackLayer::new("cached", declines).unwrap();
    let answer = call(&layer, || answer(503)).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().is_empty());
    let failure = our_error(call(&layer, || error(ErrorKind::Reset)).await);
    assert_eq!(failure.kind(), ErrorKind::Reset);
    assert_eq!(layer.snapshot().declined, 2);
}

#[tokio::test(start_paused = true)]
async fn it_has_its_own_bound_and_no_more_than_what_is_left_of_the_deadline() {
    let layer = FallbackLayer::new("cached", hangs).unwrap().within(2 * SECOND);
    let began = tokio::time::Instant::now();
    our_error(call(&layer, || error(ErrorKind::Reset)).await);
    assert_eq!(began.elapsed().as_secs(), 2);
    let context = CallContext::new().within(SECOND);
    our_error(context.scope(call(&layer, || error(ErrorKind::Reset))).await);
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(layer.snapshot().timed_out, 2);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_the_users_says_what_failed() {
    let not_found_fails = |result: &Result<Response<String>, BoxError>| match result {
        Ok(response) if response.status() == 404 => Outcome::Failed,
        _ => ByStatus.outcome(result),
    };
    let layer = FallbackLayer::new("default", other).unwrap().classify_by(not_found_fails);
    let inner = service_fn(async |_: Request<String>| answer(404));
    assert_eq!(layer.layer(inner).oneshot(get()).await.unwrap().status(), 200);
}

#[test]
fn a_name_that_cannot_stand_in_a_header_is_refused() {
    let refused = FallbackLayer::new("no\nname", other).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}
