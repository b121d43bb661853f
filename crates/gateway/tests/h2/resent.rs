//! HTTP/2 connections to services: what is sent again, and how connections come and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use config::routing::UpstreamProtocol::Http2;
use h2::{Reason, RecvStream, server::SendResponse};
use http::{Request, Response};
use model::{Cause, ConnectionUse};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{
    support::{
        Served, Setup, ask, ask_with, echo, get, h2_client, h2_service, post, read_until, serve_h2,
        service, until, within,
    },
    wire::{GOAWAY, HEADERS, frame},
};

/// Whether a HEADERS frame is among what has come after the preface.
fn has_request(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(24..).unwrap_or_default();
    while let [a, b, c, kind, ..] = *rest {
        if kind == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize + 9;
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// The first connection takes a request and says GOAWAY; later ones serve.
async fn goes_away(reason: Reason, last_stream: u32) -> Served {
    service(move |mut stream: TcpStream, number| async move {
        if number > 0 {
            return serve_h2(stream, echo).await;
        }
        drop(stream.write_all(&frame(4, 0, 0, &[])).await);
        read_until(&mut stream, has_request).await;
        let mut payload = last_stream.to_be_bytes().to_vec();
        payload.extend_from_slice(&u32::from(reason).to_be_bytes());
        drop(stream.write_all(&frame(GOAWAY, 0, 0, &payload)).await);
        // Left open: only the frame says that it is over.
        drop(stream.read_to_end(&mut Vec::new()).await);
    })
    .await
}

#[tokio::test]
async fn a_request_that_goaway_leaves_out_is_sent_again_on_another_connection() {
    for reason in [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let service = goes_away(reason, 0).await;
        let gateway = Setup::new(Http2, service.address).start();
        let client = h2_client(gateway.address).await;
        let answer = ask_with(&client, post("/"), Bytes::from("hello"), None).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "{reason}");
        assert_eq!(service.connections.load(Relaxed), 2);
        assert_eq!(gateway.metric("rearguard_requests_resent_total"), 1);
    }
}

#[tokio::test]
async fn a_request_that_goaway_names_goes_on() {
    let service = service(|stream, number| async move {
        let mut connection = h2::server::handshake(stream).await.expect("a handshake");
        let (_, mut respond) = connection.accept().await.expect("one").expect("a request");
        connection.graceful_shutdown();
        tokio::spawn(async move {
            // The client of this connection learns of the shutdown before the answer.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let response = Response::builder().header("number", number).body(());
            respond.send_response(response.expect("a response"), true).expect("sent");
        });
        while connection.accept().await.is_some() {}
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let answer = ask(&client, post("/")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("number")), (200, "0"));
    // The next request does not go to the connection that has said goodbye.
    let answer = ask(&client, post("/")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("number")), (200, "1"));
    assert_eq!(gateway.metric("rearguard_requests_resent_total"), 0);
}

/// Resets the first `refused` streams with `reason`, and then serves.
async fn resets(reason: Reason, refused: usize) -> (Served, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let service = h2_service(move |request, mut respond: SendResponse<Bytes>| {
        let seen = Arc::clone(&counted);
        async move {
            if seen.fetch_add(1, Relaxed) < refused {
                respond.send_reset(reason);
            } else {
                echo(request, respond).await;
            }
        }
    })
    .await;
    (service, seen)
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_its_method() {
    let (service, seen) = resets(Reason::REFUSED_STREAM, 2).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let answer = ask_with(&client, post("/"), Bytes::from("hello"), None).await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(seen.load(Relaxed), 3);
}

#[tokio::test]
async fn refusing_without_end_is_answered() {
    let (service, seen) = resets(Reason::REFUSED_STREAM, usize::MAX).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 502);
    assert_eq!(gateway.failure().await.cause, Some(Cause::UpstreamReset));
    assert_eq!(seen.load(Relaxed), 4);
}

#[tokio::test]
async fn a_reset_stream_is_not_sent_again() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::NO_ERROR] {
        let (service, seen) = resets(reason, 1).await;
        let gateway = Setup::new(Http2, service.address).start();
        let client = h2_client(gateway.address).await;
        let answer = ask(&client, get("/")).await.expect("an answer");
        assert_eq!(answer.status, 502, "{reason}");
        let record = gateway.failure().await;
        assert_eq!(record.cause, Some(Cause::UpstreamReset), "{reason}");
        assert_eq!(seen.load(Relaxed), 1);
        // The connection is still good.
        assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 200);
        assert_eq!(service.connections.load(Relaxed), 1);
    }
}

