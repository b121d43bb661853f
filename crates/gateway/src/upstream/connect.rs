use std::{net::SocketAddr, rc::Rc, sync::atomic::Ordering::Relaxed, time::Duration};

use config::routing::UpstreamProtocol;
use model::{Cause, ConnectionUse};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    Endpoint, SharedTarget,
    multiplexed::{Bounds, Stake},
};
use crate::{
    failure::{Failure, connect_failed, tls_failed},
    peer::H1,
    stream::Stream,
};

/// How long what was sent to a service may go without an acknowledgement before the system gives
/// the connection up: one that carries many requests must not outlive the service's machine.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A connection that is good to send one request on.
pub(crate) enum Connection {
    H1 { connection: Box<H1>, requests: u32, usage: ConnectionUse },
    H2(Stake),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("usage", &self.usage()).finish()
    }
}

impl Connection {
    pub(crate) const fn usage(&self) -> ConnectionUse {
        match self {
            Self::H1 { usage, .. } => *usage,
            Self::H2(stake) => stake.usage,
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
                // How long to wait does not matter here.
                let bounds = bounds(endpoint, shared, idle_default, Duration::ZERO);
                endpoint.h2.take(&bounds).map(Self::H2)
            }
        }
    }

    /// A new connection. Over HTTP/2, where a request that was sent in vain has taken its
    /// connection out of use, any connection that is in use; a request may have to wait for a
    /// stream on it.
    pub(crate) async fn fresh(
        endpoint: &Rc<Endpoint>,
        shared: &SharedTarget,
        idle_default: Duration,
        wait: Duration,
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
                let bounds = bounds(endpoint, shared, idle_default, wait);
                let open = async || open_for_h2(endpoint.address, shared).await;
                endpoint.h2.acquire(&bounds, &shared.gauges, open).await.map(Self::H2)
            }
        }
    }
}

fn bounds(endpoint: &Endpoint, shared: &SharedTarget, idle: Duration, wait: Duration) -> Bounds {
    Bounds {
        connections: shared.policy.max_connections as usize,
        requests: shared.policy.max_requests_per_connection,
        idle: endpoint.idle_limit(shared, idle, Instant::now()),
        connect: shared.policy.connect_timeout,
        wait,
    }
}

/// Connects, TLS included, within the connect timeout.
async fn open(address: SocketAddr, shared: &SharedTarget) -> Result<Stream, Failure> {
    let limit = shared.policy.connect_timeout;
    let connected = timeout(limit, async {
        let tcp =
            TcpStream::connect(address).await.map_err(|error| connect_failed(address, &error))?;
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

async fn open_for_h2(address: SocketAddr, shared: &SharedTarget) -> Result<Stream, Failure> {
    let stream = open(address, shared).await?;
    if shared.tls.is_some() && !stream.agreed_on_h2() {
        return Err(Failure::new(
            Cause::UpstreamTlsFailed,
            "the service did not agree on HTTP/2 (ALPN h2)",
        ));
    }
    let millis = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    // Without it the system only takes longer to see that a machine is gone.
    rustix::net::sockopt::set_tcp_user_timeout(stream.tcp(), millis).unwrap_or_default();
    Ok(stream)
}
