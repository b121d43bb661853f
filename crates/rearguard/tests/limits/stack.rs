//! All of them around one service, in the order of the guide.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::post};
use http::{Request, Response, StatusCode, request::Parts};
use rearguard::{
    BoxError, CallContext,
    layers::{
        BreakerLayer, BreakerOptions, CircuitBreaker, FallbackLayer, LimitLayer, LimitOptions,
        Limiter, Repeat, RetryLayer, RetryOptions, breaker::BreakerState,
        fallback::OriginalFailure,
    },
};
use tokio::time::{Instant, advance};
use tower::{ServiceBuilder, ServiceExt};

/// A service that is down until it is told otherwise.
fn shop(is_up: Arc<std::sync::atomic::AtomicBool>) -> Router {
    Router::new().route(
        "/orders",
        post(move |order: String| {
            let is_up = is_up.load(std::sync::atomic::Ordering::Relaxed);
            async move {
                if is_up {
                    Ok(format!("ordered {order}"))
                } else {
                    Err(StatusCode::SERVICE_UNAVAILABLE)
                }
            }
        }),
    )
}

async fn later(_: Parts, _: OriginalFailure) -> Option<Response<Body>> {
    Some(Response::new(Body::from("we will send it later")))
}

async fn text(answer: Response<Body>) -> String {
    let all = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
    String::from_utf8(all.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn callers_are_answered_while_a_service_is_down_and_it_is_left_alone() -> Result<(), BoxError>
{
    let is_up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fallback = FallbackLayer::new("later", later)?;
    let retry = RetryLayer::new(RetryOptions::new().repeat(Repeat::All).seed(1))?;
    let breaker = CircuitBreaker::new(BreakerOptions::new("shop").seed(1))?;
    let limiter = Limiter::new(LimitOptions::new("shop").queue(10, Duration::from_millis(100)))?;
    let service = ServiceBuilder::new()
        .layer(fallback.clone())
        .layer(retry.clone())
        .layer(BreakerLayer::new(breaker.clone()))
        .layer(LimitLayer::new(limiter.clone()))
        .service(shop(Arc::clone(&is_up)));
    let order = || {
        let request = Request::post("/orders").body(Body::from("a book")).unwrap();
        CallContext::new().within(Duration::from_secs(2)).scope(service.clone().oneshot(request))
    };

    let began = Instant::now();
    for _ in 0..100 {
        let answer = order().await?;
        assert_eq!(answer.headers()["rearguard-fallback"], "later");
        assert_eq!(text(answer).await, "we will send it later");
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    // Twenty reached it, and the rest cost it nothing.
    assert_eq!(limiter.snapshot().permitted, 20);
    assert_eq!(limiter.snapshot().in_flight, 0);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(fallback.snapshot().served, 100);

    is_up.store(true, std::sync::atomic::Ordering::Relaxed);
    advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        assert_eq!(text(order().await?).await, "ordered a book");
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert!(retry.snapshot().retries > 0);
    Ok(())
}
