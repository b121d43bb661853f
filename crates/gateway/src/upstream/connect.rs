use std::{io, net::SocketAddr, rc::Rc, sync::atomic::Ordering::Relaxed, time::Duration};

use bytes::Bytes;
use config::routing::UpstreamProtocol;
use model::{Cause, ConnectionUse};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Endpoint, SharedTarget};
use crate::{
    failure::{Failure, connect_failed},
    peer::H1,
    stream::Stream,
};

/// The HTTP/2 windows towards services; large enough that one stream fills a fast network.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// An upstream's header list may be this large.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// A connection that is good to send one request on.
pub(crate) enum Connection {
    H1 { connection: Box<H1>, requests: u32, usage: ConnectionUse },
    H2 { send: h2::client::SendRequest<Bytes>, usage: ConnectionUse },
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("usage", &self.usage()).finish()
    }
}

impl Connection {
    pub(crate) const fn usage(&self) -> ConnectionUse {
        match self {
            Self::H1 { usage, .. } | Self::H2 { usage, .. } => *usage,
        }
    }

    /// A connection from the pool.
    pub(crate) async fn pooled(
        endpoint: &Rc<Endpoint>,
        shared: &SharedTarget,
        idle_default: Duration,
        now: Instant,
    ) -> Option<Self> {
        match shared.protocol {
            UpstreamProtocol::Http1 => {
                let reused = endpoint.take_idle(shared, idle_default, now).await?;
                Some(Self::H1 {
                    connection: reused.connection,
                    requests: reused.requests,
                    usage: ConnectionUse::Reused { idle: reused.idle },
                })
            }
            UpstreamProtocol::Http2 => {
                let mut h2 = endpoint.h2.lock().await;
                // Ready waits for a free stream; an error means that the connection has ended.
                match h2.clone()?.ready().await {
                    Ok(send) => Some(Self::H2 {
                        send,
                        usage: ConnectionUse::Reused { idle: Duration::ZERO },
                    }),
                    Err(_) => {
                        *h2 = None;
                        None
                    }
                }
            }
        }
    }

    /// A new connection.
    pub(crate) async fn fresh(
        endpoint: &Rc<Endpoint>,
        shared: &SharedTarget,
    ) -> Result<Self, Failure> {
        match shared.protocol {
            UpstreamProtocol::Http1 => {
                let stream = open(endpoint.address, shared).await?;
                Ok(Self::H1 {
                    connection: Box::new(H1::new(stream)),
                    requests: 0,
                    usage: ConnectionUse::Fresh,
                })
            }
            UpstreamProtocol::Http2 => {
                let mut h2 = endpoint.h2.lock().await;
                // Another request may have connected while this one waited for the lock.
                if let Some(send) = h2.clone()
                    && let Ok(send) = send.ready().await
                {
                    return Ok(Self::H2 { send, usage: ConnectionUse::Fresh });
                }
                let send = open_h2(endpoint.address, shared).await?;
                *h2 = Some(send.clone());
                Ok(Self::H2 { send, usage: ConnectionUse::Fresh })
            }
        }
    }
}

/// Connects, TLS included, within the connect timeout.
async fn open(address: SocketAddr, shared: &SharedTarget) -> Result<Stream, Failure> {
    let limit = shared.policy.connect_timeout;
    let connected = timeout(limit, async {
        let tcp = TcpStream::connect(address).await.map_err(|error| connect_failed(&error))?;
        // Only costs latency if it fails, which it does on no connected socket.
        tcp.set_nodelay(true).unwrap_or_default();
        let Some(tls) = &shared.tls else { return Ok(Stream::Tcp(tcp)) };
        tls.connect(tcp).await.map_err(|error| tls_failed(&error))
    });
    let stream = connected.await.unwrap_or_else(|_| {
        Err(Failure::new(
            Cause::UpstreamConnectTimedOut,
            format!("no connection within the connect timeout of {limit:?}"),
        ))
    })?;
    shared.gauges.opened.fetch_add(1, Relaxed);
    Ok(stream)
}

fn tls_failed(error: &io::Error) -> Failure {
    Failure::new(Cause::UpstreamTlsFailed, format!("the TLS handshake failed: {error}"))
}

async fn open_h2(
    address: SocketAddr,
    shared: &SharedTarget,
) -> Result<h2::client::SendRequest<Bytes>, Failure> {
    let stream = open(address, shared).await?;
    if shared.tls.is_some() && !stream.agreed_on_h2() {
        return Err(Failure::new(
            Cause::UpstreamTlsFailed,
            "the service did not agree on HTTP/2 (ALPN h2)",
        ));
    }
    let failed = |error: h2::Error| {
        Failure::new(Cause::UpstreamProtocolError, format!("the HTTP/2 handshake failed: {error}"))
    };
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST)
        .enable_push(false)
        .handshake(stream)
        .await
        .map_err(failed)?;
    // Ends once every handle to it is gone. Its streams report what went wrong with it.
    tokio::task::spawn_local(async move { drop(connection.await) });
    send.ready().await.map_err(failed)
}
