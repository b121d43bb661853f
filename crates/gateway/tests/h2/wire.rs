//! Frames of HTTP/2 as they are on the wire.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::within;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `:method: GET`, `:scheme: http`, `:path: /` by the static table, and `:authority: svc`.
pub(crate) const GET: &[u8] = b"\x82\x86\x84\x01\x03svc";
/// The same with `:method: POST`.
pub(crate) const POST: &[u8] = b"\x83\x86\x84\x01\x03svc";

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

/// A client that sends what it likes.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    /// Connects, and sends the preface and empty SETTINGS.
    pub(crate) async fn connect(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut wire = Self(stream);
        wire.send(PREFACE).await;
        wire.send(&frame(SETTINGS, 0, 0, &[])).await;
        wire
    }

    /// Sends bytes; whether the gateway still takes them shows elsewhere.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        drop(within(self.0.write_all(bytes)).await);
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.ok()?;
        let [a, b, c, kind, flags, d, e, f, g] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        within(self.0.read_exact(&mut payload)).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes([d, e, f, g]), payload })
    }

    /// The next frame of a kind, whatever comes before it.
    pub(crate) async fn next(&mut self, kind: u8) -> Option<Frame> {
        while let Some(frame) = self.receive().await {
            if frame.kind == kind {
                return Some(frame);
            }
        }
        None
    }

    /// Whether the connection is still served: a PING comes back.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.send(&frame(PING, 0, 0, b"served??")).await;
        while let Some(frame) = self.next(PING).await {
            if frame.payload == b"served??" {
                return true;
            }
        }
        false
    }
}
