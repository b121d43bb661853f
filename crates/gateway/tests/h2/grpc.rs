//! gRPC: its four kinds of calls, its statuses, its deadlines.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use config::routing::UpstreamProtocol::Http2;
use h2::{Reason, RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use model::{Cause, Outcome, Protocol};
use tokio::sync::mpsc;

use crate::support::{Setup, ask, ask_with, dead, grpc, h2_client, h2_service, until, within};

fn trailers(status: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().expect("a value"));
    trailers.insert("grpc-message", "as it went".parse().expect("a value"));
    trailers
}

fn ok() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).expect("a response")
}

/// A service by the path: `/unary`, `/server`, `/client`, `/bidi`, `/status/N`, `/only/N`, `/hang`.
async fn serve(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    if let Some(status) = path.strip_prefix("/only/") {
        let mut response = ok();
        response.headers_mut().extend(trailers(status));
        respond.send_response(response, true).expect("sent");
        return;
    }
    if path == "/hang" {
        std::future::poll_fn(|cx| respond.poll_reset(cx)).await.expect("a reset");
        return;
    }
    let mut send = respond.send_response(ok(), false).expect("sent");
    match path.as_str() {
        "/server" => {
            for message in ["one", "two", "three"] {
                send.send_data(message.into(), false).expect("sent");
            }
        }
        "/client" => {
            let mut length = 0;
            while let Some(data) = body.data().await {
                length += data.expect("data").len();
            }
            send.send_data(length.to_string().into(), false).expect("sent");
        }
        "/bidi" => {
            while let Some(data) = body.data().await {
                let Ok(data) = data else { return };
                body.flow_control().release_capacity(data.len()).expect("what was received");
                send.send_data(data, false).expect("sent");
            }
        }
        _ => send.send_data("answer".into(), false).expect("sent"),
    }
    let status = path.strip_prefix("/status/").unwrap_or("0");
    send.send_trailers(trailers(status)).expect("sent");
}

#[tokio::test]
async fn every_kind_of_call_passes_with_its_trailers() {
    let service = h2_service(serve).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    for (path, body, expected) in [
        ("/unary", "question", "answer"),
        ("/server", "question", "onetwothree"),
        ("/client", "question", "8"),
        ("/bidi", "question", "question"),
    ] {
        let answer = ask_with(&client, grpc(path), Bytes::from(body), None).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{path}");
        assert_eq!(answer.trailer("grpc-status"), "0", "{path}");
        assert_eq!(answer.trailer("grpc-message"), "as it went", "{path}");
    }
    let only = ask(&client, grpc("/only/0")).await.expect("an answer");
    assert_eq!((only.header("grpc-status"), &only.trailers), ("0", &None));
    until(|| (gateway.ended() == 5).then_some(())).await;
    assert!(gateway.gateway.handle().failures(0, 10).is_empty());
}

