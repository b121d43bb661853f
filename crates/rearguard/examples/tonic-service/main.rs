//! A gRPC service by tonic whose requests are scopes: `cargo run -p rearguard --features layers
//! --example tonic-service` serves on port 50051 and calls itself once for each thing that can
//! happen.

mod codec;
mod greeter;

use std::{error::Error, io::Write as _, time::Duration};

use rearguard::{
    Options, Reaper,
    layers::{self, AfterResponse, ServiceLayer},
};
use tokio::{net::TcpListener, sync::oneshot};
use tonic::transport::{Server, server::TcpIncoming};

use greeter::{Greeter, GreeterClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:50051").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let after = AfterResponse::new(256);
    let layer = ServiceLayer::new()
        .options(Options::new().named("greeter").cleanup_deadline(Duration::from_secs(5)))
        .deadline(Duration::from_secs(1))
        .after_response(after.clone());
    let server = Server::builder()
        .layer(layer)
        .add_service(Greeter)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async { drop(stopped.await) });
    let server = tokio::spawn(server);

    let mut client = GreeterClient::connect(address).await?;
    let mut out = std::io::stdout();
    for name in ["world", "panic", "slow", "slow release", "released after"] {
        match client.hello(name).await {
            Ok(answer) => writeln!(out, "{name}: {} {:?}", answer.text, answer.server_timing)?,
            Err(status) => writeln!(out, "{name}: {:?}: {}", status.code(), status.message())?,
        }
    }
    for name in ["world", "panic"] {
        let (lines, status) = client.hellos(name).await?;
        writeln!(out, "stream for {name}: {} answers, then {:?}", lines.len(), status.code())?;
    }
    writeln!(out, "{:#?}", layers::stats())?;

    drop(client);
    drop(stop);
    server.await??;
    writeln!(out, "{:?}", after.drain(Duration::from_secs(10)).await)?;
    writeln!(out, "{}", Reaper::global().drain(Duration::from_secs(10)).await)?;
    Ok(())
}
