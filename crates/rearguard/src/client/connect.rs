//! From an authority to a socket: resolved, connected, in time.

use std::{io, net::SocketAddr};

use http::uri::Authority;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::options::MAX_ADDRESSES;
use crate::{Error, ErrorKind};

const CONNECT: &str = "client.connect";
const HTTP_PORT: u16 = 80;

/// Whose bound it is: the caller's deadline, or an option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) at: Instant,
    pub(super) name: &'static str,
}

impl Limit {
    /// The earlier of an option's bound from now and the caller's deadline.
    pub(super) fn within(
        name: &'static str,
        timeout: std::time::Duration,
        deadline: Option<Instant>,
    ) -> Self {
        // A bound that is too far off to be told is that of a year.
        let far = std::time::Duration::from_secs(365 * 24 * 3600);
        let at = Instant::now() + timeout.min(far);
        match deadline {
            Some(deadline) if deadline < at => Self { at: deadline, name: "deadline" },
            _ => Self { at, name },
        }
    }
}

pub(super) async fn connect(authority: &Authority, limit: Limit) -> Result<TcpStream, Error> {
    let failed =
        |kind| Error::new(kind, CONNECT).with("authority", authority.to_string()).retryable();
    let timed_out = |kind| failed(kind).with("limit", limit.name);
    let addresses = timeout_at(limit.at, resolve(authority))
        .await
        .map_err(|_| timed_out(ErrorKind::DnsFailed))?
        .map_err(|error| failed(ErrorKind::DnsFailed).because(error))?;
    let mut last = None;
    for address in addresses {
        match timeout_at(limit.at, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are small and wait for an answer.
                stream.set_nodelay(true).map_err(|error| failed(kind_of(&error)).because(error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => {
                let at = address.to_string();
                last = Some(failed(kind_of(&error)).with("address", at).because(error));
            }
            Err(_) => {
                let error = timed_out(ErrorKind::ConnectTimedOut);
                return Err(error.with("address", address.to_string()));
            }
        }
    }
    Err(last.unwrap_or_else(|| failed(ErrorKind::DnsFailed).because("the name has no address")))
}

async fn resolve(authority: &Authority) -> io::Result<Vec<SocketAddr>> {
    let port = authority.port_u16().unwrap_or(HTTP_PORT);
    // The resolver wants an IPv6 address without its brackets.
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(lookup_host((host, port)).await?.take(MAX_ADDRESSES).collect())
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorKind::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorKind::ConnectTimedOut,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorKind::Reset,
        // No route, no address of our own, no descriptor: there is no way from here to there.
        _ => ErrorKind::Unreachable,
    }
}
