//! Clients that send frames which lead nowhere.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use config::routing::UpstreamProtocol::Http2;
use h2::{Reason, server::SendResponse};
use model::Cause;
use tokio::sync::Semaphore;

use crate::{
    support::{Running, Setup, ask, echo, get, h2_client, h2_service, until},
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PING, POST, PRIORITY,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, frame,
    },
};

async fn start() -> Running {
    let service = h2_service(echo).await;
    Setup::new(Http2, service.address).start()
}

fn floods(gateway: &Running) -> u64 {
    gateway.metric("rearguard_http2_floods_total")
}

/// Frames that are sent after a first request, which stream 1 is.
fn flood(count: u32, frames: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(frames).collect()
}

#[tokio::test]
async fn each_flood_ends_its_connection_and_is_counted() {
    let gateway = start().await;
    let open = frame(HEADERS, END_HEADERS, 1, POST);
    let with_stream = |mut flood: Vec<u8>| {
        flood.splice(0..0, open.iter().copied());
        flood
    };
    let cases = [
        ("PING", flood(1100, |_| frame(PING, 0, 0, b"12345678"))),
        ("SETTINGS", flood(1100, |_| frame(SETTINGS, 0, 0, &[]))),
        ("unknown frames", flood(1100, |_| frame(0xbb, 0, 0, b"x"))),
        ("empty DATA", with_stream(flood(3, |_| frame(DATA, 0, 1, &[])))),
        ("PRIORITY", flood(150, |_| frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 7]))),
        ("WINDOW_UPDATE", flood(20, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))),
        (
            "rapid reset",
            flood(300, |number| {
                let mut pair = frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * number, GET);
                pair.extend(frame(RST_STREAM, 0, 1 + 2 * number, &[0, 0, 0, 8]));
                pair
            }),
        ),
        (
            "CONTINUATION",
            [
                frame(HEADERS, 0, 1, GET),
                flood(1000, |_| frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b")),
            ]
            .concat(),
        ),
    ];
    for (number, (what, frames)) in cases.into_iter().enumerate() {
        let mut wire = Wire::connect(gateway.address).await;
        wire.send(&frames).await;
        let goaway = wire.next(GOAWAY).await;
        if let Some(goaway) = goaway {
            assert_eq!(goaway.code(), u32::from(Reason::ENHANCE_YOUR_CALM), "{what}");
        }
        assert!(!wire.is_served().await, "{what}");
        until(|| (floods(&gateway) == number as u64 + 1).then_some(())).await;
    }
    let client = h2_client(gateway.address).await;
    assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_flood_is_told_why_its_connection_ends() {
    let gateway = start().await;
    let mut wire = Wire::connect(gateway.address).await;
    assert!(wire.is_served().await);
    wire.send(&flood(1100, |_| frame(0xbb, 0, 0, b"x"))).await;
    let goaway = wire.next(GOAWAY).await.expect("a GOAWAY");
    assert_eq!(goaway.code(), u32::from(Reason::ENHANCE_YOUR_CALM));
}

/// Resets that come so slowly that each stream has been looked at already.
#[tokio::test]
async fn resets_of_requests_that_are_being_served_are_counted_too() {
    let arrived = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&arrived);
    let service = h2_service(move |_request, mut respond: SendResponse<Bytes>| {
        let seen = Arc::clone(&seen);
        async move {
            seen.add_permits(1);
            // Until the gateway resets it.
            drop(std::future::poll_fn(|cx| respond.poll_reset(cx)).await);
        }
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let mut wire = Wire::connect(gateway.address).await;
    let mut served = 0;
    for number in 0..400 {
        let stream = 1 + 2 * number;
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, GET)).await;
        let arrival = tokio::time::timeout(Duration::from_secs(2), arrived.acquire()).await;
        let Ok(Ok(permit)) = arrival else { break };
        permit.forget();
        served += 1;
        wire.send(&frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])).await;
    }
    assert!((100..=201).contains(&served), "{served}");
    assert_eq!(floods(&gateway), 1);
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::ClientDisconnected));
}

#[tokio::test]
async fn ordinary_use_is_no_flood() {
    let gateway = start().await;
    let client = h2_client(gateway.address).await;
    for _ in 0..300 {
        assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 200);
    }
    let mut wire = Wire::connect(gateway.address).await;
    for number in 0..10 {
        let stream = 1 + 2 * number;
        wire.send(&frame(HEADERS, END_HEADERS, stream, POST)).await;
        wire.send(&frame(DATA, 0, stream, &[])).await;
        wire.send(&frame(DATA, END_STREAM, stream, b"hello")).await;
        wire.send(&flood(50, |_| frame(PING, 0, 0, b"12345678"))).await;
    }
    assert!(wire.is_served().await);
    assert_eq!(floods(&gateway), 0);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let go = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&go);
    let service = h2_service(move |_request, mut respond: SendResponse<Bytes>| {
        let waits = Arc::clone(&waits);
        async move {
            drop(waits.acquire().await);
            respond.send_response(http::Response::new(()), true).expect("sent");
        }
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.limits.streams = 3;
    let gateway = setup.start();
    let mut wire = Wire::connect(gateway.address).await;
    let settings = wire.next(SETTINGS).await.expect("SETTINGS");
    let allows = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]);
    assert_eq!(allows.expect("a limit of streams"), [0, 3, 0, 0, 0, 3]);
    for number in 0..4 {
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * number, GET)).await;
    }
    let refused = wire.next(RST_STREAM).await.expect("a reset");
    assert_eq!((refused.stream, refused.code()), (7, u32::from(Reason::REFUSED_STREAM)));
    go.close();
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(wire.next(HEADERS).await.expect("an answer").stream);
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5]);
}

/// A field that belongs to one connection has no place in HTTP/2 (RFC 9113 section 8.2.2).
#[tokio::test]
async fn fields_of_a_connection_are_refused() {
    let gateway = start().await;
    for (number, field) in [
        &b"\x00\x0aconnection\x05close"[..],
        b"\x00\x11transfer-encoding\x07chunked",
        b"\x00\x07upgrade\x03h2c",
        b"\x00\x0akeep-alive\x015",
        b"\x00\x02te\x04gzip",
    ]
    .into_iter()
    .enumerate()
    {
        let mut wire = Wire::connect(gateway.address).await;
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[GET, field].concat())).await;
        let reset = wire.next(RST_STREAM).await.expect("a reset");
        assert_eq!(reset.code(), u32::from(Reason::PROTOCOL_ERROR), "field {number}");
    }
    // A name in upper case cannot even be decoded.
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[GET, b"\x00\x01X\x01y"].concat()))
        .await;
    while let Some(frame) = wire.receive().await {
        assert_ne!(frame.kind, HEADERS, "{frame:?}");
    }
    assert_eq!(gateway.ended(), 0);
}

#[tokio::test]
async fn a_body_that_is_not_of_its_length_is_the_clients_mistake() {
    let gateway = start().await;
    let post = [POST, b"\x0f\x0d\x0210"].concat();
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS, 1, &post)).await;
    wire.send(&frame(DATA, END_STREAM, 1, b"hello")).await;
    let reset = wire.next(RST_STREAM).await.expect("a reset");
    assert_eq!(reset.code(), u32::from(Reason::PROTOCOL_ERROR));
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::ClientBadRequest), "{record:?}");
}
