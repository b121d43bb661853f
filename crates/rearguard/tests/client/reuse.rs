//! When a connection is another request's, and when it is not.

use std::time::Duration;

use http_body_util::BodyExt as _;
use rearguard::{
    ErrorKind,
    client::{Client, ClientOptions, DRAIN_MAX_BYTES, Repeat, RequestOptions},
};
use tokio::sync::mpsc;

use crate::{ask, get, post, scripted::Scripted, text, until, until_quiet};

#[tokio::test]
async fn a_body_read_to_its_end_leaves_the_connection_to_the_next() {
    let (server, client) = (Scripted::echo().await, Client::default());
    for path in ["/1", "/2", "/3"] {
        assert_eq!(ask(&client, &server, path).await.unwrap(), path);
    }
    assert_eq!(server.accepted(), 1);
    assert_eq!(client.stats().reused, 2);
}

#[tokio::test]
async fn the_last_frame_already_gives_the_connection_back() {
    let (server, client) = (Scripted::echo().await, Client::default());
    let mut first = client.send(get(&server, "/first")).await.unwrap().into_body();
    assert!(first.frame().await.unwrap().is_ok());
    assert!(http_body::Body::is_end_stream(&first));
    assert_eq!(ask(&client, &server, "/second").await.unwrap(), "/second");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_short_body_dropped_unread_is_read_and_the_connection_kept() {
    let server = Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            if head.path() == "/late" {
                // The rest comes when the body is gone.
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc").await;
                tokio::task::yield_now().await;
                peer.write("def").await;
            } else {
                peer.answer(head.path()).await;
            }
        }
    })
    .await;
    let client = Client::default();
    drop(client.send(get(&server, "/late")).await.unwrap());
    until_quiet(&client).await;
    assert_eq!(ask(&client, &server, "/next").await.unwrap(), "/next");
    assert_eq!((server.accepted(), client.stats().drained), (1, 1));
}

#[tokio::test]
async fn a_long_or_endless_body_dropped_unread_closes_the_connection() {
    let server = Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            match head.path() {
                "/long" => {
                    let length = DRAIN_MAX_BYTES + 1;
                    peer.write(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nab"))
                        .await;
                }
                "/endless" => {
                    peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
                        .await;
                }
                path => peer.answer(path).await,
            }
        }
    })
    .await;
    let client = Client::default();
    for (index, path) in ["/long", "/endless"].into_iter().enumerate() {
        drop(client.send(get(&server, path)).await.unwrap());
        until("it is closed", async || client.stats().connections == 0).await;
        assert_eq!(client.stats().cut_short, 1 + index as u64);
        assert_eq!(ask(&client, &server, "/next").await.unwrap(), "/next");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let server = Scripted::start(async |_, mut peer| {
        let head = peer.request().await.unwrap();
        peer.answer(head.path()).await;
    })
    .await;
    let client = Client::default();
    // Nothing but the kernel knows of the close when the next request looks: there is no resend.
    for path in ["/1", "/2", "/3"] {
        let answer = client.send(post(&server, path)).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), path);
        let connection_is_closed = async || {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let port = format!(
                ":{:04X}",
                server.to_string().rsplit_once(':').unwrap().1.parse::<u16>().unwrap()
            );
            // Neither end is established: the server's FIN is here.
            !table.lines().any(|line| line.contains(&port) && line.contains(" 01 "))
        };
        until("the server has closed", connection_is_closed).await;
    }
    assert_eq!((server.accepted(), client.stats().resent), (3, 0));
}

/// Closes each connection when it reads a second request: a server whose own idle timeout passes as
/// the request arrives.
async fn racing() -> Scripted {
    Scripted::start(async |_, mut peer| {
        let head = peer.request().await.unwrap();
        peer.answer(head.path()).await;
        peer.request().await;
    })
    .await
}

#[tokio::test]
async fn the_idle_race_is_lost_without_harm_where_the_request_may_be_repeated() {
    let (server, client) = (racing().await, Client::default());
    assert_eq!(ask(&client, &server, "/1").await.unwrap(), "/1");
    assert_eq!(ask(&client, &server, "/2").await.unwrap(), "/2");
    assert_eq!((server.accepted(), client.stats().resent), (2, 1));
    let mut query = post(&server, "/3");
    query.extensions_mut().insert(RequestOptions::new().repeat(Repeat::Allowed));
    assert_eq!(text(client.send(query).await.unwrap()).await.unwrap(), "/3");
    assert_eq!((server.accepted(), client.stats().resent), (3, 2));
}

#[tokio::test]
async fn the_idle_race_is_told_where_the_request_may_not_be_repeated() {
    let (server, client) = (racing().await, Client::default());
    assert_eq!(ask(&client, &server, "/1").await.unwrap(), "/1");
    let error = client.send(post(&server, "/2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClosedBeforeResponse);
    assert_eq!(error.context("connection"), Some("reused"));
    assert!(error.context("idle_ms").unwrap().parse::<u64>().is_ok());
    assert!(!error.is_retryable());
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn what_the_server_says_of_keep_alive_is_obeyed() {
    let server = Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            peer.answer_with("keep-alive: timeout=0\r\n", head.path()).await;
        }
    })
    .await;
    let client = Client::default();
    for path in ["/1", "/2"] {
        assert_eq!(ask(&client, &server, path).await.unwrap(), path);
    }
    assert_eq!((server.accepted(), client.stats().stale), (2, 1));
}

#[tokio::test]
async fn a_connection_that_is_idle_for_long_is_closed() {
    let (gone, mut told) = mpsc::unbounded_channel();
    let server = Scripted::start(move |_, mut peer| {
        let gone = gone.clone();
        async move {
            while let Some(head) = peer.request().await {
                peer.answer(head.path()).await;
            }
            gone.send(()).unwrap();
        }
    })
    .await;
    let client = Client::new(ClientOptions::new().idle_timeout(Duration::from_millis(50)));
    assert_eq!(ask(&client, &server, "/").await.unwrap(), "/");
    assert_eq!(tokio::time::timeout(crate::PATIENCE, told.recv()).await, Ok(Some(())));
    assert_eq!(client.stats().connections, 0);
}

#[tokio::test]
async fn without_an_idle_time_each_request_has_a_connection_of_its_own() {
    let server = Scripted::echo().await;
    let client = Client::new(ClientOptions::new().idle_timeout(Duration::ZERO));
    for path in ["/1", "/2", "/3"] {
        assert_eq!(ask(&client, &server, path).await.unwrap(), path);
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_the_next_ones() {
    let server = Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            let body = head.path();
            let twice = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            peer.write(&format!("{twice}{twice}")).await;
        }
    })
    .await;
    let client = Client::default();
    for path in ["/1", "/2", "/3"] {
        assert_eq!(ask(&client, &server, path).await.unwrap(), path);
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn an_early_answer_does_not_leave_half_a_request_on_the_connection() {
    let server = Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            peer.answer(head.path()).await;
        }
    })
    .await;
    let client = Client::default();
    // A body that never ends, whose request is answered at its head.
    let request = http::Request::post(format!("http://{server}/early")).body(Endless).unwrap();
    assert_eq!(text(client.send(request).await.unwrap()).await.unwrap(), "/early");
    assert_eq!(ask(&client, &server, "/next").await.unwrap(), "/next");
    assert_eq!(server.accepted(), 2);
}

struct Endless;

impl http_body::Body for Endless {
    type Data = &'static [u8];
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
