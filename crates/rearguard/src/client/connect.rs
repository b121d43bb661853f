//! From an authority to a socket: resolved, connected, in time.

use std::{io, net::SocketAddr};

use http::uri::Authority;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout_at,
};

use super::{limit::Limit, options::MAX_ADDRESSES};
use crate::{Error, ErrorKind};

const CONNECT: &str = "client.connect";
const HTTP_PORT: u16 = 80;

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
