//! The scope ends with the body, and the answer says what it took.

use rearguard::{
    CallContext, Options,
    layers::{RequestScope, ScopedLayer, ServiceLayer},
};
use tokio::time::sleep;

use crate::support::{
    Log, Step, Steps, answer, ask, frame, grpc, headers, http_2, millis, outcome, quiet, read,
    reaped, request, timing,
};
use http::{HeaderMap, Method};

#[tokio::test(start_paused = true)]
async fn a_small_answer_says_in_its_headers_what_work_and_cleanup_took() {
    let mut given = ask(&ScopedLayer::new(), request(), async |_| {
        let scope = RequestScope::current().unwrap();
        scope.defer(async { sleep(millis(300)).await });
        sleep(millis(12)).await;
        Ok(answer(200, Steps::exact(5, [Step::Data("he"), Step::Data("llo")])))
    })
    .await;
    let (work, cleanup) = timing(given.headers()).unwrap();
    assert!((12.0..=14.0).contains(&work), "{work}");
    assert!((300.0..=302.0).contains(&cleanup), "{cleanup}");
    assert_eq!(outcome(given.headers()), None);
    let body = read(given.body_mut()).await;
    assert_eq!((body.text.as_str(), body.trailers.len()), ("hello", 0));
}

#[tokio::test(start_paused = true)]
async fn what_took_no_time_and_left_nothing_to_clean_up_says_nothing() {
    let given = ask(&ScopedLayer::new(), request(), async |_| Ok(answer(200, Steps::exact(0, []))));
    assert!(given.await.headers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_it_in_its_trailers_after_its_cleanups() {
    let log = Log::default();
    let mut given = ask(&ScopedLayer::new(), http_2(), async |_| {
        log.watch();
        RequestScope::current().unwrap().defer(sleep(millis(300)));
        Ok(answer(200, Steps::stream([Step::Data("a"), Step::Yield, Step::Data("b")])))
    })
    .await;
    assert!(given.headers().is_empty());
    assert!(frame(given.body_mut()).await.unwrap().unwrap().is_data());
    assert_eq!(log.said(), "", "it has not ended");
    let body = read(given.body_mut()).await;
    assert_eq!((body.text.as_str(), log.said().as_str()), ("b", "succeeded"));
    assert!(timing(&body.trailers).unwrap().1 >= 300.0);
}

#[tokio::test(start_paused = true)]
async fn trailers_of_the_handler_are_kept() {
    let mut given = ask(&ScopedLayer::new(), grpc(), async |_| {
        sleep(millis(5)).await;
        let trailers = Step::Trailers(&[("grpc-status", "4"), ("x-checksum", "7")]);
        Ok(answer(200, Steps::stream([Step::Data("a"), trailers])))
    })
    .await;
    let trailers = read(given.body_mut()).await.trailers;
    assert_eq!(trailers["grpc-status"], "4");
    assert_eq!(trailers["x-checksum"], "7");
    assert_eq!(outcome(&trailers), Some("timed_out"));
    assert!(timing(&trailers).is_some());
}

#[tokio::test(start_paused = true)]
async fn by_http_1_trailers_are_announced_where_the_caller_asks_for_them_and_may_come() {
    let stream = || Steps::stream([Step::Yield, Step::Data("a")]);
    let exact = || Steps::exact(1, [Step::Yield, Step::Data("a")]);
    for (te, body, expected) in [
        (Some("trailers"), stream(), true),
        (None, stream(), false),
        (Some("trailers"), exact(), false),
    ] {
        let mut request = request();
        if let Some(te) = te {
            request.headers_mut().insert("te", te.parse().unwrap());
        }
        let mut body = Some(body);
        let mut given = ask(&ScopedLayer::new(), request, async |_| {
            RequestScope::current().unwrap().defer(sleep(millis(3)));
            Ok(answer(200, body.take().unwrap()))
        })
        .await;
        assert_eq!(given.headers().contains_key("trailer"), expected);
        let body = read(given.body_mut()).await;
        assert_eq!((timing(&body.trailers).is_some(), body.text.as_str()), (expected, "a"));
    }
}

/// The cleanup is told how the answer went: (head, body, how it is read) and the outcome.
#[tokio::test(start_paused = true)]
async fn the_outcome_is_that_of_the_answer() {
    const TRAILERS: &[(&str, &str)] = &[("grpc-status", "13")];
    let cases: Vec<(u16, HeaderMap, Steps, &str)> = vec![
        (200, headers(&[]), Steps::exact(0, []), "succeeded"),
        (404, headers(&[]), Steps::exact(0, []), "succeeded"),
        (500, headers(&[]), Steps::exact(0, []), "failed"),
        (200, headers(&[("grpc-status", "14")]), Steps::exact(0, []), "failed"),
        (200, headers(&[("rearguard-outcome", "panicked")]), Steps::exact(0, []), "panicked"),
        (200, headers(&[]), Steps::stream([Step::Data("a")]), "succeeded"),
        (503, headers(&[]), Steps::stream([Step::Data("a")]), "failed"),
        (200, headers(&[]), Steps::stream([Step::Trailers(TRAILERS)]), "failed"),
        (200, headers(&[]), Steps::stream([Step::Data("a"), Step::Fail]), "failed"),
        (200, headers(&[]), Steps::exact(9, [Step::Data("a"), Step::Fail]), "failed"),
    ];
    for (status, fields, body, expected) in cases {
        let log = Log::default();
        let about = format!("{status} {fields:?} {body:?}");
        let mut made = Some((fields, body));
        let mut given = ask(&ScopedLayer::new(), http_2(), async |_| {
            log.watch();
            let (fields, body) = made.take().unwrap();
            let mut answer = answer(status, body);
            *answer.headers_mut() = fields;
            Ok(answer)
        })
        .await;
        drop(read(given.body_mut()).await);
        assert_eq!(log.said(), expected, "{about}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_stream_without_a_status_has_failed() {
    let log = Log::default();
    let mut given = ask(&ScopedLayer::new(), grpc(), async |_| {
        log.watch();
        Ok(answer(200, Steps::stream([Step::Data("a")])))
    })
    .await;
    let body = read(given.body_mut()).await;
    assert_eq!((log.said().as_str(), outcome(&body.trailers)), ("failed", Some("failed")));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_before_its_end_was_cancelled() {
    for frames in [0, 1] {
        let log = Log::default();
        let mut given = ask(&ScopedLayer::new(), http_2(), async |_| {
            log.watch();
            Ok(answer(200, Steps::stream([Step::Data("a"), Step::Data("b")])))
        })
        .await;
        for _ in 0..frames {
            assert!(frame(given.body_mut()).await.is_some());
        }
        drop(given);
        reaped().await;
        assert_eq!(log.said(), "cancelled", "after {frames} frames");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_bytes_of_a_known_length_end_the_scope_as_servers_ask_for_no_more() {
    let log = Log::default();
    let mut given = ask(&ScopedLayer::new(), request(), async |_| {
        log.watch();
        Ok(answer(200, Steps::exact(2, [Step::Yield, Step::Data("a"), Step::Data("b")])))
    })
    .await;
    assert!(frame(given.body_mut()).await.is_some());
    assert_eq!(log.said(), "");
    assert!(frame(given.body_mut()).await.is_some());
    assert_eq!(log.said(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn the_body_of_an_answer_to_head_is_not_waited_for() {
    let log = Log::default();
    let mut asked = request();
    *asked.method_mut() = Method::HEAD;
    let given = ask(&ScopedLayer::new(), asked, async |_| {
        log.watch();
        Ok(answer(200, Steps::stream([Step::Hang])))
    });
    drop(given.await);
    assert_eq!(log.said(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn more_than_the_bound_is_not_collected() {
    let layer = ScopedLayer::new().buffered_bytes(4);
    let log = Log::default();
    let given = ask(&layer, request(), async |_| {
        log.watch();
        Ok(answer(200, Steps::exact(5, [Step::Data("hello")])))
    });
    let mut given = given.await;
    assert_eq!(log.said(), "");
    assert_eq!(read(given.body_mut()).await.text, "hello");
    assert_eq!(log.said(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn handler_and_body_have_the_callers_trace() {
    struct Traced;
    impl http_body::Body for Traced {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            let trace_id = CallContext::current().unwrap().trace().trace_id;
            assert!(RequestScope::current().is_some());
            assert_eq!(trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
            std::task::Poll::Ready(None)
        }
    }
    let mut asked = request();
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    asked.headers_mut().insert("traceparent", sent.parse().unwrap());
    let mut given = ask(&ScopedLayer::new(), asked, async |_| {
        let trace = CallContext::current().unwrap().trace();
        assert_eq!(trace.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(trace.span_id.to_string(), "b7ad6b7169203331");
        Ok(answer(200, Traced))
    })
    .await;
    assert!(read(given.body_mut()).await.error.is_none());
    assert!(CallContext::current().is_none() && RequestScope::current().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_inside_another_has_a_scope_of_its_own() {
    let log = Log::default();
    let layer = ScopedLayer::new();
    let given = ask(&layer, request(), async |_| {
        let (outer, before) = (CallContext::current(), log.clone());
        let inner = ask(&layer, request(), async |_| {
            assert_ne!(CallContext::current(), outer);
            log.watch();
            Ok(answer(500, Steps::exact(0, [])))
        });
        inner.await;
        assert_eq!(before.said(), "failed");
        assert_eq!(CallContext::current(), outer);
        log.watch();
        Ok(answer(200, Steps::exact(0, [])))
    });
    given.await;
    assert_eq!(log.said(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_overruns_does_not_keep_the_answer() {
    let options = Options::new().cleanup_deadline(millis(1000));
    let given = ask(&ServiceLayer::new().options(options), request(), async |_| {
        RequestScope::current().unwrap().defer(std::future::pending::<()>());
        Ok(answer(200, Steps::exact(0, [])))
    });
    let given = given.await;
    let (_, cleanup) = timing(given.headers()).unwrap();
    assert!((1000.0..=1002.0).contains(&cleanup), "{cleanup}");
}

#[test]
fn without_recovery_a_panic_goes_on_when_the_cleanups_have_run() {
    quiet();
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let asked = ask(&ScopedLayer::new(), request(), async |_| {
        log.watch();
        if true {
            panic!("a bug")
        }
        Ok(answer(200, Steps::exact(0, [])))
    });
    let asked = std::panic::AssertUnwindSafe(|| runtime.block_on(asked));
    let payload = std::panic::catch_unwind(asked).map(drop);
    assert_eq!(payload.unwrap_err().downcast_ref::<&str>(), Some(&"a bug"));
    assert_eq!(log.said(), "panicked");
}
