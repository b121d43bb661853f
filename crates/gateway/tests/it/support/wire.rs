//! Reading HTTP/1.1 messages off a socket, independently of the gateway's own codec.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
};

use super::PATIENCE;

/// A request or a response as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) first_line: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body ended as its framing says.
    pub(crate) whole: bool,
    /// The interim responses before it.
    pub(crate) interim: Vec<Message>,
}

impl Message {
    pub(crate) fn status(&self) -> u16 {
        let digits = self.first_line.split(' ').nth(1).unwrap_or_default();
        digits.parse().unwrap_or_else(|_| panic!("no status in {:?}", self.first_line))
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The field's only value.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is there more than once: {all:?}");
        all.first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A socket with what has been read from it ahead of time.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) received: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("Nagle can be switched off");
        Self { stream, received: Vec::new() }
    }

    /// Sends; `false` where the other end is gone.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Reads once; `false` at the end, however it came about.
    pub(crate) fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came for {PATIENCE:?}")
            }
            Err(_) => false,
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
                self.received.drain(..end + 2);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn fields(&mut self) -> Option<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(fields);
            }
            let (name, value) = line.split_once(':').expect("a field has a colon");
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next head, if one comes.
    pub(crate) fn head(&mut self) -> Option<Message> {
        let first_line = self.line()?;
        let fields = self.fields()?;
        Some(Message { first_line, fields, ..Message::default() })
    }

    fn exactly(&mut self, count: usize, into: &mut Vec<u8>) -> bool {
        while self.received.len() < count {
            if !self.fill() {
                into.append(&mut self.received);
                return false;
            }
        }
        into.extend(self.received.drain(..count));
        true
    }

    fn chunks(&mut self, message: &mut Message) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let digits = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).expect("a chunk has a size");
            if size == 0 {
                let Some(trailers) = self.fields() else { return false };
                message.trailers = trailers;
                return true;
            }
            if !self.exactly(size, &mut message.body) || self.line().is_none() {
                return false;
            }
        }
    }

    /// Reads the body that the head announces; without a length a response goes on until the end.
    pub(crate) fn body(&mut self, message: &mut Message, until_close: bool) {
        let length = message.field("content-length").map(|text| text.parse().expect("a length"));
        message.whole = if message.field("transfer-encoding").is_some() {
            assert_eq!(length, None, "both kinds of framing: {:?}", message.fields);
            self.chunks(message)
        } else if let Some(length) = length {
            self.exactly(length, &mut message.body)
        } else if until_close {
            message.body = self.rest();
            true
        } else {
            true
        };
    }

    /// Everything until the end of the connection, however it ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.received)
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        let zero = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(&self.stream).set_linger(zero).expect("lingering can be set");
    }
}
