//! HTTP client connections against scripted servers on real sockets, and against nginx where it is
//! installed (named by `REARGUARD_NGINX`, or on `PATH`).
//!
//! `REARGUARD_CLIENT_ROUNDS` sets how many requests each task of the stress test sends (default 200);
//! `REARGUARD_SEED` repeats one of its runs.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod classes;
mod closing;
mod context;
mod every_poll;
mod http2;
mod nginx;
mod peer;
mod pool;
mod reuse;
mod scripted;
mod stress;

use std::{future::Future, time::Duration};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use rearguard::{
    Error,
    client::{Body, Client},
};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(10);

fn get(server: &impl std::fmt::Display, path: &str) -> Request<Empty<&'static [u8]>> {
    Request::get(format!("http://{server}{path}")).body(Empty::new()).unwrap()
}

fn post(server: &impl std::fmt::Display, path: &str) -> Request<Full<&'static [u8]>> {
    Request::post(format!("http://{server}{path}")).body(Full::new(b"hello".as_slice())).unwrap()
}

async fn text(response: Response<Body>) -> Result<String, Error> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

async fn ask(
    client: &Client,
    server: &impl std::fmt::Display,
    path: &str,
) -> Result<String, Error> {
    text(client.send(get(server, path)).await?).await
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let holds = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, holds).await.is_ok(), "it did not come about: {what}");
}

/// Waits until nothing is in flight.
async fn until_quiet(client: &Client) {
    until("all connections are idle", async || {
        let stats = client.stats();
        stats.connections == stats.idle
    })
    .await;
}