#[tokio::test]
async fn messages_go_to_and_fro_on_one_call() {
    let service = h2_service(serve).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let mut client = client.ready().await.expect("ready");
    let (response, mut send) = client.send_request(grpc("/bidi"), false).expect("sent");
    let mut body = within(response).await.expect("a head before any message").into_body();
    for message in ["a", "bc", "def"] {
        send.send_data(message.into(), false).expect("sent");
        let data = within(body.data()).await.expect("more").expect("data");
        assert_eq!(data, message);
        body.flow_control().release_capacity(data.len()).expect("what was received");
    }
    send.send_data(Bytes::new(), true).expect("sent");
    assert!(within(body.data()).await.is_none());
    let trailers = within(body.trailers()).await.expect("an end").expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_failing_status_inside_a_200_is_the_services_failure() {
    let service = h2_service(serve).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    for (path, outcome, status) in [
        ("/status/13", Outcome::Failed, 13),
        ("/only/2", Outcome::Failed, 2),
        ("/status/4", Outcome::TimedOut, 4),
        ("/only/4", Outcome::TimedOut, 4),
    ] {
        let answer = ask(&client, grpc(path)).await.expect("an answer");
        assert_eq!(answer.status, 200);
        let record = until(|| {
            let found = gateway.gateway.handle().failures(0, 1);
            found.into_iter().find(|record| &*record.path == path)
        })
        .await;
        assert_eq!(
            (record.cause, record.outcome),
            (Some(Cause::UpstreamFailed), outcome),
            "{path}"
        );
        assert_eq!((record.status, record.grpc_status), (200, Some(status)), "{path}");
        assert_eq!(record.protocol, Protocol::Grpc);
    }
    // Statuses that are no failure of the service's.
    for path in ["/status/5", "/only/1"] {
        ask(&client, grpc(path)).await.expect("an answer");
    }
    until(|| (gateway.ended() == 6).then_some(())).await;
    assert_eq!(gateway.gateway.handle().failures(0, 10).len(), 4);
}

#[tokio::test]
async fn errors_of_the_gateway_are_trailers_only() {
    let gateway = Setup::new(Http2, dead().await).start();
    let client = h2_client(gateway.address).await;
    let answer = ask(&client, grpc("/unary")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/grpc"));
    assert_eq!(answer.header("grpc-status"), "14");
    let message = answer.header("grpc-message");
    assert!(message.starts_with("upstream.connect_refused: "), "{message}");
    assert!(answer.body.is_empty() && answer.trailers.is_none());
    let record = gateway.failure().await;
    assert_eq!((record.status, record.grpc_status), (200, Some(14)));
    assert_eq!(record.cause, Some(Cause::UpstreamConnectRefused));
}

#[tokio::test]
async fn a_deadline_is_handed_on_shorter_and_kept() {
    let (seen, mut deadlines) = mpsc::unbounded_channel();
    let service = h2_service(move |request: Request<RecvStream>, respond| {
        let timeout = request.headers()["grpc-timeout"].to_str().expect("text").to_owned();
        drop(seen.send(timeout));
        serve(request, respond)
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let with = |path, timeout: &str| {
        let mut request = grpc(path);
        request.headers_mut().insert("grpc-timeout", timeout.parse().expect("a value"));
        request
    };
    let answer = ask(&client, with("/unary", "20S")).await.expect("an answer");
    assert_eq!(answer.trailer("grpc-status"), "0");
    let handed_on = deadlines.recv().await.expect("a deadline");
    let millis: u32 = handed_on.trim_end_matches('m').parse().expect("milliseconds");
    assert!((1..=20_000).contains(&millis), "{handed_on}");
    let answer = ask(&client, with("/hang", "50m")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, "4"));
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::UpstreamResponseTimedOut));
    assert_eq!(record.outcome, Outcome::TimedOut);
    let handed_on = deadlines.recv().await.expect("a deadline");
    let millis: u32 = handed_on.trim_end_matches('m').parse().expect("milliseconds");
    assert!(millis <= 50, "{handed_on}");
    // Nothing is left of it.
    let answer = ask(&client, with("/unary", "0m")).await.expect("an answer");
    assert_eq!(answer.header("grpc-status"), "4");
    assert_eq!(gateway.failures(2).await[0].cause, Some(Cause::ClientDeadlinePassed));
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_reset_at_the_service() {
    let reset: Arc<Mutex<Vec<Reason>>> = Arc::default();
    let (told, resets) = (Arc::clone(&reset), reset);
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let service =
        h2_service(move |request: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
            let (told, arrived) = (Arc::clone(&told), arrived.clone());
            async move {
                let path = request.uri().path().to_owned();
                let _body = request;
                // `/begun` has had the head of its answer when it is cancelled.
                let mut send =
                    (path == "/begun").then(|| respond.send_response(ok(), false).expect("sent"));
                arrived.send(()).expect("a listener");
                let reason = std::future::poll_fn(|cx| match &mut send {
                    Some(send) => send.poll_reset(cx),
                    None => respond.poll_reset(cx),
                });
                let reason = reason.await.expect("a reset");
                told.lock().expect("unpoisoned").push(reason);
            }
        })
        .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    // With the request's end sent, and without.
    for (path, end) in [("/waits", true), ("/waits", false), ("/begun", true), ("/begun", false)] {
        let mut client = client.clone().ready().await.expect("ready");
        let (response, mut send) = client.send_request(grpc(path), end).expect("sent");
        arrivals.recv().await.expect("an arrival");
        let begun = if path == "/begun" { Some(within(response).await) } else { None };
        send.send_reset(Reason::CANCEL);
        drop(begun);
        until(|| (!resets.lock().expect("unpoisoned").is_empty()).then_some(())).await;
        assert_eq!(resets.lock().expect("unpoisoned").drain(..).as_slice(), [Reason::CANCEL]);
    }
    for record in gateway.failures(4).await {
        assert_eq!(record.cause, Some(Cause::ClientDisconnected), "{record:?}");
        assert_eq!(record.outcome, Outcome::Cancelled);
    }
    until(|| (gateway.metric("rearguard_requests") == 0).then_some(())).await;
}

/// The service has taken as much of the request as it wants for now, so that the rest waits at the
/// gateway when the call is cancelled.
#[tokio::test]
async fn a_call_that_is_cancelled_while_its_service_does_not_read_is_reset_as_well() {
    for begins in [false, true] {
        let (sender, mut reasons) = mpsc::unbounded_channel();
        let service =
            h2_service(move |request: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
                let sender = sender.clone();
                async move {
                    let _unread = request;
                    let mut send =
                        begins.then(|| respond.send_response(ok(), false).expect("sent"));
                    let reason = std::future::poll_fn(|cx| match &mut send {
                        Some(send) => send.poll_reset(cx),
                        None => respond.poll_reset(cx),
                    });
                    sender.send(reason.await.expect("a reset")).expect("a listener");
                }
            })
            .await;
        let gateway = Setup::new(Http2, service.address).start();
        let client = h2_client(gateway.address).await;
        let mut client = client.ready().await.expect("ready");
        let (response, mut send) = client.send_request(grpc("/"), false).expect("sent");
        // More than every window on the way takes.
        let all = crate::support::send_all(&mut send, vec![0; 4 << 20].into());
        let stuck = tokio::time::timeout(Duration::from_millis(300), all).await;
        assert!(stuck.is_err(), "{stuck:?}");
        let begun = if begins { Some(within(response).await) } else { None };
        send.send_reset(Reason::CANCEL);
        assert_eq!(within(reasons.recv()).await, Some(Reason::CANCEL), "begins: {begins}");
        assert_eq!(gateway.failure().await.cause, Some(Cause::ClientDisconnected));
        drop(begun);
    }
}

