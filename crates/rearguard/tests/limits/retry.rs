use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, to_bytes};
use http::{Method, Request, Response};
use http_body::Frame;
use rearguard::{
    BoxError, CallContext, Error, ErrorKind,
    layers::{
        Repeat, ReplayBody, RetryBudget, RetryLayer, RetryOptions,
        retry::{
            DefaultRetryRule, MayRepeat, REPLAY_MAX_BYTES, RetriesSpent, RetryRule, StopReason,
            Verdict,
        },
    },
};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

use crate::support::{Answer, Scripted, answer, error, get, our_error};

const SECOND: Duration = Duration::from_secs(1);

fn layer(options: RetryOptions) -> RetryLayer {
    RetryLayer::new(options.seed(1)).unwrap()
}

/// Sends a request to a service that answers so by the number of the try, and says how often it was
/// called.
async fn send<R: RetryRule<String>>(
    layer: &RetryLayer<R>,
    request: Request<String>,
    script: fn(u32) -> Answer,
) -> (Answer, u32) {
    let inner =
        Scripted::new(move |call, _: Request<ReplayBody<String>>| async move { script(call) });
    let calls = inner.calls();
    (layer.layer(inner).oneshot(request).await, calls.made())
}

fn request(method: Method) -> Request<String> {
    Request::builder().method(method).body(String::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_idempotent_is_sent_again_and_each_try_is_numbered() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tries = Arc::clone(&seen);
    let inner = Scripted::new(move |call, request: Request<ReplayBody<String>>| {
        let number = request.headers()["x-envoy-attempt-count"].to_str().unwrap().to_owned();
        tries.lock().unwrap().push(number);
        async move { answer(if call < 3 { 503 } else { 200 }) }
    });
    let layer = layer(RetryOptions::new());
    assert_eq!(layer.layer(inner).oneshot(get()).await.unwrap().status(), 200);
    assert_eq!(*seen.lock().unwrap(), ["1", "2", "3"]);
    let snapshot = layer.snapshot();
    assert_eq!((snapshot.requests, snapshot.retries, snapshot.recovered), (1, 2, 1));
    assert_eq!(layer.budget().snapshot().retries, 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_sent_again_only_where_it_may_be() {
    let by_default = layer(RetryOptions::new());
    let keyed = layer(RetryOptions::new().repeat(Repeat::IdempotentOrKeyed));
    let all = layer(RetryOptions::new().repeat(Repeat::All));
    let with_key = || {
        let mut request = request(Method::POST);
        request.headers_mut().insert("idempotency-key", "1".parse().unwrap());
        request
    };
    let declared = || {
        let mut request = request(Method::POST);
        request.extensions_mut().insert(MayRepeat);
        request
    };
    for (layer, request, tries) in [
        (&by_default, request(Method::POST), 1),
        (&by_default, request(Method::PUT), 3),
        (&by_default, with_key(), 1),
        (&by_default, declared(), 3),
        (&keyed, with_key(), 3),
        (&keyed, request(Method::POST), 1),
        (&all, request(Method::POST), 3),
    ] {
        let (_, made) = send(layer, request, |_| error(ErrorKind::ClosedBeforeResponse)).await;
        assert_eq!(made, tries);
    }
    // It did not get there.
    let refused = |call| if call == 1 { error(ErrorKind::ConnectRefused) } else { answer(200) };
    let (answer, made) = send(&by_default, request(Method::POST), refused).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn when_the_attempts_are_spent_the_last_result_goes_out_and_says_so() {
    let layer = layer(RetryOptions::new().attempts(2));
    let (answer, _) = send(&layer, get(), |_| answer(503)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 503);
    let spent = answer.extensions().get::<RetriesSpent>().unwrap();
    assert_eq!((spent.tries, spent.reason), (2, StopReason::Attempts));

    let (failed, _) = send(&layer, get(), |_| error(ErrorKind::Reset)).await;
    let spent = our_error(failed);
    assert_eq!(spent.kind(), ErrorKind::RetriesSpent);
    assert_eq!((spent.context("tries"), spent.context("why")), (Some("2"), Some("attempts")));
    let last = std::error::Error::source(&spent).and_then(Error::find).unwrap();
    assert_eq!(last.kind(), ErrorKind::Reset);
    assert_eq!(layer.snapshot().stopped(StopReason::Attempts), 2);

    // A success, and what would fail again, goes out as it is.
    let (answer, made) = send(&layer, get(), |_| crate::support::answer(500)).await;
    assert!(answer.unwrap().extensions().get::<RetriesSpent>().is_none());
    assert_eq!(made, 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_bounds_the_retries_of_all_who_share_it() {
    let budget = RetryBudget::new(0.1, 0, 10 * SECOND).unwrap();
    let layers = [0, 1].map(|_| layer(RetryOptions::new().budget(budget.clone())));
    let mut made = 0;
    for _ in 0..50 {
        for layer in &layers {
            made += send(layer, get(), |_| answer(503)).await.1;
        }
    }
    // A tenth of 100.
    assert_eq!(made, 110);
    let stopped: u64 =
        layers.iter().map(|layer| layer.snapshot().stopped(StopReason::Budget)).sum();
    assert!(stopped >= 90, "{stopped}");
    assert_eq!(budget.snapshot().left, 0);
    let (failed, _) = send(&layers[0], get(), |_| error(ErrorKind::Reset)).await;
    assert_eq!(our_error(failed).context("why"), Some("budget"));
}

fn busy(seconds: u32) -> Answer {
    Ok(Response::builder().status(429).header("retry-after", seconds).body(String::new())?)
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_the_other_side_tells_within_a_bound() {
    let layer = layer(RetryOptions::new().pushback_at_most(3 * SECOND));
    let began = Instant::now();
    let inner = Scripted::new(async |call, _: Request<ReplayBody<String>>| match call {
        1 => busy(2),
        _ => answer(200),
    });
    layer.layer(inner).oneshot(get()).await.unwrap();
    assert!(began.elapsed() >= 2 * SECOND && began.elapsed() < 3 * SECOND);
    let inner = Scripted::new(async |_, _: Request<ReplayBody<String>>| busy(4));
    let answer = layer.layer(inner).oneshot(get()).await.unwrap();
    let spent = answer.extensions().get::<RetriesSpent>().unwrap();
    assert_eq!((spent.tries, spent.reason), (1, StopReason::Pushback));
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_sent_that_cannot_end_before_the_deadline() {
    let layer = layer(RetryOptions::new().attempts(5).least_time(SECOND));
    let inner = Scripted::new(async |_, _: Request<ReplayBody<String>>| {
        sleep(SECOND).await;
        answer(503)
    });
    let calls = inner.calls();
    let context = CallContext::new().within(3 * SECOND);
    let answer = context.scope(layer.layer(inner).oneshot(get())).await.unwrap();
    // After two there is less than a second left.
    assert_eq!(calls.made(), 2);
    assert_eq!(answer.extensions().get::<RetriesSpent>().unwrap().reason, StopReason::Deadline);
}

#[tokio::test(start_paused = true)]
async fn a_try_has_a_timeout_of_its_own_which_is_its_deadline() {
    let layer = layer(RetryOptions::new().try_timeout(SECOND));
    let inner = Scripted::new(async |call, _: Request<ReplayBody<String>>| {
        let left = CallContext::current().unwrap().remaining().unwrap();
        assert!(left <= SECOND, "{left:?}");
        if call == 1 { pending().await } else { answer(200) }
    });
    let context = CallContext::new().within(60 * SECOND);
    let began = Instant::now();
    context.scope(layer.layer(inner).oneshot(get())).await.unwrap();
    assert!(began.elapsed() < 2 * SECOND);

    let inner = Scripted::new(async |_, _: Request<ReplayBody<String>>| pending().await);
    let spent = our_error(layer.layer(inner).oneshot(get()).await);
    let last = std::error::Error::source(&spent).and_then(Error::find).unwrap();
    assert_eq!(last.kind(), ErrorKind::ResponseTimedOut);
}

/// A body of chunks, of which it is counted how many were read.
struct Chunks(VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// Sends a body of so many bytes in chunks of 1000 to a service that reads `read` of them in the first
/// try, and then fails; and what it got in the last.
async fn replayed(bytes: usize, read: bool) -> (Answer, u32, usize) {
    let chunks = vec![b'x'; bytes].chunks(1000).map(Bytes::copy_from_slice).collect();
    let got = Arc::new(Mutex::new(0));
    let last = Arc::clone(&got);
    let inner = Scripted::new(move |call, request: Request<ReplayBody<Chunks>>| {
        let last = Arc::clone(&last);
        async move {
            if call > 1 || read {
                let all = to_bytes(Body::new(request.into_body()), usize::MAX).await?;
                *last.lock().unwrap() = all.len();
            }
            if call == 1 { error(ErrorKind::ConnectRefused) } else { answer(200) }
        }
    });
    let calls = inner.calls();
    let request = Request::post("/").body(Chunks(chunks)).unwrap();
    let answer = layer(RetryOptions::new()).layer(inner).oneshot(request).await;
    let got = *got.lock().unwrap();
    (answer, calls.made(), got)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_sent_again_as_long_as_all_that_was_sent_of_it_is_kept() {
    for bytes in [1, 2500, REPLAY_MAX_BYTES] {
        let (answer, made, got) = replayed(bytes, true).await;
        assert_eq!((answer.unwrap().status().as_u16(), made, got), (200, 2, bytes));
    }
    let (failed, made, _) = replayed(REPLAY_MAX_BYTES + 1, true).await;
    assert_eq!(our_error(failed).context("why"), Some("body"));
    assert_eq!(made, 1);
    // Nothing of it was sent.
    let (answer, made, got) = replayed(4 * REPLAY_MAX_BYTES, false).await;
    assert_eq!((answer.unwrap().status().as_u16(), made, got), (200, 2, 4 * REPLAY_MAX_BYTES));
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_try_that_was_given_up_reads_no_further() {
    let first = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&first);
    let inner = Scripted::new(move |call, request: Request<ReplayBody<String>>| {
        let kept = Arc::clone(&kept);
        async move {
            if call == 1 {
                *kept.lock().unwrap() = Some(request.into_body());
                return error(ErrorKind::ConnectRefused);
            }
            let old = kept.lock().unwrap().take().unwrap();
            assert!(to_bytes(Body::new(old), usize::MAX).await.is_err());
            let all = to_bytes(Body::new(request.into_body()), usize::MAX).await?;
            Ok(Response::new(String::from_utf8(all.to_vec())?))
        }
    });
    let request = Request::post("/").body("all of it".to_owned()).unwrap();
    let answer = layer(RetryOptions::new()).layer(inner).oneshot(request).await.unwrap();
    assert_eq!(answer.body(), "all of it");
}

#[tokio::test(start_paused = true)]
async fn the_length_of_a_body_is_known_in_every_try() {
    let inner = Scripted::new(async |call, request: Request<ReplayBody<String>>| {
        assert_eq!(http_body::Body::size_hint(request.body()).exact(), Some(3));
        to_bytes(Body::new(request.into_body()), usize::MAX).await?;
        answer(if call == 1 { 503 } else { 200 })
    });
    let request = Request::put("/").body("abc".to_owned()).unwrap();
    layer(RetryOptions::new()).layer(inner).oneshot(request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_the_users_says_what_is_final() {
    let not_yet = |result: &Result<Response<String>, BoxError>| match result {
        Ok(response) if response.status() == 425 => Verdict::Unprocessed,
        _ => DefaultRetryRule.verdict(result),
    };
    let layer = RetryLayer::with_rule(RetryOptions::new(), not_yet).unwrap();
    let script = |call| answer(if call == 1 { 425 } else { 200 });
    let (answer, made) = send(&layer, request(Method::POST), script).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (200, 2));
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_by_name() {
    for (options, option) in [
        (RetryOptions::new().attempts(0), "attempts"),
        (RetryOptions::new().attempts(6), "attempts"),
        (RetryOptions::new().backoff(SECOND, Duration::ZERO), "backoff"),
        (RetryOptions::new().try_timeout(Duration::ZERO), "try_timeout"),
    ] {
        let error = RetryLayer::new(options).unwrap_err();
        assert_eq!(error.context("option"), Some(option));
    }
    assert_eq!(RetryBudget::new(-0.1, 1, SECOND).unwrap_err().context("option"), Some("ratio"));
    assert_eq!(RetryBudget::new(0.1, 1, 61 * SECOND).unwrap_err().context("option"), Some("ttl"));
}
