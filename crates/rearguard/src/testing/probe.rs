//! Whether a server answers, in the first bytes of its own protocol.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What is sent to a server, and how an answer begins that shows it to be ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) send: &'static [u8],
    pub(super) expect: &'static [u8],
}

/// A startup message of version 3.0 for the user `postgres`; `R` begins the answer that lets it in.
pub(super) const POSTGRES: Probe =
    Probe { send: b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0", expect: b"R" };
pub(super) const REDIS: Probe = Probe { send: b"PING\r\n", expect: b"+PONG" };
pub(super) const NATS: Probe = Probe { send: b"", expect: b"INFO " };

impl Probe {
    pub(super) fn is_ready(self, address: SocketAddr) -> bool {
        let patience = Duration::from_secs(1);
        let Ok(mut stream) = TcpStream::connect_timeout(&address, patience) else { return false };
        let mut answer = vec![0; self.expect.len()];
        stream.set_read_timeout(Some(patience)).is_ok()
            && stream.write_all(self.send).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == self.expect
    }
}
