//! Everything that can break off breaks off at random: nothing hangs, and nothing is left behind.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use config::routing::UpstreamProtocol::Http2;
use fastrand::Rng;
use h2::{Reason, RecvStream, client::SendRequest, server::SendResponse};
use http::{Request, Response};

use crate::support::{Setup, ask, get, h2_client, post, send_all, service, until, within};

const REASONS: [Reason; 4] =
    [Reason::NO_ERROR, Reason::CANCEL, Reason::REFUSED_STREAM, Reason::INTERNAL_ERROR];

/// Answers, or does not, as the dice fall.
async fn answer_somehow(
    seed: u64,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut dice = Rng::with_seed(seed);
    let mut body = request.into_body();
    if dice.u8(..10) == 0 {
        respond.send_reset(REASONS[dice.usize(..REASONS.len())]);
        return Ok(());
    }
    if dice.bool() {
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
    }
    let mut send = respond.send_response(Response::new(()), false)?;
    for _ in 0..dice.u8(..4) {
        send_all(&mut send, vec![0; dice.usize(1..200_000)].into()).await?;
        if dice.u8(..8) == 0 {
            send.send_reset(REASONS[dice.usize(..REASONS.len())]);
            return Ok(());
        }
    }
    send.send_data(Bytes::new(), true)
}

/// A connection that says GOAWAY, or just ends, after some requests.
async fn serve_somehow(stream: tokio::net::TcpStream, seed: u64) -> Result<(), h2::Error> {
    let mut dice = Rng::with_seed(seed);
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(dice.u32(1..20));
    let mut connection = builder.handshake(stream).await?;
    let (mut left, graceful) = (dice.u32(5..60), dice.bool());
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(answer_somehow(dice.u64(..), request, respond));
        left = left.saturating_sub(1);
        if left == 0 && graceful {
            connection.graceful_shutdown();
        } else if left == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks, and gives up wherever the dice say so.
async fn ask_somehow(client: SendRequest<Bytes>, seed: u64) -> Result<(), h2::Error> {
    let mut dice = Rng::with_seed(seed);
    let mut client = client.ready().await?;
    let body = dice.bool();
    let request = if body { post("/") } else { get("/") };
    let (response, mut send) = client.send_request(request, !body)?;
    let patience = Duration::from_millis(dice.u64(..30));
    let impatient = dice.u8(..4) == 0;
    let size = dice.usize(1..300_000);
    let upload = async move {
        // A service that does not want it resets the stream, and may have answered all the same.
        if body && send_all(&mut send, vec![0; size].into()).await.is_ok() {
            drop(send.send_data(Bytes::new(), true));
        }
    };
    let download = async {
        let mut body = response.await?.into_body();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
        Ok(())
    };
    let exchange = async { tokio::join!(upload, download).1 };
    if impatient {
        return tokio::time::timeout(patience, exchange).await.unwrap_or(Ok(()));
    }
    exchange.await
}

#[tokio::test]
async fn whatever_breaks_off_nothing_hangs_and_nothing_is_left_behind() {
    const REQUESTS: u64 = 600;
    let seeds = AtomicU64::new(7);
    let service = service(move |stream, _| {
        let seed = seeds.fetch_add(1, Relaxed);
        async move { drop(serve_somehow(stream, seed).await) }
    })
    .await;
    let mut setup = Setup::new(Http2, service.address);
    setup.settings.timeouts.queue = Duration::from_secs(20);
    setup.policy.idle_timeout = Some(Duration::from_millis(200));
    let gateway = setup.start();
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(h2_client(gateway.address).await);
    }
    let asked: Vec<_> = (0..REQUESTS)
        .map(|number| {
            let client = clients[usize::try_from(number).expect("small") % clients.len()].clone();
            tokio::spawn(async move { within(ask_somehow(client, number)).await.is_ok() })
        })
        .collect();
    let mut succeeded = 0;
    for asked in asked {
        succeeded += u64::from(asked.await.expect("it ends in time"));
    }
    assert!(succeeded > REQUESTS / 3, "{succeeded}");
    until(|| (gateway.metric("rearguard_requests") == 0).then_some(())).await;
    let active = || gateway.pool_metric("rearguard_pool_connections", "state=\"active\"");
    until(|| (active() == 0).then_some(())).await;
    assert_eq!(gateway.pool_metric("rearguard_pool_waiting", "svc"), 0);
    assert_eq!(gateway.metric("rearguard_http2_floods_total"), 0);
    // It still serves.
    let client = h2_client(gateway.address).await;
    let mut tries = 0;
    while ask(&client, get("/")).await.is_err() {
        tries += 1;
        assert!(tries < 50);
    }
    drop(client);
    let idle = || gateway.pool_metric("rearguard_pool_connections", "state=\"idle\"");
    until(|| (idle() == 0).then_some(())).await;
}
