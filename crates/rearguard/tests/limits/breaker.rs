use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Request;
use rearguard::{
    CallContext, ErrorKind, Outcome,
    layers::{
        BreakerLayer, BreakerOptions, BreakerSet, ByError, CircuitBreaker, DeadlineLayer,
        ReplayBody, RetryLayer, RetryOptions,
        breaker::{BreakerState, OpenReason, Window},
    },
};
use tokio::time::{advance, sleep};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{NeverReady, Scripted, answer, error, get, our_error};

const SECOND: Duration = Duration::from_secs(1);

fn brittle() -> BreakerOptions {
    BreakerOptions::new("stock").consecutive_failures(2).probes(1).seed(1)
}

fn open(options: BreakerOptions) -> CircuitBreaker {
    let breaker = CircuitBreaker::new(options).unwrap();
    while breaker.state() != BreakerState::Open {
        breaker.acquire().unwrap().finish(Outcome::Failed);
    }
    breaker
}

#[tokio::test(start_paused = true)]
async fn open_it_refuses_at_once_and_says_which_since_when_why_and_when_the_next_probe_comes() {
    let breaker = CircuitBreaker::new(brittle()).unwrap();
    let inner = Scripted::new(async |_, _: Request<String>| answer(503));
    let calls = inner.calls();
    let service = BreakerLayer::new(breaker.clone()).layer(inner);
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(get()).await.unwrap().status(), 503);
    }
    advance(SECOND).await;
    let refused = our_error(service.oneshot(get()).await);
    assert_eq!(calls.made(), 2);
    assert_eq!(refused.kind(), ErrorKind::CircuitOpen);
    assert_eq!(refused.context("breaker"), Some("stock"));
    assert_eq!(refused.context("since"), Some("1.0s"));
    assert_eq!(refused.context("why"), Some("2 in a row failed"));
    let snapshot = breaker.snapshot();
    let next = snapshot.next_probe_in.unwrap();
    // 5 s, cut by up to a fifth, less the one that passed.
    assert!(next > 3 * SECOND && next <= 4 * SECOND, "{next:?}");
    assert!(refused.context("next_probe").unwrap().starts_with("in 3."), "{refused}");
    assert_eq!((snapshot.permitted, snapshot.refused, snapshot.opened), (2, 1, 1));
    assert_eq!(snapshot.reason, Some(OpenReason::ConsecutiveFailures(2)));
}

