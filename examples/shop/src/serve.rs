//! A service: a listener of its own, and the layers that all have.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{Router, routing::get};
use rearguard::{Options, OwnedScope, layers::ServiceLayer};
use tokio::{net::TcpListener, sync::watch};

/// Serves in a task of the shop's scope, until `stop` says so; then what is under way gets to its end.
pub(crate) async fn start(
    scope: &mut OwnedScope,
    name: &'static str,
    port: u16,
    timeout: Duration,
    routes: Router,
    mut stop: watch::Receiver<bool>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let layer = ServiceLayer::new().options(Options::new().named(name)).deadline(timeout);
    let app =
        routes.route("/healthz", get(async || "ok\n")).route("/panic", get(panics)).layer(layer);
    let serve = axum::serve(listener, app).with_graceful_shutdown(async move {
        // Where the sender is gone the shop is stopping as well.
        drop(stop.wait_for(|stop| *stop).await);
    });
    // Its value is of no use: it serves until it is told to stop.
    drop(scope.spawn(async { serve.await }));
    Ok(address)
}

async fn panics() {
    panic!("a panic on purpose");
}
