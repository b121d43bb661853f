//! The time that a request has, by the route's word and by the caller's.

use std::time::Duration;

use http::{Request, Response};
use rearguard::{
    CallContext, Error, ErrorKind,
    layers::{CallerTimeout, Covers, DeadlineLayer, ServiceLayer, stats},
};
use tokio::time::{Instant, sleep};

use crate::support::{
    Log, Read, Step, Steps, answer, ask, grpc, http_2, millis, outcome, read, request,
};

async fn slow(_: Request<axum::body::Body>) -> Result<Response<Steps>, std::convert::Infallible> {
    sleep(Duration::from_secs(60)).await;
    Ok(answer(200, Steps::exact(0, [])))
}

fn asked_within(header: &'static str, value: &str) -> Request<axum::body::Body> {
    let mut asked = request();
    asked.headers_mut().insert(header, value.parse().unwrap());
    asked
}

/// Runs the same with the layer alone and with all in one.
macro_rules! with_both {
    (|$layer:ident| $body:block) => {{
        {
            let $layer = DeadlineLayer::new(millis(1000));
            $body
        }
        {
            let $layer = ServiceLayer::new().deadline(millis(1000));
            $body
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_a_504() {
    with_both!(|layer| {
        let (begun, before) = (Instant::now(), stats().deadlines_passed);
        let given = ask(&layer, request(), slow).await;
        assert_eq!(given.status(), 504);
        assert_eq!(outcome(given.headers()), Some("timed_out"));
        assert!((millis(1000)..millis(1010)).contains(&begun.elapsed()));
        assert!(stats().deadlines_passed > before);
    });
}

#[tokio::test(start_paused = true)]
async fn a_grpc_caller_is_told_deadline_exceeded() {
    with_both!(|layer| {
        let given = ask(&layer, grpc(), slow).await;
        assert_eq!(
            (given.status().as_u16(), &given.headers()["grpc-status"]),
            (200, &"4".parse().unwrap())
        );
    });
}

#[tokio::test(start_paused = true)]
async fn the_least_of_the_routes_and_the_callers_time_counts_and_is_handed_down() {
    with_both!(|layer| {
        for (header, value, expected) in [
            ("grpc-timeout", "200m", 200),
            ("x-envoy-expected-rq-timeout-ms", "300", 300),
            ("x-envoy-expected-rq-timeout-ms", "5000", 1000),
            ("grpc-timeout", "soon", 1000),
        ] {
            let mut left = None;
            let given = ask(&layer, asked_within(header, value), async |asked| {
                left = CallContext::current().and_then(|context| context.remaining());
                slow(asked).await
            });
            assert_eq!(given.await.status(), 504);
            assert_eq!(left, Some(millis(expected)), "{header}: {value}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_trusted_is_not_asked() {
    let begun = Instant::now();
    let layer = DeadlineLayer::new(millis(1000)).caller(CallerTimeout::Ignored);
    ask(&layer, asked_within("grpc-timeout", "200m"), slow).await;
    let layer = ServiceLayer::new().deadline(millis(1000)).caller(CallerTimeout::Ignored);
    ask(&layer, asked_within("grpc-timeout", "200m"), slow).await;
    assert!(begun.elapsed() >= millis(2000));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_deadline_has_passed_is_not_begun() {
    with_both!(|layer| {
        let mut begun = false;
        let given = ask(&layer, asked_within("grpc-timeout", "0m"), |asked| {
            begun = true;
            slow(asked)
        });
        assert_eq!(given.await.status(), 504);
        assert!(!begun);
    });
}

#[tokio::test(start_paused = true)]
async fn the_work_is_dropped_and_undone_before_the_answer() {
    let log = Log::default();
    let given = ask(&ServiceLayer::new().deadline(millis(10)), request(), async |asked| {
        log.watch();
        slow(asked).await
    });
    assert_eq!(given.await.status(), 504);
    assert_eq!(log.said(), "timed_out");
}

#[tokio::test(start_paused = true)]
async fn a_body_may_go_on_past_the_routes_time_unless_that_covers_it() {
    let endless = async |_| Ok(answer(200, Steps::stream([Step::Data("half"), Step::Hang])));
    let layer = ServiceLayer::new().deadline(millis(1000));
    let mut given = ask(&layer, http_2(), endless).await;
    let reading = tokio::time::timeout(Duration::from_secs(60), read(given.body_mut()));
    assert!(reading.await.is_err(), "it is waited for");

    let mut given = ask(&layer.covers(Covers::Response), http_2(), endless).await;
    let Read { text, error, .. } = read(given.body_mut()).await;
    assert_eq!(text, "half");
    let error = error.unwrap();
    assert_eq!(Error::find(&*error).map(Error::kind), Some(ErrorKind::DeadlinePassed));

    let layer = DeadlineLayer::new(millis(1000)).covers(Covers::Response);
    let mut given = ask(&layer, grpc(), endless).await;
    assert_eq!(read(given.body_mut()).await.trailers["grpc-status"], "4");
}

#[tokio::test(start_paused = true)]
async fn the_callers_time_covers_the_body() {
    with_both!(|layer| {
        let mut asked = grpc();
        asked.headers_mut().insert("grpc-timeout", "500m".parse().unwrap());
        let mut given = ask(&layer, asked, async |_| {
            Ok(answer(200, Steps::stream([Step::Data("half"), Step::Hang])))
        })
        .await;
        let trailers = read(given.body_mut()).await.trailers;
        assert_eq!(trailers["grpc-status"], "4");
        assert_eq!(outcome(&trailers), Some("timed_out"));
    });
}