#[tokio::test(start_paused = true)]
async fn it_heals_by_probes_and_tells_of_each_change_without_holding_its_lock() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let itself = Arc::new(Mutex::new(None::<CircuitBreaker>));
    let asked = Arc::clone(&itself);
    let options = brittle().on_transition(move |it| {
        let state = asked.lock().unwrap().as_ref().map(CircuitBreaker::state);
        assert_eq!(state, Some(it.to));
        seen.lock().unwrap().push((it.from, it.to, it.reason));
        panic!("kept from coming out");
    });
    let breaker = CircuitBreaker::new(options).unwrap();
    *itself.lock().unwrap() = Some(breaker.clone());
    let inner =
        Scripted::new(async |call, _: Request<String>| answer(if call <= 3 { 500 } else { 200 }));
    let service = BreakerLayer::new(breaker.clone()).layer(inner);
    for _ in 0..2 {
        service.clone().oneshot(get()).await.unwrap();
    }
    advance(5 * SECOND).await;
    // The first probe fails, and it is open for twice as long.
    service.clone().oneshot(get()).await.unwrap();
    advance(5 * SECOND).await;
    our_error(service.clone().oneshot(get()).await);
    advance(5 * SECOND).await;
    service.clone().oneshot(get()).await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    use BreakerState::{Closed, HalfOpen, Open};
    assert_eq!(
        *told.lock().unwrap(),
        [
            (Closed, Open, Some(OpenReason::ConsecutiveFailures(2))),
            (Open, HalfOpen, None),
            (HalfOpen, Open, Some(OpenReason::ProbeFailed)),
            (Open, HalfOpen, None),
            (HalfOpen, Closed, None),
        ]
    );
    *itself.lock().unwrap() = None;
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_slow_open_it_though_they_succeed() {
    let options = BreakerOptions::new("slow")
        .slow_calls(SECOND, 0.5)
        .window(Window::Calls(4))
        .minimum_calls(4);
    let breaker = CircuitBreaker::new(options).unwrap();
    let inner = Scripted::new(async |call: u32, _: Request<String>| {
        sleep(if call.is_multiple_of(2) { 2 * SECOND } else { SECOND }).await;
        answer(200)
    });
    let service = BreakerLayer::new(breaker.clone()).layer(inner);
    for _ in 0..4 {
        assert_eq!(breaker.state(), BreakerState::Closed);
        service.clone().oneshot(get()).await.unwrap();
    }
    assert!(matches!(breaker.snapshot().reason, Some(OpenReason::SlowRatio(it)) if it.slow == 2));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_gives_its_place_back() {
    let breaker = open(brittle());
    advance(5 * SECOND).await;
    let service = BreakerLayer::new(breaker.clone())
        .layer(Scripted::new(async |_, _: Request<String>| std::future::pending().await));
    let probe = tokio::spawn(service.clone().oneshot(get()));
    tokio::task::yield_now().await;
    assert_eq!(breaker.snapshot().probes_in_flight, 1);
    our_error(service.oneshot(get()).await);
    probe.abort();
    assert!(probe.await.unwrap_err().is_cancelled());
    assert_eq!(breaker.snapshot().probes_in_flight, 0);
    breaker.acquire().unwrap().finish(Outcome::Succeeded);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_when_its_time_is_over_has_failed() {
    // By a deadline outside, and by the timeout of a try.
    for deadline in [true, false] {
        let breaker = CircuitBreaker::new(brittle()).unwrap();
        let layer = BreakerLayer::new(breaker.clone());
        if deadline {
            for _ in 0..2 {
                let hangs = async |_, _: Request<String>| std::future::pending().await;
                let call = layer.layer(Scripted::new(hangs)).oneshot(get());
                let context = CallContext::new().within(SECOND);
                let bounded = tokio::time::timeout(SECOND, call);
                assert!(context.scope(bounded).await.is_err());
            }
        } else {
            let retry =
                RetryLayer::new(RetryOptions::new().attempts(2).try_timeout(SECOND)).unwrap();
            let hangs = async |_, _: Request<ReplayBody<String>>| std::future::pending().await;
            our_error(retry.layer(layer.layer(Scripted::new(hangs))).oneshot(get()).await);
        }
        assert_eq!(breaker.snapshot().reason, Some(OpenReason::ConsecutiveFailures(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_deadline_layer_outside_gave_up_has_failed() {
    let breaker = CircuitBreaker::new(brittle()).unwrap();
    let hangs = Scripted::new(async |_, _: Request<String>| std::future::pending().await);
    let service = BreakerLayer::new(breaker.clone()).layer(hangs);
    let service = DeadlineLayer::new(SECOND).layer(service);
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(get()).await.unwrap().status(), 504);
    }
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_the_probe_and_goes_on() {
    for panics_in_call in [true, false] {
        let breaker = open(brittle());
        advance(5 * SECOND).await;
        let inner = service_fn(move |_: Request<String>| {
            assert!(!panics_in_call, "in the call");
            async { panic!("in the future") as crate::support::Answer }
        });
        let service = BreakerLayer::new(breaker.clone()).layer(inner);
        assert!(tokio::spawn(service.oneshot(get())).await.unwrap_err().is_panic());
        assert_eq!(breaker.snapshot().reason, Some(OpenReason::ProbeFailed), "{panics_in_call}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_on_this_side_refused_or_was_cancelled_does_not_count() {
    let breaker = CircuitBreaker::new(brittle()).unwrap();
    let kinds = [ErrorKind::Overloaded, ErrorKind::QueueFull, ErrorKind::Cancelled];
    for kind in kinds.into_iter().cycle().take(9) {
        let inner = service_fn(move |_: Request<String>| async move { error(kind) });
        our_error(BreakerLayer::new(breaker.clone()).layer(inner).oneshot(get()).await);
    }
    assert_eq!(breaker.snapshot().tally.calls, 0);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_not_http_go_by_their_error_or_by_a_closure() {
    let breaker = CircuitBreaker::new(brittle()).unwrap();
    let inner = service_fn(async |fails: bool| if fails { Err("no") } else { Ok(7) });
    let service = BreakerLayer::new(breaker.clone()).classify_by(ByError).layer(inner);
    assert_eq!(service.clone().oneshot(false).await.unwrap(), 7);
    service.oneshot(true).await.unwrap_err();
    assert_eq!(breaker.snapshot().tally.failed, 1);

    let odd_fails = |result: &Result<u32, rearguard::BoxError>| match result {
        Ok(n) if n % 2 == 1 => Outcome::Failed,
        _ => Outcome::Cancelled,
    };
    let inner = service_fn(async |n: u32| Ok::<_, std::convert::Infallible>(n));
    let service = BreakerLayer::new(breaker.clone()).classify_by(odd_fails).layer(inner);
    service.oneshot(3).await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn each_authority_has_a_breaker_of_its_own() {
    let set = BreakerSet::new(brittle(), 10).unwrap();
    let inner = service_fn(async |request: Request<String>| {
        answer(if request.uri().host() == Some("bad") { 500 } else { 200 })
    });
    let service = BreakerLayer::new(set.clone()).layer(inner);
    let to = |uri: &str| Request::get(uri).body(String::new()).unwrap();
    for _ in 0..2 {
        service.clone().oneshot(to("http://bad:80/")).await.unwrap();
    }
    let refused = our_error(service.clone().oneshot(to("http://bad:80/")).await);
    assert_eq!(refused.context("breaker"), Some("stock/bad:80"));
    service.clone().oneshot(to("http://good/")).await.unwrap();
    let by_host = Request::get("/").header("host", "bad:80").body(String::new()).unwrap();
    assert_eq!(our_error(service.oneshot(by_host).await).kind(), ErrorKind::CircuitOpen);
}

#[tokio::test(start_paused = true)]
async fn a_full_set_gives_up_the_closed_breaker_that_was_idle_the_longest_and_none_that_holds_back()
{
    let set = BreakerSet::new(brittle(), 3).unwrap();
    for key in ["idle", "open", "used", "idle-no-more"] {
        let breaker = set.get(key).unwrap();
        if key == "open" {
            (0..2).for_each(|_| breaker.acquire().unwrap().finish(Outcome::Failed));
        }
    }
    let names = || set.snapshot().breakers.into_iter().map(|it| it.breaker).collect::<Vec<_>>();
    assert_eq!(names(), ["stock/idle-no-more", "stock/open", "stock/used"]);
    for key in ["used", "idle-no-more"] {
        let breaker = set.get(key).unwrap();
        (0..2).for_each(|_| breaker.acquire().unwrap().finish(Outcome::Failed));
    }
    assert!(set.get("one too many").is_none());
    let snapshot = set.snapshot();
    assert_eq!((snapshot.evicted, snapshot.unguarded), (1, 1));
    // Those that nobody asked for when their time had passed are of endpoints that are gone.
    advance(5 * SECOND).await;
    assert!(set.get("a new one").is_some());
    assert_eq!(names(), ["stock/a new one", "stock/idle-no-more", "stock/used"]);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_service_inside() {
    let breaker = CircuitBreaker::new(brittle()).unwrap();
    let mut service = BreakerLayer::new(breaker.clone()).layer(NeverReady);
    let ready = ServiceExt::<Request<String>>::ready(&mut service);
    assert!(tokio::time::timeout(SECOND, ready).await.is_err());
    assert_eq!(breaker.snapshot().permitted, 0);
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_by_name() {
    for (options, option) in [
        (brittle().failure_ratio(0.0), "failure_ratio"),
        (brittle().failure_ratio(f64::NAN), "failure_ratio"),
        (brittle().slow_calls(SECOND, 1.5), "slow_calls"),
        (brittle().consecutive_failures(0), "consecutive_failures"),
        (brittle().probes(0), "probes"),
        (brittle().open_for(2 * SECOND, SECOND), "open_for"),
        (brittle().window(Window::Calls(0)), "window"),
        (brittle().window(Window::Time(Duration::ZERO)), "window"),
        (brittle().window(Window::Calls(10)), "minimum_calls"),
    ] {
        let error = CircuitBreaker::new(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.context("option"), Some(option));
    }
}
