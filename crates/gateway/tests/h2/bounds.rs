//! Slow peers, early answers, idle connections, draining.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use config::routing::UpstreamProtocol::{Http1, Http2};
use h2::{Reason, RecvStream, server::SendResponse};
use http::{Request, Response};
use model::{Cause, Outcome};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Semaphore, mpsc},
};

use crate::{
    support::{
        Setup, ask, ask_with, echo, get, h2_client, h2_service, post, read_head, send_all, service,
        until, within,
    },
    wire::{
        DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, POST, RST_STREAM, SETTINGS, Wire,
        frame,
    },
};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_request_whose_body_does_not_come_is_too_slow() {
    let service = h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.request_stall = SHORT;
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    // The service answers only what it has read to the end.
    let late = h2_service(|request: Request<RecvStream>, respond| async move {
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.data().await {}
        drop(respond);
    })
    .await;
    let mut setup = Setup::new(Http2, late.address);
    setup.settings.timeouts.request_stall = SHORT;
    let slow = setup.start();
    let client_of_slow = h2_client(slow.address).await;
    let mut sender = client_of_slow.ready().await.expect("ready");
    let (response, _kept) = sender.send_request(post("/"), false).expect("sent");
    assert_eq!(within(response).await.expect("an answer").status().as_u16(), 408);
    let record = slow.failure().await;
    assert_eq!((record.cause, record.outcome), (Some(Cause::ClientTooSlow), Outcome::TimedOut));
    // One that is whole is not.
    let answer = ask_with(&client, post("/"), Bytes::from("x"), None).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_client_that_gives_no_room_is_a_client_that_left() {
    let service = h2_service(|_, mut respond: SendResponse<Bytes>| async move {
        let mut send = respond.send_response(Response::new(()), false).expect("sent");
        drop(send_all(&mut send, vec![0; 1 << 20].into()).await);
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.client_stall = SHORT;
    let gateway = setup.start();
    // The window of 64 KiB is never opened further.
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    let reset = wire.next(RST_STREAM).await.expect("a reset");
    assert_eq!((reset.stream, reset.code()), (1, u32::from(Reason::CANCEL)));
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::ClientDisconnected));
    assert!(record.detail.as_deref().unwrap_or_default().contains("read nothing"), "{record:?}");
    assert!(wire.is_served().await);
}

/// However much window a client gives, one that does not read its socket is cut off.
#[tokio::test]
async fn a_client_that_does_not_read_its_socket_is_cut_off() {
    let service = h2_service(|_, mut respond: SendResponse<Bytes>| async move {
        let mut send = respond.send_response(Response::new(()), false).expect("sent");
        drop(send_all(&mut send, vec![0; 64 << 20].into()).await);
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.client_stall = SHORT;
    let gateway = setup.start();
    let mut wire = Wire::connect(gateway.address).await;
    // SETTINGS_INITIAL_WINDOW_SIZE and the connection's window as large as they get.
    wire.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).await;
    wire.send(&frame(8, 0, 0, &[0x7f, 0xff, 0, 0])).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    let record = gateway.failure().await;
    assert_eq!(record.cause, Some(Cause::ClientDisconnected));
    until(|| (gateway.metric("rearguard_client_connections") == 0).then_some(())).await;
}

/// What a service sends and its client does not read stays with the service.
#[tokio::test]
async fn a_slow_client_holds_the_service_back() {
    let (sent, mut progress) = mpsc::unbounded_channel();
    let service = h2_service(move |_, mut respond: SendResponse<Bytes>| {
        let sent = sent.clone();
        async move {
            let mut send = respond.send_response(Response::new(()), false).expect("sent");
            for _ in 0..1000 {
                if send_all(&mut send, vec![0; 64 * 1024].into()).await.is_err() {
                    return;
                }
                sent.send(64 * 1024).expect("a listener");
            }
        }
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let mut client = client.ready().await.expect("ready");
    let (response, _) = client.send_request(get("/"), true).expect("sent");
    let _body = within(response).await.expect("an answer").into_body();
    let mut total: usize = 0;
    // Nothing more comes once every window is full.
    while let Ok(Some(count)) = tokio::time::timeout(SHORT * 5, progress.recv()).await {
        total += count;
    }
    assert!((64 * 1024..2 << 20).contains(&total), "{total}");
}

/// What a client sends and its service does not read stays with the client.
#[tokio::test]
async fn a_slow_service_holds_the_client_back() {
    for protocol in [Http1, Http2] {
        let service = match protocol {
            Http1 => {
                service(|mut stream, _| async move {
                    read_head(&mut stream).await;
                    std::future::pending::<()>().await;
                })
                .await
            }
            Http2 => {
                h2_service(|request, respond| async move {
                    let _kept = (request, respond);
                    std::future::pending::<()>().await;
                })
                .await
            }
        };
        let gateway = Setup::new(protocol, service.address).start();
        let client = h2_client(gateway.address).await;
        let mut client = client.ready().await.expect("ready");
        let (_response, mut send) = client.send_request(post("/"), false).expect("sent");
        let mut total: usize = 0;
        let piece = Bytes::from(vec![0; 64 * 1024]);
        while let Ok(Ok(())) =
            tokio::time::timeout(SHORT * 5, send_all(&mut send, piece.clone())).await
        {
            total += piece.len();
        }
        // The windows, and over HTTP/1.1 what the system's buffers hold.
        assert!((64 * 1024..16 << 20).contains(&total), "{protocol:?}: {total}");
    }
}

/// Requests that a service does not read fill their own windows, not that of the connection.
#[tokio::test]
async fn requests_that_are_stuck_do_not_hold_up_the_others() {
    let service = service(|mut stream, _| async move {
        let (head, mut body) = read_head(&mut stream).await;
        if head.starts_with("post /stuck ") {
            std::future::pending::<()>().await;
        }
        while !body.ends_with(b"0\r\n\r\n") {
            let mut piece = vec![0; 64 * 1024];
            let count = stream.read(&mut piece).await.expect("a read");
            body.extend_from_slice(&piece[..count]);
        }
        drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    })
    .await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let (mut stuck, progress) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..20 {
        let mut client = client.clone().ready().await.expect("ready");
        let (response, mut send) = client.send_request(post("/stuck"), false).expect("sent");
        let progress = Arc::clone(&progress);
        let sent = tokio::spawn(async move {
            let piece = Bytes::from(vec![0; 16 * 1024]);
            while send_all(&mut send, piece.clone()).await.is_ok() {
                progress.fetch_add(1, Relaxed);
            }
        });
        stuck.push((response, sent));
    }
    let mut before = 0;
    while before == 0 || progress.load(Relaxed) > before {
        before = progress.load(Relaxed);
        tokio::time::sleep(SHORT * 3).await;
    }
    for _ in 0..5 {
        let body = Bytes::from(vec![0; 300_000]);
        let answer = ask_with(&client, post("/"), body, None).await.expect("an answer");
        assert_eq!(answer.status, 204);
    }
    for (_response, sent) in stuck {
        assert!(!sent.is_finished());
        sent.abort();
    }
}

#[tokio::test]
async fn an_early_answer_is_passed_on_and_the_rest_of_the_request_is_not_wanted() {
    let over_h2 = h2_service(|_request, mut respond: SendResponse<Bytes>| async move {
        let response = Response::builder().status(403).body(()).expect("a response");
        let mut send = respond.send_response(response, false).expect("sent");
        send.send_data("no".into(), true).expect("sent");
    })
    .await;
    let over_h1 = service(|mut stream, _| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    })
    .await;
    for (protocol, service) in [(Http2, over_h2), (Http1, over_h1)] {
        let gateway = Setup::new(protocol, service.address).start();
        let client = h2_client(gateway.address).await;
        let mut sender = client.clone().ready().await.expect("ready");
        let (response, mut send) = sender.send_request(post("/"), false).expect("sent");
        send.send_data("begun".into(), false).expect("sent");
        let answer = within(response).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 403, "{protocol:?}");
        let answer = crate::support::answer(answer).await.expect("whole");
        assert_eq!(answer.text(), "no");
        // NO_ERROR says that the answer is good, and that no more of the request is wanted.
        let reset = within(std::future::poll_fn(|cx| send.poll_reset(cx))).await;
        assert_eq!(reset.expect("a reset"), Reason::NO_ERROR, "{protocol:?}");
        until(|| (gateway.ended() == 1).then_some(())).await;
        assert!(gateway.gateway.handle().failures(0, 10).is_empty(), "{protocol:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_of_a_client_is_told_to_go() {
    let service = h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.idle = SHORT;
    let gateway = setup.start();
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    let goaway = wire.next(GOAWAY).await.expect("a GOAWAY");
    assert_eq!(goaway.code(), u32::from(Reason::NO_ERROR));
    // One that does not go is closed.
    while wire.receive().await.is_some() {}
    until(|| (gateway.metric("rearguard_client_connections") == 0).then_some(())).await;
}

#[tokio::test]
async fn after_its_share_of_requests_a_client_is_told_to_connect_again() {
    let service = h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.limits.requests_per_connection = 2;
    let gateway = setup.start();
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    assert_eq!(wire.next(HEADERS).await.expect("an answer").stream, 1);
    assert!(wire.is_served().await);
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 3, GET)).await;
    assert_eq!(wire.next(GOAWAY).await.expect("a GOAWAY").code(), u32::from(Reason::NO_ERROR));
    assert_eq!(wire.next(HEADERS).await.expect("an answer").stream, 3);
}

#[tokio::test]
async fn when_a_client_goes_its_requests_are_reset_at_the_service() {
    let (sender, mut reasons) = mpsc::unbounded_channel();
    let arrived = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&arrived);
    let service = h2_service(move |request, mut respond: SendResponse<Bytes>| {
        let (sender, seen) = (sender.clone(), Arc::clone(&seen));
        async move {
            let _kept = request;
            seen.add_permits(1);
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            sender.send(reason.expect("a reset")).expect("a listener");
        }
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let mut wire = Wire::connect(gateway.address).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    wire.send(&frame(HEADERS, END_HEADERS, 3, POST)).await;
    within(arrived.acquire_many(2)).await.expect("arrivals").forget();
    drop(wire);
    for _ in 0..2 {
        assert_eq!(within(reasons.recv()).await, Some(Reason::CANCEL));
    }
    for record in gateway.failures(2).await {
        assert_eq!(record.cause, Some(Cause::ClientDisconnected), "{record:?}");
    }
}

#[tokio::test]
async fn a_connection_with_a_stream_is_not_idle() {
    let go = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&go);
    let service = h2_service(move |request, respond| {
        let waits = Arc::clone(&waits);
        async move {
            drop(waits.acquire().await);
            echo(request, respond).await;
        }
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.idle = SHORT;
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let asked =
        tokio::spawn(async move { ask(&client, get("/")).await.expect("an answer").status });
    tokio::time::sleep(SHORT * 3).await;
    go.close();
    assert_eq!(asked.await.expect("no panic"), 200);
}

#[tokio::test]
async fn while_draining_streams_in_flight_finish_and_no_more_are_taken() {
    let (go, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (waits, seen) = (Arc::clone(&go), Arc::clone(&arrived));
    let service = h2_service(move |request, respond| {
        let (waits, seen) = (Arc::clone(&waits), Arc::clone(&seen));
        async move {
            seen.add_permits(1);
            drop(waits.acquire().await);
            echo(request, respond).await;
        }
    })
    .await;
    let running = Setup::new(Http2, service.address).start();
    let mut wire = Wire::connect(running.address).await;
    wire.send(&frame(HEADERS, END_HEADERS, 1, POST)).await;
    within(arrived.acquire()).await.expect("an arrival").forget();
    let handle = running.gateway.handle();
    let stopping = std::thread::spawn(move || running.gateway.stop(|| false));
    let goaway = wire.next(GOAWAY).await.expect("a GOAWAY");
    assert_eq!(goaway.code(), u32::from(Reason::NO_ERROR));
    assert!(!handle.is_ready());
    // The request goes on to its end, body and all.
    wire.send(&frame(DATA, END_STREAM, 1, b"hello")).await;
    go.close();
    let head = wire.next(HEADERS).await.expect("an answer");
    assert_eq!((head.stream, head.payload[0]), (1, 0x88), "`:status: 200`");
    assert_eq!(wire.next(DATA).await.expect("a body").payload, b"hello");
    while wire.receive().await.is_some() {}
    until(|| stopping.is_finished().then_some(())).await;
    stopping.join().expect("no panic");
    assert!(handle.failures(0, 10).is_empty());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_answered_when_the_gateway_ends() {
    let arrived = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&arrived);
    let service = h2_service(move |request, respond| {
        let seen = Arc::clone(&seen);
        async move {
            let _kept = (request, respond);
            seen.add_permits(1);
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.drain = SHORT;
    let running = setup.start();
    let client = h2_client(running.address).await;
    let asked = tokio::spawn(async move { ask(&client, get("/")).await });
    within(arrived.acquire()).await.expect("an arrival").forget();
    let handle = running.gateway.handle();
    let stopping = std::thread::spawn(move || running.gateway.stop(|| false));
    let answer = within(asked).await.expect("no panic").expect("an answer");
    assert_eq!(answer.status, 503, "{}", answer.text());
    until(|| stopping.is_finished().then_some(())).await;
    assert_eq!(handle.failures(0, 10)[0].cause, Some(Cause::GatewayDraining));
}

/// A stream that waits for its client hears of the end as well.
#[tokio::test]
async fn a_stream_that_waits_for_its_client_ends_with_the_gateway() {
    let service = h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.drain = SHORT;
    let running = setup.start();
    let client = h2_client(running.address).await;
    let mut sender = client.ready().await.expect("ready");
    let (response, mut send) = sender.send_request(post("/"), false).expect("sent");
    let mut body = within(response).await.expect("a head").into_body();
    let handle = running.gateway.handle();
    let stopping = std::thread::spawn(move || running.gateway.stop(|| false));
    let reset = within(std::future::poll_fn(|cx| send.poll_reset(cx))).await;
    assert!(reset.is_ok(), "{reset:?}");
    assert!(within(body.data()).await.is_none_or(|data| data.is_err()));
    until(|| stopping.is_finished().then_some(())).await;
    assert_eq!(handle.failures(0, 10)[0].cause, Some(Cause::GatewayDraining));
}
