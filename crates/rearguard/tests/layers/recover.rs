//! A panic becomes an answer, wherever it comes from.

use std::convert::Infallible;

use http::{Request, Response};
use rearguard::{
    Error, ErrorKind,
    layers::{RecoverLayer, ScopedLayer, ServiceLayer, stats},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{
    Log, Read, Step, Steps, answer, ask, grpc, http_2, outcome, quiet, read, request,
};

async fn panics(_: Request<axum::body::Body>) -> Result<Response<Steps>, Infallible> {
    panic!("a bug")
}

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// Runs the same with the layer alone and with all in one.
macro_rules! with_both {
    (|$layer:ident| $body:block) => {{
        quiet();
        {
            let $layer = RecoverLayer::new();
            $body
        }
        {
            let $layer = ServiceLayer::new();
            $body
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_500_with_the_trace_id() {
    with_both!(|layer| {
        let before = stats().recovered;
        let mut asked = request();
        asked.headers_mut().insert("traceparent", SENT.parse().unwrap());
        let mut given = ask(&layer, asked, panics).await;
        assert_eq!(given.status(), 500);
        assert_eq!(outcome(given.headers()), Some("panicked"));
        assert!(read(given.body_mut()).await.text.contains(TRACE_ID));
        assert!(stats().recovered > before);
    });
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_internal_to_a_grpc_caller() {
    with_both!(|layer| {
        let mut asked = grpc();
        asked.headers_mut().insert("traceparent", SENT.parse().unwrap());
        let given = ask(&layer, asked, panics).await;
        assert_eq!(given.status(), 200);
        assert_eq!(given.headers()["grpc-status"], "13");
        assert!(given.headers()["grpc-message"].to_str().unwrap().contains(TRACE_ID));
        assert_eq!(outcome(given.headers()), Some("panicked"));
        assert!(http_body::Body::is_end_stream(given.body()));
    });
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_making_the_future_is_one_too() {
    with_both!(|layer| {
        let broken = service_fn(|_: Request<axum::body::Body>| {
            if true {
                panic!("a bug in making it")
            }
            std::future::ready(Ok::<_, Infallible>(answer(200, Steps::exact(0, []))))
        });
        let Ok(given) = layer.layer(broken).oneshot(request()).await;
        assert_eq!(given.status(), 500);
    });
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_on_its_way_does_not_end_like_a_whole_one() {
    with_both!(|layer| {
        let mut given = ask(&layer, http_2(), async |_| {
            Ok(answer(200, Steps::stream([Step::Data("half"), Step::Panic])))
        })
        .await;
        let Read { text, error, .. } = read(given.body_mut()).await;
        assert_eq!(text, "half");
        let error = error.unwrap();
        assert_eq!(Error::find(&*error).map(Error::kind), Some(ErrorKind::Panicked));
    });
}

#[tokio::test(start_paused = true)]
async fn a_grpc_stream_that_panics_ends_in_trailers() {
    with_both!(|layer| {
        let mut given = ask(&layer, grpc(), async |_| {
            Ok(answer(200, Steps::stream([Step::Data("half"), Step::Panic])))
        })
        .await;
        let Read { text, trailers, error } = read(given.body_mut()).await;
        assert!(text == "half" && error.is_none());
        assert_eq!(trailers["grpc-status"], "13");
        assert_eq!(outcome(&trailers), Some("panicked"));
    });
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_panics_is_a_500_as_its_head_was_not_sent() {
    quiet();
    let given = ask(&ServiceLayer::new(), request(), async |_| {
        Ok(answer(200, Steps::exact(9, [Step::Data("half"), Step::Panic])))
    });
    assert_eq!(given.await.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn the_cleanups_run_first_and_are_told_of_the_panic() {
    quiet();
    let log = Log::default();
    let given = ask(&ServiceLayer::new(), request(), async |_| -> Result<Response<Steps>, _> {
        log.watch();
        panic!("a bug")
    });
    assert_eq!(given.await.status(), 500);
    assert_eq!(log.said(), "panicked");
}

#[tokio::test(start_paused = true)]
async fn a_scope_around_a_recovery_knows_that_it_was_a_panic() {
    quiet();
    let log = Log::default();
    let layers = tower::ServiceBuilder::new().layer(ScopedLayer::new()).layer(RecoverLayer::new());
    let service = layers.service(service_fn(async |request| {
        log.watch();
        panics(request).await
    }));
    let Ok(given) = service.oneshot(request()).await;
    assert_eq!((given.status().as_u16(), log.said().as_str()), (500, "panicked"));
}
