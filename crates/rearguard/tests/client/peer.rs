//! An HTTP/2 server by hand: frames in, frames out (RFC 9113, section 4.1).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::scripted::Peer;

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const REFUSED_STREAM: u32 = 7;
/// `:status: 200` of HPACK's static table.
pub(crate) const STATUS_200: &[u8] = &[0x88];

pub(crate) struct Frames {
    stream: TcpStream,
    /// Streams that the client has reset.
    pub(crate) resets: Arc<AtomicUsize>,
}

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
}

impl Frames {
    /// Takes the client's preface and says hello.
    pub(crate) async fn begin(peer: Peer, resets: Arc<AtomicUsize>) -> Option<Self> {
        let mut stream = peer.stream;
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.ok()?;
        assert!(preface.starts_with(b"PRI * HTTP/2.0"));
        let mut frames = Self { stream, resets };
        frames.send(SETTINGS, 0, 0, &[]).await;
        Some(frames)
    }

    /// The next request's stream; `None` when the client has closed.
    pub(crate) async fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.next().await?;
            if frame.kind == HEADERS {
                return Some(frame.stream);
            }
        }
    }

    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        let frame = Frame {
            kind: head[3],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        };
        match (frame.kind, head[4] & ACK) {
            (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]).await,
            (PING, 0) => self.send(PING, ACK, 0, &payload).await,
            (RST_STREAM, _) => drop(self.resets.fetch_add(1, SeqCst)),
            _ => {}
        }
        Some(frame)
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        // The client may be gone.
        drop(self.stream.write_all(&frame).await);
    }

    pub(crate) async fn answer(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200).await;
    }

    /// The head of an answer and some of its body.
    pub(crate) async fn begin_answer(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(0, 0, stream, b"some").await;
    }

    pub(crate) async fn reset(&mut self, stream: u32, reason: u32) {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes()).await;
    }

    /// No stream above `last` was begun, nor will be.
    pub(crate) async fn go_away(&mut self, last: u32) {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend(0_u32.to_be_bytes());
        self.send(GOAWAY, 0, 0, &payload).await;
    }
}