#[tokio::test]
async fn when_a_connection_dies_all_its_requests_say_so() {
    let arrived = Arc::new(Semaphore::new(0));
    let (seen, go) = (Arc::clone(&arrived), Arc::new(Semaphore::new(0)));
    let gone = Arc::clone(&go);
    let service = service(move |stream, _| {
        let (seen, gone) = (Arc::clone(&seen), Arc::clone(&gone));
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("a handshake");
            let mut kept = Vec::new();
            loop {
                tokio::select! {
                    Some(Ok(request)) = connection.accept() => {
                        kept.push(request);
                        seen.add_permits(1);
                    }
                    _ = gone.acquire() => return,
                }
            }
        }
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let asked: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, post("/")).await.expect("an answer").status })
        })
        .collect();
    within(arrived.acquire_many(5)).await.expect("arrivals").forget();
    go.close();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 502);
    }
    for record in gateway.failures(5).await {
        // Dropped with data unread, a connection is reset rather than closed.
        let cause = record.cause.expect("a cause");
        assert!(
            matches!(cause, Cause::UpstreamClosedBeforeResponse | Cause::UpstreamReset),
            "{record:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_closed_while_idle_is_replaced() {
    let close = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&close);
    let service = service(move |stream, _| {
        let told = Arc::clone(&told);
        async move {
            // Dropped without a GOAWAY.
            tokio::select! {
                () = serve_h2(stream, echo) => {}
                permit = told.acquire() => permit.expect("open").forget(),
            }
        }
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    for number in 1..=3 {
        // A request that meets the close on its way is sent again, being idempotent.
        let answer = ask(&client, get("/")).await.expect("an answer");
        assert_eq!((answer.status, service.connections.load(Relaxed)), (200, number));
        close.add_permits(1);
        until(|| (close.available_permits() == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn many_requests_make_one_connection() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, get("/")).await.expect("an answer").status })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 200);
    }
    assert_eq!(service.connections.load(Relaxed), 1);
    assert_eq!(gateway.pool_metric("rearguard_pool_opened_total", "svc"), 1);
}

#[tokio::test]
async fn requests_that_wait_for_a_connection_fail_with_it_and_not_one_by_one() {
    // A handshake that never ends: TLS towards a service that says nothing.
    let service = service(|stream, _| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.policy.tls = Some(config::routing::UpstreamTls {
        skip_verification: true,
        ..config::routing::UpstreamTls::default()
    });
    setup.policy.connect_timeout = Duration::from_millis(500);
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let began = tokio::time::Instant::now();
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, get("/")).await.expect("an answer").status })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 504);
    }
    // One by one they would take 25 s.
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_leaves_the_gauge() {
    let closed = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&closed);
    let service = service(move |stream, _| {
        let told = Arc::clone(&told);
        async move {
            serve_h2(stream, echo).await;
            told.add_permits(1);
        }
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.policy.idle_timeout = Some(Duration::from_millis(300));
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    ask(&client, get("/")).await.expect("an answer");
    let idle = || gateway.pool_metric("rearguard_pool_connections", "state=\"idle\"");
    until(|| (idle() == 1).then_some(())).await;
    within(closed.acquire()).await.expect("a close").forget();
    until(|| (idle() == 0).then_some(())).await;
    assert_eq!(gateway.pool_metric("rearguard_pool_closed_while_idle_total", "svc"), 0);
    let answer = ask(&client, get("/")).await.expect("an answer");
    assert_eq!((answer.status, service.connections.load(Relaxed)), (200, 2));
}

/// A service that allows `streams` at once, and answers when told to.
async fn limited(streams: u32, go: Arc<Semaphore>, arrived: Arc<Semaphore>) -> Served {
    service(move |stream, _| {
        let (go, arrived) = (Arc::clone(&go), Arc::clone(&arrived));
        async move {
            let mut builder = h2::server::Builder::new();
            let handshake = builder.max_concurrent_streams(streams).handshake::<_, Bytes>(stream);
            let mut connection = handshake.await.expect("a handshake");
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let (go, arrived) = (Arc::clone(&go), Arc::clone(&arrived));
                tokio::spawn(async move {
                    let _request: Request<RecvStream> = request;
                    arrived.add_permits(1);
                    let Ok(permit) = go.acquire().await else { return };
                    permit.forget();
                    respond.send_response(Response::new(()), true).expect("sent");
                });
            }
        }
    })
    .await
}

