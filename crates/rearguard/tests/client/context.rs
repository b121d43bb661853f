//! What goes along with a request, and what comes back of it.

use std::time::Duration;

use rearguard::{
    CallContext, TraceContext,
    client::{Client, Reported},
};

use crate::{get, scripted::Scripted, text};

/// Answers with the heads of requests.
async fn heads() -> Scripted {
    Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            peer.answer(&head.0).await;
        }
    })
    .await
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(": ")).find(|it| it.0 == name).map(|it| it.1)
}

#[tokio::test]
async fn the_trace_goes_along_with_a_new_span_each_time() {
    let (server, client) = (heads().await, Client::default());
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context = CallContext::extract(|name| match name {
        "traceparent" => Some(sent.as_bytes()),
        "tracestate" => Some(b"vendor=1"),
        _ => None,
    })
    .unwrap();
    let mut spans = vec![context.trace().span_id];
    for _ in 0..2 {
        let asked = context.clone().scope(client.send(get(&server, "/"))).await.unwrap();
        let head = text(asked).await.unwrap();
        let trace = TraceContext::parse(header(&head, "traceparent").unwrap().as_bytes()).unwrap();
        assert_eq!(trace.trace_id, context.trace().trace_id);
        assert!(!spans.contains(&trace.span_id));
        spans.push(trace.span_id);
        assert_eq!(header(&head, "tracestate"), Some("vendor=1"));
        assert_eq!(header(&head, "x-envoy-expected-rq-timeout-ms"), None);
    }
}

#[tokio::test]
async fn a_request_outside_of_any_begins_a_trace() {
    let (server, client) = (heads().await, Client::default());
    let head = text(client.send(get(&server, "/")).await.unwrap()).await.unwrap();
    assert!(TraceContext::parse(header(&head, "traceparent").unwrap().as_bytes()).is_some());
}

#[tokio::test]
async fn what_is_left_of_the_time_goes_along() {
    let (server, client) = (heads().await, Client::default());
    let context = CallContext::new().within(Duration::from_secs(5));
    let head = context.clone().scope(client.send(get(&server, "/"))).await.unwrap();
    let head = text(head).await.unwrap();
    let left: u64 = header(&head, "x-envoy-expected-rq-timeout-ms").unwrap().parse().unwrap();
    assert!((4000..=5000).contains(&left), "{left}");

    let mut grpc = get(&server, "/");
    grpc.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
    // What the caller wrote itself bounds it, too.
    grpc.headers_mut().insert("grpc-timeout", "3S".parse().unwrap());
    let head = text(context.scope(client.send(grpc)).await.unwrap()).await.unwrap();
    let left = header(&head, "grpc-timeout").unwrap();
    let left = rearguard::timeout::parse_grpc(left.as_bytes()).unwrap();
    assert!(left <= Duration::from_secs(3) && left > Duration::from_secs(2), "{left:?}");
    assert_eq!(header(&head, "x-envoy-expected-rq-timeout-ms"), None);
}

#[tokio::test]
async fn the_host_is_that_of_the_uri() {
    let (server, client) = (heads().await, Client::default());
    let head = text(client.send(get(&server, "/a?b")).await.unwrap()).await.unwrap();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some(server.to_string().as_str()));
}

#[tokio::test]
async fn what_the_service_reports_is_read() {
    let server = Scripted::start(async |_, mut peer| {
        peer.request().await;
        let headers = "server-timing: db;dur=3, work;dur=12.5\r\nrearguard-outcome: failed\r\n";
        peer.answer_with(headers, "").await;
        peer.hold().await;
    })
    .await;
    let response = Client::default().send(get(&server, "/")).await.unwrap();
    let reported = Reported::of(response.headers());
    assert_eq!(reported.work, Some(Duration::from_micros(12_500)));
    assert_eq!(reported.outcome, Some(rearguard::Outcome::Failed));
    assert_eq!(reported.cleanup, None);
}
