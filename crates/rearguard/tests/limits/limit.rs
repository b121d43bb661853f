use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::Request;
use rearguard::{
    CallContext, ErrorKind, Outcome,
    layers::{LimitLayer, LimitOptions, Limiter},
    testing::drop_after,
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answer, NeverReady, Scripted, answer, get, our_error};

const SECOND: Duration = Duration::from_secs(1);

/// One with a single place.
fn single(options: impl FnOnce(LimitOptions) -> LimitOptions) -> Limiter {
    Limiter::new(options(LimitOptions::new("api").limits(1, 1))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_it_refuses_at_once() {
    let limiter = single(|it| it);
    let _permit = limiter.acquire().await.unwrap();
    let service =
        LimitLayer::new(limiter.clone()).layer(service_fn(async |_: Request<String>| answer(200)));
    let refused = our_error(service.oneshot(get()).await);
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert_eq!((refused.context("limit"), refused.context("in_flight")), (Some("api"), Some("1")));
    assert_eq!((limiter.snapshot().permitted, limiter.snapshot().refused), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn with_a_queue_calls_wait_in_turn_each_with_the_service_that_was_ready() {
    let limiter = single(|it| it.queue(2, 10 * SECOND));
    let inner = Scripted::new(async |call: u32, _: Request<String>| {
        sleep(SECOND).await;
        answer(200 + call as u16)
    });
    let service = LimitLayer::new(limiter.clone()).layer(inner);
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(tokio::spawn(service.clone().oneshot(get())));
        yield_now().await;
    }
    assert_eq!(limiter.snapshot().waiting, 2);
    assert_eq!(our_error(service.oneshot(get()).await).kind(), ErrorKind::QueueFull);
    for (turn, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().unwrap().status().as_u16(), 201 + turn as u16);
        assert_eq!(began.elapsed().as_secs(), turn as u64 + 1);
    }
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_bounded_by_the_option_and_by_the_deadline() {
    let limiter = single(|it| it.queue(5, 2 * SECOND));
    let _permit = limiter.acquire().await.unwrap();
    let began = Instant::now();
    let gave_up = limiter.acquire().await.unwrap_err();
    assert_eq!((gave_up.kind(), began.elapsed().as_secs()), (ErrorKind::QueueTimedOut, 2));
    assert_eq!(gave_up.context("waited"), Some("2.0s"));
    let context = CallContext::new().within(SECOND);
    let gave_up = context.scope(limiter.acquire()).await.unwrap_err();
    assert_eq!((gave_up.kind(), began.elapsed().as_secs()), (ErrorKind::DeadlinePassed, 3));
    assert_eq!((limiter.snapshot().gave_up, limiter.snapshot().waiting), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_on_every_way_out() {
    let limiter = single(|it| it);
    let layer = LimitLayer::new(limiter.clone());
    for panics_in_call in [true, false] {
        let inner = service_fn(move |_: Request<String>| {
            assert!(!panics_in_call, "in the call");
            async { panic!("in the future") as Answer }
        });
        assert!(tokio::spawn(layer.layer(inner).oneshot(get())).await.unwrap_err().is_panic());
        assert_eq!(limiter.snapshot().in_flight, 0);
    }
    let inner = service_fn(async |_: Request<String>| pending::<Answer>().await);
    assert!(tokio::time::timeout(SECOND, layer.layer(inner).oneshot(get())).await.is_err());
    let inner = service_fn(async |_: Request<String>| Err::<http::Response<String>, _>("no"));
    layer.layer(inner).oneshot(get()).await.unwrap_err();
    assert_eq!(limiter.snapshot().in_flight, 0);
    limiter.acquire().await.unwrap().finish(Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_hands_the_place_on() {
    let limiter = single(|it| it.queue(5, 10 * SECOND));
    let permit = limiter.acquire().await.unwrap();
    let waits = |limiter: Limiter| async move { limiter.acquire().await.map(drop) };
    let first = tokio::spawn(waits(limiter.clone()));
    let second = tokio::spawn(waits(limiter.clone()));
    yield_now().await;
    // The first is handed the place, and is aborted before it can take it.
    drop(permit);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    second.await.unwrap().unwrap();
    assert_eq!((limiter.snapshot().in_flight, limiter.snapshot().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn those_who_gave_up_do_not_fill_the_queue() {
    let limiter = single(|it| it.queue(2, 10 * SECOND));
    let _permit = limiter.acquire().await.unwrap();
    for _ in 0..10 {
        let wait = tokio::time::timeout(SECOND, limiter.acquire()).await;
        assert!(wait.is_err(), "it had to wait");
    }
    assert_eq!(limiter.snapshot().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_no_place_is_lost_and_nobody_waits_for_a_free_one() {
    const PLACES: usize = 4;
    let options = LimitOptions::new("api").limits(4, 4).queue(1000, 60 * SECOND);
    let limiter = Limiter::new(options).unwrap();
    let held = Arc::new(AtomicUsize::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for seed in 0..16 {
        let (limiter, held) = (limiter.clone(), Arc::clone(&held));
        callers.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..2000 {
                let polls = random.usize(1..6);
                let held = Arc::clone(&held);
                let limiter = limiter.clone();
                let finishes = random.bool();
                // Some are dropped while they wait, some while they hold.
                drop_after(polls, async move {
                    let permit = limiter.acquire().await.unwrap();
                    let holding = rearguard::guard((), |()| {
                        held.fetch_sub(1, SeqCst);
                    });
                    assert!(held.fetch_add(1, SeqCst) < PLACES);
                    yield_now().await;
                    if finishes {
                        drop(holding);
                        permit.finish(Outcome::Succeeded);
                    }
                })
                .await;
            }
        });
    }
    callers.join_all().await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.waiting, snapshot.gave_up), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_when_its_time_is_over_has_timed_out() {
    let limiter = Limiter::new(LimitOptions::new("api").initial(100)).unwrap();
    for _ in 0..50 {
        let layer = LimitLayer::new(limiter.clone());
        let call = layer.layer(service_fn(async |_: Request<String>| pending::<Answer>().await));
        let calls = (0..100).map(|_| call.clone().oneshot(get()));
        let mut calls: Vec<_> = calls.map(Box::pin).collect();
        let all = std::future::poll_fn(|context| {
            calls.iter_mut().for_each(|call| assert!(call.as_mut().poll(context).is_pending()));
            std::task::Poll::<()>::Pending
        });
        let context = CallContext::new().within(SECOND);
        assert!(context.scope(tokio::time::timeout(SECOND, all)).await.is_err());
        drop(calls);
        if limiter.snapshot().limit == 90 {
            return;
        }
    }
    panic!("the limit is {}", limiter.snapshot().limit);
}

#[tokio::test(start_paused = true)]
async fn being_ready_takes_no_place() {
    let limiter = single(|it| it);
    let mut service =
        LimitLayer::new(limiter.clone()).layer(service_fn(async |_: Request<String>| answer(200)));
    service.ready().await.unwrap();
    assert_eq!(limiter.snapshot().in_flight, 0);
    let mut service = LimitLayer::new(limiter.clone()).layer(NeverReady);
    let ready = ServiceExt::<Request<String>>::ready(&mut service);
    assert!(tokio::time::timeout(SECOND, ready).await.is_err());
    assert_eq!(limiter.snapshot().permitted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_keeps_up_raises_the_limit_and_one_that_queues_does_not() {
    let limiter = Limiter::new(LimitOptions::new("api").limits(3, 100)).unwrap();
    let quick = async |limiter: &Limiter| {
        let permit = limiter.acquire().await.unwrap();
        sleep(Duration::from_millis(20)).await;
        permit.finish(Outcome::Succeeded);
    };
    let began = Instant::now();
    while began.elapsed() < 10 * SECOND {
        let at_once = limiter.snapshot().limit;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..at_once {
            let limiter = limiter.clone();
            calls.spawn(async move { quick(&limiter).await });
        }
        calls.join_all().await;
    }
    let snapshot = limiter.snapshot();
    assert_eq!(snapshot.limit, 100);
    assert_eq!(snapshot.base_latency, Some(Duration::from_millis(20)));
    // Now ten at a time are served, in turn: what is above waits.
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(10));
    while began.elapsed() < 20 * SECOND {
        let at_once = limiter.snapshot().limit;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..at_once {
            let (limiter, places) = (limiter.clone(), places.clone());
            calls.spawn(async move {
                let permit = limiter.acquire().await.unwrap();
                let _place = places.acquire().await.unwrap();
                sleep(Duration::from_millis(20)).await;
                permit.finish(Outcome::Succeeded);
            });
        }
        calls.join_all().await;
    }
    assert!((8..=40).contains(&limiter.snapshot().limit), "{limiter:?}");
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_by_name() {
    for (options, option) in [
        (LimitOptions::new("api").limits(0, 10), "limits"),
        (LimitOptions::new("api").limits(20, 10), "limits"),
        (LimitOptions::new("api").queue(10_001, SECOND), "queue"),
        (LimitOptions::new("api").queue(1, Duration::ZERO), "queue"),
    ] {
        let error = Limiter::new(options).unwrap_err();
        assert_eq!(
            (error.kind(), error.context("option")),
            (ErrorKind::InvalidInput, Some(option))
        );
    }
}
