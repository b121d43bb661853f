//! The states of a connection, and its end.

use std::{sync::Arc, time::Duration};

use http::Request;
use http_body_util::BodyExt as _;
use rearguard::{
    ErrorKind,
    client::{Client, ClientOptions, Connection, State},
};
use tokio::sync::{Notify, mpsc};

use crate::{PATIENCE, ask, get, scripted::Scripted, until};

fn path(path: &str) -> Request<String> {
    Request::get(path).body(String::new()).unwrap()
}

#[tokio::test]
async fn idle_pending_idle_closed() {
    let server = Scripted::echo().await;
    let connection = Connection::open(&server.to_string(), &ClientOptions::new()).await.unwrap();
    assert_eq!(connection.state(), State::Idle);
    let response = connection.send(path("/1")).await.unwrap();
    assert_eq!(connection.state(), State::Pending);
    // One at a time.
    let refused = connection.send(path("/2")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "/1");
    assert_eq!(connection.state(), State::Idle);
    assert_eq!(connection.close(Duration::ZERO).await, 0);
    assert_eq!(connection.state(), State::Closed);
    let refused = connection.send(path("/3")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn closing_waits_for_what_is_in_flight_and_takes_no_more() {
    let go_on = Arc::new(Notify::new());
    let server = Scripted::start({
        let go_on = Arc::clone(&go_on);
        move |_, mut peer| {
            let go_on = Arc::clone(&go_on);
            async move {
                peer.request().await;
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc").await;
                go_on.notified().await;
                peer.write("def").await;
                peer.hold().await;
            }
        }
    })
    .await;
    let connection = Connection::open(&server.to_string(), &ClientOptions::new()).await.unwrap();
    let response = connection.send(path("/1")).await.unwrap();
    let closing = tokio::spawn({
        let connection = connection.clone();
        async move { connection.close(PATIENCE).await }
    });
    until("it is closing", async || connection.state() == State::Closing).await;
    assert_eq!(connection.send(path("/2")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!closing.is_finished());
    go_on.notify_one();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "abcdef");
    assert_eq!(closing.await.unwrap(), 0);
    assert_eq!(connection.state(), State::Closed);
}

#[tokio::test]
async fn a_close_that_was_dropped_ends_with_the_last_in_flight() {
    let server = Scripted::echo().await;
    let connection = Connection::open(&server.to_string(), &ClientOptions::new()).await.unwrap();
    let response = connection.send(path("/1")).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(10), connection.close(PATIENCE)).await.is_err()
    );
    assert_eq!(connection.state(), State::Closing);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "/1");
    until("it is closed", async || connection.state() == State::Closed).await;
}

#[tokio::test]
async fn a_closed_client_takes_nothing_and_leaves_no_socket() {
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
    let client = Client::default();
    assert_eq!(ask(&client, &server, "/1").await.unwrap(), "/1");
    assert_eq!(client.close(PATIENCE).await, 0);
    assert_eq!(tokio::time::timeout(PATIENCE, told.recv()).await, Ok(Some(())));
    assert_eq!(client.send(get(&server, "/2")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.stats().connections, 0);
}

#[tokio::test]
async fn a_dropped_connection_leaves_no_socket() {
    let (gone, mut told) = mpsc::unbounded_channel();
    let server = Scripted::start(move |_, mut peer| {
        let gone = gone.clone();
        async move {
            peer.hold().await;
            gone.send(()).unwrap();
        }
    })
    .await;
    drop(Connection::open(&server.to_string(), &ClientOptions::new()).await.unwrap());
    assert_eq!(tokio::time::timeout(PATIENCE, told.recv()).await, Ok(Some(())));
}
