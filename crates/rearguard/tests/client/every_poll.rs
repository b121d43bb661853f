//! A request dropped at every poll: the next one gets its own answer, and nothing stays open.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http_body_util::BodyExt as _;
use rearguard::{
    client::{Client, ClientOptions, Protocol},
    testing::at_every_poll,
};
use tokio::time::sleep;

use crate::{PATIENCE, ask, get, peer::Frames, post, scripted::Scripted, text, until, until_quiet};

/// What lies between the pieces of an answer, so that each is seen by itself.
const PACE: Duration = Duration::from_millis(1);

/// Answers in pieces, so that there is much to be dropped in.
async fn slow_echo() -> Scripted {
    Scripted::start(async |_, mut peer| {
        while let Some(head) = peer.request().await {
            let body = head.path();
            let length = body.len();
            peer.write("HTTP/1.1 200 OK\r\n").await;
            sleep(PACE).await;
            peer.write(&format!("content-length: {length}\r\n\r\n")).await;
            for letter in body.chars() {
                sleep(PACE).await;
                peer.write(&letter.to_string()).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_http1_request_dropped_at_any_poll_harms_no_other() {
    let server = slow_echo().await;
    let client = Client::new(ClientOptions::new().connections(2));
    let round = Cell::new(0);
    let polls = at_every_poll(
        || {
            round.set(round.get() + 1);
            let request = post(&server, &format!("/dropped/{}", round.get()));
            async { text(client.send(request).await.unwrap()).await.unwrap() }
        },
        |_| async {
            // At once, while the connection may still be drained, and when all is quiet.
            for path in ["/next", "/after"] {
                assert_eq!(ask(&client, &server, path).await.unwrap(), path);
                until_quiet(&client).await;
            }
            assert!(client.stats().connections <= 2);
        },
    )
    .await;
    assert!(polls > 4, "{polls}");
    assert_eq!(client.close(PATIENCE).await, 0);
}

#[tokio::test]
async fn a_first_request_dropped_at_any_poll_leaves_no_socket() {
    let open = Arc::new(AtomicUsize::new(0));
    let server = Scripted::start({
        let open = Arc::clone(&open);
        move |_, mut peer| {
            let open = Arc::clone(&open);
            async move {
                open.fetch_add(1, SeqCst);
                while let Some(head) = peer.request().await {
                    sleep(PACE).await;
                    peer.answer(head.path()).await;
                }
                open.fetch_sub(1, SeqCst);
            }
        }
    })
    .await;
    let polls = at_every_poll(
        || {
            // Dropped with the request.
            let (client, request) = (Client::default(), get(&server, "/first"));
            async move { text(client.send(request).await.unwrap()).await.unwrap() }
        },
        |_| async {
            until("no socket is open", async || open.load(SeqCst) == 0).await;
        },
    )
    .await;
    assert!(polls > 2, "{polls}");
}

#[tokio::test]
async fn an_http2_request_dropped_at_any_poll_harms_no_other() {
    let server = Scripted::start(async |_, peer| {
        let Some(mut frames) = Frames::begin(peer, Arc::default()).await else { return };
        while let Some(stream) = frames.request().await {
            frames.begin_answer(stream).await;
            sleep(PACE).await;
            frames.send(0, 1, stream, b"thing").await;
        }
    })
    .await;
    let client = Client::new(ClientOptions::new().protocol(Protocol::Http2).connections(1));
    let polls = at_every_poll(
        || async { text(client.send(get(&server, "/")).await.unwrap()).await.unwrap() },
        |_| async {
            assert_eq!(ask(&client, &server, "/").await.unwrap(), "something");
            until_quiet(&client).await;
            assert!(client.stats().connections <= 1);
        },
    )
    .await;
    assert!(polls > 2, "{polls}");
    assert_eq!(client.close(PATIENCE).await, 0);
}

#[tokio::test]
async fn a_panic_while_a_body_is_read_is_a_dropped_body() {
    let server = slow_echo().await;
    let client =
        Client::new(ClientOptions::new().connections(1).queue_timeout(Duration::from_secs(5)));
    for _ in 0..3 {
        let panicked = tokio::spawn({
            let (client, request) = (client.clone(), get(&server, "/panics"));
            async move {
                let mut body = client.send(request).await.unwrap().into_body();
                drop(body.frame().await);
                panic!("while it is read");
            }
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert_eq!(ask(&client, &server, "/next").await.unwrap(), "/next");
    }
    assert_eq!(server.accepted(), 1);
}
