//! What bounds a client.

use std::time::Duration;

use http_body_util::BodyExt as _;
use rearguard::{
    CallContext, ErrorKind,
    client::{Client, ClientOptions},
};
use tower::ServiceExt as _;

use crate::{ask, get, scripted::Scripted, until};

#[tokio::test]
async fn requests_wait_for_a_connection_within_bounds() {
    let server = Scripted::start(async |_, mut peer| peer.hold().await).await;
    let options = ClientOptions::new().connections(1).waiters(1);
    let client = Client::new(options.queue_timeout(Duration::from_millis(100)));
    let first = tokio::spawn({
        let (client, request) = (client.clone(), get(&server, "/"));
        async move { client.send(request).await }
    });
    until("the first has the connection", async || client.stats().connections == 1).await;
    let second = tokio::spawn({
        let (client, request) = (client.clone(), get(&server, "/"));
        async move { client.send(request).await }
    });
    until("the second waits", async || client.stats().waiting == 1).await;
    let third = client.send(get(&server, "/")).await.unwrap_err();
    assert_eq!((third.kind(), third.context("waiters")), (ErrorKind::QueueFull, Some("1")));
    let second = second.await.unwrap().unwrap_err();
    assert_eq!(second.kind(), ErrorKind::QueueTimedOut);
    assert!(second.is_retryable());
    let context = CallContext::new().within(Duration::from_millis(20));
    let fourth = context.scope(client.send(get(&server, "/"))).await.unwrap_err();
    assert_eq!(fourth.kind(), ErrorKind::DeadlinePassed);
    let stats = client.stats();
    assert_eq!((stats.queue_full, stats.queue_timed_out, stats.waiting), (1, 1, 0));
    assert_eq!(server.accepted(), 1);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    until("the connection is closed", async || client.stats().connections == 0).await;
}

#[tokio::test]
async fn a_hundred_at_once_share_four_connections() {
    let server = Scripted::echo().await;
    let client = Client::new(ClientOptions::new().connections(4));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (client, server) = (client.clone(), server.to_string());
        asking.spawn(async move {
            let path = format!("/{number}");
            assert_eq!(ask(&client, &server, &path).await.unwrap(), path);
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    let stats = client.stats();
    assert!(server.accepted() <= 4, "{}", server.accepted());
    assert_eq!((stats.connections, stats.idle), (server.accepted(), server.accepted()));
}

#[tokio::test]
async fn it_is_a_service() {
    let server = Scripted::echo().await;
    let response = Client::default().oneshot(get(&server, "/tower")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "/tower");
}