#[tokio::test]
async fn a_caller_is_told_in_the_trailers_of_an_answer_that_broke_off() {
    let service = h2_service(|_, mut respond: SendResponse<Bytes>| async move {
        let mut send = respond.send_response(ok(), false).expect("sent");
        send.send_data("half".into(), false).expect("sent");
        // The data goes out before the reset does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        send.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let answer = ask(&client, grpc("/unary")).await.expect("an answer");
    assert_eq!((answer.text().as_str(), answer.trailer("grpc-status")), ("half", "14"));
    assert!(answer.trailer("grpc-message").starts_with("upstream.closed_mid_response: "));
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::UpstreamClosedMidResponse));
    assert_eq!(record.grpc_status, Some(14));
}

#[tokio::test]
async fn a_call_may_be_silent_for_longer_than_other_requests() {
    let service = h2_service(serve).await;
    let mut setup = Setup::new(Http2, service.address);
    let short = Duration::from_millis(20);
    setup.settings.timeouts.request_stall = short;
    setup.settings.timeouts.response_stall = short;
    setup.settings.timeouts.response = short;
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let mut client = client.ready().await.expect("ready");
    let (response, mut send) = client.send_request(grpc("/bidi"), false).expect("sent");
    let mut body = within(response).await.expect("a head").into_body();
    tokio::time::sleep(short * 5).await;
    send.send_data("late".into(), true).expect("sent");
    assert_eq!(within(body.data()).await.expect("more").expect("data"), "late");
    // A call whose service says nothing at all for long ends by nobody's bound but the caller's.
    let (response, mut send) = client.send_request(grpc("/hang"), false).expect("sent");
    let hangs = tokio::time::timeout(short * 5, response).await;
    assert!(hangs.is_err(), "{hangs:?}");
    send.send_reset(Reason::CANCEL);
    assert_eq!(gateway.failure().await.cause, Some(Cause::ClientDisconnected));
}
