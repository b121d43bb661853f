//! What callers see of the gRPC example, by tonic's own client.

use std::time::Duration;

use rearguard::{
    Outcome,
    layers::{AfterResponse, ServiceLayer, stats},
};
use tokio::{net::TcpListener, time::timeout};
use tonic::{
    Code,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    greeter::{Greeter, GreeterClient},
    support::{millis, quiet},
};

const PATIENCE: Duration = Duration::from_secs(10);

async fn client(layer: ServiceLayer) -> GreeterClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().layer(layer).add_service(Greeter);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    GreeterClient::connect(address).await.unwrap()
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_stays_usable() {
    quiet();
    let mut client = client(ServiceLayer::new()).await;
    let status = client.hello("panic").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().starts_with("the handler panicked, trace id "), "{status:?}");
    assert_eq!(status.metadata().get("rearguard-outcome").unwrap(), "panicked");
    assert_eq!(client.hello("world").await.unwrap().text, "hello world");
}

#[tokio::test]
async fn a_stream_that_panics_ends_as_internal() {
    quiet();
    let mut client = client(ServiceLayer::new()).await;
    let (texts, status) = timeout(PATIENCE, client.hellos("panic")).await.unwrap().unwrap();
    assert_eq!((texts.len(), status.code()), (1, Code::Internal));
    let (texts, status) = timeout(PATIENCE, client.hellos("world")).await.unwrap().unwrap();
    assert_eq!((texts.len(), status.code()), (3, Code::Ok));
}

#[tokio::test]
async fn the_routes_and_the_callers_deadline_are_exceeded() {
    let mut client = client(ServiceLayer::new().deadline(millis(50))).await;
    let status = client.hello("slow").await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.metadata().get("rearguard-outcome").unwrap(), "timed_out");

    let before = stats().requests(Outcome::TimedOut);
    let mut client = self::client(ServiceLayer::new()).await;
    let status = client.hello_within("slow", Some(millis(50))).await.unwrap_err();
    // The caller's own clock may be first: tonic calls that CANCELLED.
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&status.code()), "{status:?}");
    assert!(stats().requests(Outcome::TimedOut) >= before);
}

#[tokio::test]
async fn a_slow_release_is_told_from_the_work_and_may_come_after() {
    let after = AfterResponse::new(4);
    let mut client = client(ServiceLayer::new().after_response(after.clone())).await;
    let answer = client.hello("slow release").await.unwrap();
    let timing = answer.server_timing.unwrap();
    let (_, cleanup) = timing.split_once("cleanup;dur=").unwrap();
    assert!(cleanup.parse::<f64>().unwrap() >= 300.0, "{timing}");

    let begun = std::time::Instant::now();
    client.hello("released after").await.unwrap();
    assert!(begun.elapsed() < millis(300));
    assert_eq!(after.stats().running, 1);
    assert_eq!(after.drain(PATIENCE).await.ended, 1);
}

#[tokio::test]
async fn a_caller_that_leaves_a_stream_cancels_it() {
    let mut client = client(ServiceLayer::new()).await;
    let before = stats().requests(Outcome::Cancelled);
    let mut stream = client.open("endless").await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    let cancelled = async {
        while stats().requests(Outcome::Cancelled) == before {
            tokio::time::sleep(millis(5)).await;
        }
    };
    timeout(PATIENCE, cancelled).await.unwrap();
}