#[tokio::test]
async fn where_streams_run_out_another_connection_is_made_within_the_limit() {
    let (go, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = limited(2, Arc::clone(&go), Arc::clone(&arrived)).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.policy.max_connections = 2;
    setup.settings.timeouts.queue = Duration::from_millis(300);
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let spawn = || {
        let client = client.clone();
        tokio::spawn(async move { ask(&client, post("/")).await.expect("an answer").status })
    };
    // One first, so that the limit is known.
    let first = spawn();
    within(arrived.acquire()).await.expect("an arrival").forget();
    let others: Vec<_> = (0..3).map(|_| spawn()).collect();
    within(arrived.acquire_many(3)).await.expect("arrivals").forget();
    assert_eq!(service.connections.load(Relaxed), 2);
    // There is no room for a fifth, and it is told so in time.
    assert_eq!(spawn().await.expect("no panic"), 503);
    assert_eq!(gateway.failure().await.cause, Some(Cause::GatewayQueueTimedOut));
    // One that waits goes on as soon as there is room.
    let waits = spawn();
    go.add_permits(5);
    assert_eq!(waits.await.expect("no panic"), 200);
    assert_eq!(first.await.expect("no panic"), 200);
    for other in others {
        assert_eq!(other.await.expect("no panic"), 200);
    }
}

/// However many streams a service allows: so many share one window.
#[tokio::test]
async fn many_streams_at_once_share_two_connections() {
    let (go, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = limited(1000, Arc::clone(&go), Arc::clone(&arrived)).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.limits.streams = 200;
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let asked: Vec<_> = (0..200)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, get("/")).await.expect("an answer").status })
        })
        .collect();
    within(arrived.acquire_many(200)).await.expect("arrivals").forget();
    assert_eq!(service.connections.load(Relaxed), 2);
    go.add_permits(200);
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 200);
    }
}

#[tokio::test]
async fn a_hundred_requests_pass_one_by_one_where_only_one_may() {
    let (go, arrived) = (Arc::new(Semaphore::new(1_000)), Arc::new(Semaphore::new(0)));
    let service = limited(1, go, arrived).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.policy.max_connections = 1;
    setup.settings.timeouts.queue = Duration::from_secs(20);
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    ask(&client, get("/")).await.expect("an answer");
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ask(&client, get("/")).await.expect("an answer").status })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 200);
    }
    assert_eq!(service.connections.load(Relaxed), 1);
}

#[tokio::test]
async fn records_say_whether_a_connection_was_fresh() {
    let service = h2_service(|_, mut respond: SendResponse<Bytes>| async move {
        let response = Response::builder().status(500).body(()).expect("a response");
        respond.send_response(response, true).expect("sent");
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    for _ in 0..2 {
        ask(&client, get("/")).await.expect("an answer");
    }
    let records = gateway.failures(2).await;
    assert_eq!(records[1].connection, Some(ConnectionUse::Fresh));
    assert!(matches!(records[0].connection, Some(ConnectionUse::Reused { .. })), "{records:?}");
}

#[tokio::test]
async fn a_service_that_does_not_speak_http2_is_told_from_one_that_fails() {
    let silent = service(|stream, _| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    });
    let http1 = service(|mut stream, _| async move {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let closes = service(|mut stream, _| async move {
        read_until(&mut stream, |bytes| bytes.len() >= 24).await;
    });
    for (service, status, causes) in [
        (silent.await, 504, &[Cause::UpstreamConnectTimedOut][..]),
        (http1.await, 502, &[Cause::UpstreamProtocolError]),
        (closes.await, 502, &[Cause::UpstreamProtocolError, Cause::UpstreamReset]),
    ] {
        let mut setup = Setup::new(Http2, service.address);
        setup.policy.connect_timeout = Duration::from_millis(300);
        let gateway = setup.start();
        let client = h2_client(gateway.address).await;
        let answer = ask(&client, get("/")).await.expect("an answer");
        let cause = gateway.failure().await.cause.expect("a cause");
        assert!(causes.contains(&cause) && answer.status == status, "{}", answer.text());
    }
}
