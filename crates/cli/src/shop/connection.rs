//! One connection of a sample service: reads requests, drops their bodies, and answers well or
//! badly, as the route says.

use std::{io, str, time::Duration};

use httparse::Status;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{self, Instant},
};

use super::routes::{Act, Response, Service};

/// The longest request head, and the most that is buffered.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Room made for one read.
const READ_BYTES: usize = 4 * 1024;
/// The most header fields of a request.
const MAX_HEADERS: usize = 128;
/// How long a kept-alive connection may stay without a request; the configuration promises it.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long a stalled request stays without an answer.
const STALL: Duration = Duration::from_secs(60);
/// Between two pieces of a slow body, of one byte each.
const SLOW_PIECE: Duration = Duration::from_millis(100);

/// What a service needs to know of a request.
struct Request {
    path: String,
    body: Body,
    expects_continue: bool,
    head_only: bool,
    keep_alive: bool,
}

#[derive(Clone, Copy)]
enum Body {
    Bytes(u64),
    Chunked,
}

/// Whether the connection can carry another request.
#[derive(PartialEq)]
enum Next {
    Request,
    Close,
}

/// A connection with what has been read from it and not been used.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Answers requests until either side closes. Panics where the route's handler does.
    pub(super) async fn serve(mut self, service: &Service) -> io::Result<()> {
        while let Ok(request) = time::timeout(KEEP_ALIVE, self.read_head()).await {
            let request = match request {
                Ok(request) => request,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let refusal = Response::text(400, "the request cannot be read");
                    return self.stream.write_all(&refusal.to_bytes()).await;
                }
                Err(error) => return Err(error),
            };
            self.drop_body(&request).await?;
            let act = service.answer(&request.path);
            if self.perform(act, &request).await? == Next::Close || !request.keep_alive {
                break;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, act: Act, request: &Request) -> io::Result<Next> {
        match act {
            Act::Answer(response) => self.answer(response, request).await?,
            Act::AnswerAfterCleanup { work, cleanup, response } => {
                let began = Instant::now();
                time::sleep(work).await;
                let worked = began.elapsed();
                time::sleep(cleanup).await;
                let cleaned = began.elapsed().saturating_sub(worked);
                let timing = format!(
                    "work;dur={:.1}, cleanup;dur={:.1}",
                    worked.as_secs_f64() * 1000.0,
                    cleaned.as_secs_f64() * 1000.0
                );
                self.answer(response.with("server-timing", timing), request).await?;
            }
            Act::Close => return Ok(Next::Close),
            Act::Half(response) => {
                let bytes = response.to_bytes();
                let half = bytes.len() - response.body.len() / 2;
                self.stream.write_all(&bytes[..half]).await?;
                return Ok(Next::Close);
            }
            Act::Reset => {
                // With no time to linger, closing sends RST instead of FIN.
                self.stream.set_zero_linger()?;
                return Ok(Next::Close);
            }
            Act::Rubbish(bytes) => {
                self.stream.write_all(bytes).await?;
                return Ok(Next::Close);
            }
            Act::Slow(response) => {
                let bytes = response.to_bytes();
                let (head, body) = bytes.split_at(bytes.len() - response.body.len());
                self.stream.write_all(head).await?;
                for piece in body.chunks(1) {
                    time::sleep(SLOW_PIECE).await;
                    self.stream.write_all(piece).await?;
                }
            }
            Act::Stall => {
                // Whichever comes first; either way the connection ends without an answer.
                time::timeout(STALL, self.client_leaves()).await.unwrap_or_default();
                return Ok(Next::Close);
            }
        }
        Ok(Next::Request)
    }

    async fn answer(&mut self, mut response: Response, request: &Request) -> io::Result<()> {
        if !request.keep_alive {
            response = response.with("connection", "close".to_owned());
        }
        let bytes = response.to_bytes();
        let length =
            if request.head_only { bytes.len() - response.body.len() } else { bytes.len() };
        self.stream.write_all(&bytes[..length]).await
    }

    /// Ends when the client has closed. What it sends meanwhile is kept up to the buffer's bound.
    async fn client_leaves(&mut self) {
        while self.buffer.len() < MAX_HEAD_BYTES {
            if self.fill().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Reads more. An end of the stream is an error, of which the caller makes what it wants.
    async fn fill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= MAX_HEAD_BYTES {
            return Err(unreadable());
        }
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn read_head(&mut self) -> io::Result<Request> {
        loop {
            if let Some((length, request)) = parse_head(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(request);
            }
            self.fill().await?;
        }
    }

    async fn drop_body(&mut self, request: &Request) -> io::Result<()> {
        if request.expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        match request.body {
            Body::Bytes(length) => self.drop_bytes(length).await,
            Body::Chunked => loop {
                let size = self.read_chunk_size().await?;
                if size == 0 {
                    return self.drop_trailers().await;
                }
                // The chunk and the line end after it.
                self.drop_bytes(size.checked_add(2).ok_or_else(unreadable)?).await?;
            },
        }
    }

    async fn drop_bytes(&mut self, mut length: u64) -> io::Result<()> {
        loop {
            let here = self.buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            self.buffer.drain(..here);
            length -= here as u64;
            if length == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn read_chunk_size(&mut self) -> io::Result<u64> {
        loop {
            match httparse::parse_chunk_size(&self.buffer) {
                Ok(Status::Complete((length, size))) => {
                    self.buffer.drain(..length);
                    return Ok(size);
                }
                Ok(Status::Partial) => self.fill().await?,
                Err(_) => return Err(unreadable()),
            }
        }
    }

    async fn drop_trailers(&mut self) -> io::Result<()> {
        loop {
            match self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => {
                    self.buffer.drain(..end + 2);
                    if end == 0 {
                        return Ok(());
                    }
                }
                None => self.fill().await?,
            }
        }
    }
}

fn unreadable() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The request at the beginning of `bytes` and the length of its head, where it is complete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(usize, Request)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut fields);
    let Status::Complete(length) = head.parse(bytes).map_err(|_| unreadable())? else {
        return Ok(None);
    };
    let target = head.path.unwrap_or("/");
    let mut request = Request {
        path: target.split('?').next().unwrap_or(target).to_owned(),
        body: Body::Bytes(0),
        expects_continue: false,
        head_only: head.method == Some("HEAD"),
        keep_alive: head.version == Some(1),
    };
    for field in head.headers.iter() {
        let value = str::from_utf8(field.value).unwrap_or_default();
        match field.name.to_ascii_lowercase().as_str() {
            "content-length" => {
                request.body = Body::Bytes(value.parse().map_err(|_| unreadable())?)
            }
            "transfer-encoding" => request.body = Body::Chunked,
            "expect" => request.expects_continue = value.eq_ignore_ascii_case("100-continue"),
            "connection" => request.keep_alive &= !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    Ok(Some((length, request)))
}
