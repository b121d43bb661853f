//! What bounds a client, and what a single request may say otherwise.

use std::time::Duration;

/// Connections to one authority, unless [`ClientOptions::connections`] says otherwise.
pub const CONNECTIONS: usize = 32;
/// Requests at a time on one HTTP/2 connection, unless [`ClientOptions::streams`] says otherwise.
/// The server's own limit holds beside it.
pub const STREAMS: usize = 100;
/// Requests that wait for a connection to one authority; one more is refused.
pub const WAITERS: usize = 1000;
/// How long a request waits for a connection.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the name and the connection may take together. Envoy's default.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the status line may take, from the moment at which the request is sent.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a body may pause.
pub const BODY_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection is kept without a request. Servers that keep theirs for less say so in
/// `Keep-Alive: timeout=`, and are obeyed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a body that was dropped unread is read so that its connection can be kept.
pub const DRAIN_MAX_BYTES: u64 = 64 * 1024;
/// How long that may take; also how long a connection may take to be ready again.
pub const DRAIN_DEADLINE: Duration = Duration::from_millis(250);
/// How much of a request's body is kept so that it can be sent again.
pub const REPLAY_MAX_BYTES: usize = 64 * 1024;
/// How often a request is sent again by the client itself. More is a retry layer's work.
pub const RESENDS: u32 = 1;
/// A larger head of a response is a [`ProtocolError`](crate::ErrorKind::ProtocolError).
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Authorities that one client keeps connections to. Those without any make room for others.
pub const MAX_AUTHORITIES: usize = 1024;
/// Addresses of one name that are tried, one after the other.
pub const MAX_ADDRESSES: usize = 4;
/// How long a connection that has nothing in flight may take to say goodbye.
pub const CLOSE_GRACE: Duration = Duration::from_millis(250);
/// How often an HTTP/2 connection with requests in flight is asked whether it is alive.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long it may take to answer; then it is closed.
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The margin by which a connection is given up before its server does: a second, or a quarter of
/// what the server said where that is less.
const IDLE_MARGIN: Duration = Duration::from_secs(1);

/// What is spoken. There is no TLS, so there is no negotiation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113, section 3.3), many at a time.
    Http2,
}

/// The bounds of a [`Client`](super::Client). Can be made in a `const`.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::client::{ClientOptions, Protocol};
///
/// const ORDERS: ClientOptions = ClientOptions::new()
///     .protocol(Protocol::Http2)
///     .connections(4)
///     .connect_timeout(Duration::from_millis(500))
///     .response_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    pub(super) protocol: Protocol,
    pub(super) connections: usize,
    pub(super) streams: usize,
    pub(super) waiters: usize,
    pub(super) queue_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) body_stall_timeout: Duration,
    pub(super) idle_timeout: Duration,
}

impl ClientOptions {
    /// HTTP/1.1 with the bounds of this module's constants.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            protocol: Protocol::Http1,
            connections: CONNECTIONS,
            streams: STREAMS,
            waiters: WAITERS,
            queue_timeout: QUEUE_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            body_stall_timeout: BODY_STALL_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    /// What is spoken.
    #[must_use]
    pub const fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Connections to one authority, at least one.
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// Requests at a time on one HTTP/2 connection, at least one.
    #[must_use]
    pub const fn streams(mut self, streams: usize) -> Self {
        self.streams = if streams == 0 { 1 } else { streams };
        self
    }

    /// Requests that wait for a connection to one authority.
    #[must_use]
    pub const fn waiters(mut self, waiters: usize) -> Self {
        self.waiters = waiters;
        self
    }

    /// How long a request waits for a connection.
    #[must_use]
    pub const fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// How long the name and the connection may take together.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the status line may take, from the moment at which the request is sent. A request's
    /// body is sent in this time, too.
    #[must_use]
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How long a response's body may pause while it is waited for.
    #[must_use]
    pub const fn body_stall_timeout(mut self, timeout: Duration) -> Self {
        self.body_stall_timeout = timeout;
        self
    }

    /// How long a connection is kept without a request.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Requests at a time on one connection.
    pub(super) const fn requests_per_connection(&self) -> usize {
        match self.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 => self.streams,
        }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a connection may be idle whose server keeps it for `kept`.
pub(super) fn less_a_margin(kept: Duration) -> Duration {
    kept.saturating_sub(IDLE_MARGIN.min(kept / 4))
}

/// Whether a request may be sent again where nobody knows if it was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// As its method says: GET, HEAD, OPTIONS, TRACE, PUT and DELETE may (RFC 9110, section 9.2.2).
    #[default]
    ByMethod,
    /// It may: it carries an `Idempotency-Key` that the server knows, or is a query.
    Allowed,
    /// It may not.
    Never,
}

/// What one request says for itself: put into its extensions.
///
/// ```
/// use std::time::Duration;
///
/// use http::Request;
/// use rearguard::client::{Repeat, RequestOptions};
///
/// let options = RequestOptions::new().timeout(Duration::from_millis(300)).repeat(Repeat::Allowed);
/// let request = Request::post("http://orders/reserve").extension(options).body(()).unwrap();
/// # drop(request);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) response_timeout: Option<Duration>,
    pub(super) repeat: Repeat,
}

impl RequestOptions {
    /// Nothing that the client does not say.
    #[must_use]
    pub const fn new() -> Self {
        Self { timeout: None, response_timeout: None, repeat: Repeat::ByMethod }
    }

    /// Bounds the whole of it: the wait for a connection, the response and its body. The deadline of
    /// the [`CallContext`](crate::CallContext) holds beside it.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Instead of the client's [`response_timeout`](ClientOptions::response_timeout).
    #[must_use]
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// Whether it may be sent again.
    #[must_use]
    pub const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_given_up_before_its_server_does() {
        for (kept_ms, expected_ms) in [(60_000, 59_000), (5000, 4000), (2000, 1500), (0, 0)] {
            let idle = less_a_margin(Duration::from_millis(kept_ms));
            assert_eq!(idle, Duration::from_millis(expected_ms), "{kept_ms}");
        }
    }
}
