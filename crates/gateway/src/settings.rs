//! What can be set about the gateway as a whole, with its defaults and bounds.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};

use model::{Cause, RequestRecord};

use crate::{
    h1::{HeadLimits, HostRule},
    observe::Watched,
};

/// Settings of one gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen unless the configuration has `Gateway`s of its own.
    pub listen: SocketAddr,
    /// How many workers, each one thread with a runtime and a listener of its own.
    pub workers: usize,
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// Bounds in size and number.
    pub limits: Limits,
    /// What is done where an absolute-form target and `Host` differ.
    pub host_rule: HostRule,
    /// Whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trust: Trust,
    /// Whether `rearguard-outcome` is passed on to clients.
    pub expose_outcome: bool,
    /// The objectives that requests are counted for.
    pub watched: Box<[Watched]>,
    /// Who is told of failures as they happen.
    pub failure_listener: Option<FailureListener>,
}

/// Who is told of the failures with one cause, as they happen.
///
/// The data plane never waits for it: a record that the channel has no room for is counted in
/// `rearguard_failures_untold_total`, and stands among the failures all the same.
#[derive(Clone, Debug)]
pub struct FailureListener {
    /// The cause that is listened for.
    pub cause: Cause,
    /// Where its records go.
    pub sender: SyncSender<Arc<RequestRecord>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            access_log: AccessLog::Off,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            host_rule: HostRule::default(),
            trust: Trust::default(),
            expose_outcome: false,
            watched: Box::default(),
            failure_listener: None,
        }
    }
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To standard output.
    Stdout,
    /// To the end of a file.
    File(std::path::PathBuf),
}

/// Bounds in time; each is stated in `docs/limits.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request's head to its end.
    pub head: Duration,
    /// Without a byte of the request's body from the client.
    pub request_stall: Duration,
    /// From the request sent on to the status line, where the route has no timeout.
    pub response: Duration,
    /// Without a byte of the response's body from the service. Not for gRPC, server-sent events
    /// and upgraded connections.
    pub response_stall: Duration,
    /// While the client takes no byte of the response.
    pub client_stall: Duration,
    /// A client's connection without a request.
    pub idle: Duration,
    /// An upstream connection without a request, where nothing shorter is declared or learned.
    pub upstream_idle: Duration,
    /// Waiting for a place in the connection pool.
    pub queue: Duration,
    /// A TLS handshake with a client.
    pub handshake: Duration,
    /// How long requests in flight may go on once the gateway is told to stop.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            request_stall: Duration::from_secs(30),
            response: Duration::from_secs(10),
            response_stall: Duration::from_secs(60),
            client_stall: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            upstream_idle: Duration::from_secs(4),
            queue: Duration::from_secs(1),
            handshake: Duration::from_secs(5),
            drain: Duration::from_secs(30),
        }
    }
}

/// Bounds in size and number; each is stated in `docs/limits.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Heads of requests and responses.
    pub head: HeadLimits,
    /// Bytes of a request's body.
    pub request_body_bytes: u64,
    /// Connections of clients, for all workers together.
    pub connections: usize,
    /// Requests on one client connection before it is closed.
    pub requests_per_connection: u64,
    /// Concurrent streams on one HTTP/2 connection.
    pub streams: u32,
    /// How many failures are kept for the failures API.
    pub failures: usize,
    /// Bytes of a request's body that are kept so that it can be sent again.
    pub replay_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            request_body_bytes: 1 << 30,
            connections: 65_536,
            requests_per_connection: 100_000,
            streams: 100,
            failures: 1024,
            replay_bytes: 64 * 1024,
        }
    }
}

/// Whose `X-Forwarded-*` and `Forwarded` are believed: a peer that is believed has its fields
/// passed on, with its own address appended; any other has them replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trust {
    /// Peers on this machine and on private networks (RFC 1918, RFC 4193, link-local).
    #[default]
    Private,
    /// Nobody.
    Nobody,
    /// Everybody.
    Everybody,
}

impl Trust {
    /// Whether this peer is believed.
    #[must_use]
    pub const fn believes(self, peer: IpAddr) -> bool {
        match (self, peer) {
            (Self::Nobody, _) => false,
            (Self::Everybody, _) => true,
            (Self::Private, IpAddr::V4(peer)) => {
                peer.is_loopback() || peer.is_private() || peer.is_link_local()
            }
            (Self::Private, IpAddr::V6(peer)) => {
                peer.is_loopback() || peer.is_unique_local() || peer.is_unicast_link_local()
            }
        }
    }
}
