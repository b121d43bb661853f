//! A client that does what it is told, byte by byte.

use std::net::{Shutdown, SocketAddr, TcpStream};

use super::{Message, Wire};

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: Wire,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        Self { wire: Wire::new(stream) }
    }

    /// Sends what it can.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.wire.send(bytes);
        self
    }

    pub(crate) fn half_close(&mut self) -> &mut Self {
        self.wire.stream.shutdown(Shutdown::Write).expect("it is connected");
        self
    }

    /// The next final response, with the interim ones before it.
    pub(crate) fn try_response(&mut self, to_head: bool) -> Option<Message> {
        let mut interim = Vec::new();
        loop {
            let mut message = self.wire.head()?;
            let status = message.status();
            if (100..200).contains(&status) && status != 101 {
                interim.push(message);
                continue;
            }
            if to_head || status == 101 || status == 204 || status == 304 {
                message.whole = true;
            } else {
                self.wire.body(&mut message, true);
            }
            message.interim = interim;
            return Some(message);
        }
    }

    pub(crate) fn response(&mut self) -> Message {
        self.try_response(false).expect("an answer")
    }

    /// Asks for a path with `GET`, and returns the answer.
    pub(crate) fn get(&mut self, path: &str) -> Message {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n")).response()
    }

    /// Whether the connection has been closed, after whatever else came.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.wire.fill() {}
        true
    }
}
