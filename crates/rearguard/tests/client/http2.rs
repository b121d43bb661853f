//! HTTP/2: many requests on a connection, and what their failures prove.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http_body_util::BodyExt as _;
use rearguard::{
    ErrorKind,
    client::{Client, ClientOptions, Protocol},
};

use crate::{
    get,
    peer::{Frames, REFUSED_STREAM},
    post,
    scripted::{Peer, Scripted},
    until,
};

fn client() -> Client {
    Client::new(ClientOptions::new().protocol(Protocol::Http2))
}

async fn frames(peer: Peer) -> Frames {
    Frames::begin(peer, Arc::default()).await.unwrap()
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let server = Scripted::start(async |_, peer| {
        let mut frames = frames(peer).await;
        let mut asked = Vec::new();
        // None is answered before all are there.
        while asked.len() < 20 {
            asked.push(frames.request().await.unwrap());
        }
        for stream in asked.into_iter().rev() {
            frames.answer(stream).await;
        }
        frames.request().await;
    })
    .await;
    let client = client();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, request) = (client.clone(), get(&server, "/"));
        asking.spawn(async move { client.send(request).await });
    }
    while let Some(asked) = asking.join_next().await {
        assert_eq!(asked.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.accepted(), 1);
    assert_eq!(client.close(Duration::from_secs(1)).await, 0);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_its_method() {
    let server = Scripted::start(async |number, peer| {
        let mut frames = frames(peer).await;
        while let Some(stream) = frames.request().await {
            match number {
                0 => frames.reset(stream, REFUSED_STREAM).await,
                _ => frames.answer(stream).await,
            }
        }
    })
    .await;
    let client = client();
    assert_eq!(client.send(post(&server, "/")).await.unwrap().status(), 200);
    assert_eq!((server.accepted(), client.stats().resent), (2, 1));
}

#[tokio::test]
async fn a_stream_that_a_goaway_excludes_is_sent_again() {
    let server = Scripted::start(async |number, peer| {
        let mut frames = frames(peer).await;
        while let Some(stream) = frames.request().await {
            match number {
                0 => frames.go_away(0).await,
                _ => frames.answer(stream).await,
            }
        }
    })
    .await;
    let client = client();
    assert_eq!(client.send(post(&server, "/")).await.unwrap().status(), 200);
    assert_eq!((server.accepted(), client.stats().resent), (2, 1));
}

#[tokio::test]
async fn a_stream_that_a_goaway_includes_is_answered_and_the_next_goes_elsewhere() {
    let server = Scripted::start(async |_, peer| {
        let mut frames = frames(peer).await;
        while let Some(stream) = frames.request().await {
            frames.go_away(stream).await;
            frames.answer(stream).await;
        }
    })
    .await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(client.send(post(&server, "/")).await.unwrap().status(), 200);
    }
    assert_eq!((server.accepted(), client.stats().resent), (3, 0));
}

#[tokio::test]
async fn a_connection_that_ends_after_the_goaway_is_not_sent_again() {
    // The stream is within what the GOAWAY includes, so it may have been done.
    let server = Scripted::start(async |_, peer| {
        let mut frames = frames(peer).await;
        let stream = frames.request().await.unwrap();
        frames.go_away(stream).await;
    })
    .await;
    let error = client().send(post(&server, "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClosedBeforeResponse, "{error}");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_reset_before_and_within_the_answer_are_told_apart() {
    let server = Scripted::start(async |_, peer| {
        let mut frames = frames(peer).await;
        let mut within = false;
        while let Some(stream) = frames.request().await {
            if within {
                frames.begin_answer(stream).await;
            }
            within = true;
            frames.reset(stream, 2).await;
        }
    })
    .await;
    let client = client();
    let error = client.send(post(&server, "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reset, "{error}");
    let body = client.send(post(&server, "/")).await.unwrap().into_body();
    let error = body.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClosedMidResponse, "{error}");
    // Neither harms the connection.
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_server_that_speaks_http1_is_protocol_error() {
    let server = Scripted::start(async |_, mut peer| {
        peer.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        peer.hold().await;
    })
    .await;
    let error = client().send(get(&server, "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProtocolError, "{error}");
}

#[tokio::test]
async fn a_body_dropped_unread_resets_its_stream_alone() {
    let resets = Arc::new(AtomicUsize::new(0));
    let server = Scripted::start({
        let resets = Arc::clone(&resets);
        move |_, peer| {
            let resets = Arc::clone(&resets);
            async move {
                let mut frames = Frames::begin(peer, resets).await.unwrap();
                while let Some(stream) = frames.request().await {
                    frames.begin_answer(stream).await;
                }
            }
        }
    })
    .await;
    let client = client();
    for _ in 0..3 {
        drop(client.send(get(&server, "/")).await.unwrap());
    }
    until("all are reset", async || resets.load(SeqCst) == 3).await;
    until("nothing is in flight", async || client.stats().idle == 1).await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn streams_of_a_closed_connection_are_closed_before_response() {
    let server = Scripted::start(async |_, peer| {
        assert!(frames(peer).await.request().await.is_some());
    })
    .await;
    let error = client().send(get(&server, "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClosedBeforeResponse, "{error}");
    assert_eq!(error.context("connection"), Some("fresh"));
}
