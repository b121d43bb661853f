//! Each layer, dropped after every poll: no place, probe or retry is lost.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Request, Response, request::Parts};
use rearguard::{
    CallContext, Outcome,
    layers::{
        BreakerLayer, BreakerOptions, CircuitBreaker, FallbackLayer, LimitLayer, LimitOptions,
        Limiter, ReplayBody, RetryBudget, RetryLayer, RetryOptions, breaker::BreakerState,
        fallback::OriginalFailure,
    },
    testing::{Run, at_every_poll},
};
use tokio::{task::yield_now, time::sleep};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Scripted, answer, get};

const SECOND: Duration = Duration::from_secs(1);

async fn works() {
    for _ in 0..3 {
        yield_now().await;
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_a_breaker_gives_its_place_back() {
    let options =
        BreakerOptions::new("stock").consecutive_failures(1).probes(1).open_for(SECOND, SECOND);
    let breaker = CircuitBreaker::new(options).unwrap();
    breaker.acquire().unwrap().finish(Outcome::Failed);
    sleep(SECOND).await;
    let inner = service_fn(async |_: Request<String>| {
        works().await;
        answer(200)
    });
    let layer = BreakerLayer::new(breaker.clone());
    let polls = at_every_poll(
        || layer.layer(inner).oneshot(get()),
        |run| {
            let snapshot = breaker.snapshot();
            async move {
                assert_eq!(snapshot.probes_in_flight, 0, "{run:?}");
                assert_eq!(snapshot.refused, 0, "{run:?}: a place was lost");
                assert_eq!(snapshot.state == BreakerState::Closed, run == Run::Finished);
            }
        },
    );
    assert!(polls.await > 6);
}

#[tokio::test(start_paused = true)]
async fn a_limit_gives_the_place_back_and_so_does_its_queue() {
    let options = LimitOptions::new("api").limits(1, 1).queue(1, 60 * SECOND);
    let limiter = Limiter::new(options).unwrap();
    let inner = Scripted::new(async |_, _: Request<String>| {
        works().await;
        answer(200)
    });
    let layer = LimitLayer::new(limiter.clone());
    let polls = at_every_poll(
        || {
            // Another has the only place for a while.
            let (limiter, service) = (limiter.clone(), layer.layer(inner.clone()));
            async move {
                let held = limiter.acquire().await;
                let other = async move {
                    works().await;
                    drop(held);
                };
                let call = async { service.oneshot(get()).await.unwrap() };
                tokio::join!(call, other)
            }
        },
        |run| {
            let snapshot = limiter.snapshot();
            async move {
                assert_eq!((snapshot.in_flight, snapshot.waiting), (0, 0), "{run:?}");
            }
        },
    );
    assert!(polls.await > 12);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_was_not_sent_goes_back_to_the_budget() {
    let budget = RetryBudget::new(0.0, 60, 60 * SECOND).unwrap();
    let layer = RetryLayer::new(RetryOptions::new().budget(budget.clone()).seed(1)).unwrap();
    let polls = at_every_poll(
        || {
            let request = Request::put("/").body("body".to_owned()).unwrap();
            // The script goes by the number of the call, so each run has its own.
            let inner = Scripted::new(async |call: u32, request: Request<ReplayBody<String>>| {
                works().await;
                to_bytes(Body::new(request.into_body()), usize::MAX).await?;
                answer(if call == 3 { 200 } else { 503 })
            });
            layer.layer(inner).oneshot(request)
        },
        |run| {
            let (spent, sent) = (budget.snapshot().retries, layer.snapshot().retries);
            async move { assert_eq!(spent, sent, "{run:?}") }
        },
    );
    assert!(polls.await > 18);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_dropped_with_the_call() {
    let answers = async |_: Parts, _: OriginalFailure| {
        works().await;
        Some(Response::new("other".to_owned()))
    };
    let layer = FallbackLayer::new("other", answers).unwrap();
    let inner = service_fn(async |_: Request<String>| {
        works().await;
        answer(503)
    });
    let polls = at_every_poll(
        || CallContext::new().within(60 * SECOND).scope(layer.layer(inner).oneshot(get())),
        |run| {
            let served = layer.snapshot().served;
            async move { assert_eq!(served, u64::from(run == Run::Finished)) }
        },
    );
    assert!(polls.await > 12);
}
