use std::{
    io::Write as _,
    task::{Context, Poll, ready},
};

use super::{ReceiveError, Received, SendError};
use crate::{
    buffer::{Input, Output},
    h1::{Asked, ChunkedDecoder, Decoded, HeadLimits, HeadScanner, LineEnds, Scan, parse_response},
    message::{BodyLength, Fields, ResponseHead},
    stream::Stream,
};

/// A connection that speaks HTTP/1.1, from either side.
#[derive(Debug)]
pub(crate) struct H1 {
    pub(crate) stream: Stream,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) receiving: Receiving,
    pub(crate) sending: Sending,
    scanner: Option<HeadScanner>,
}

/// How far the body that is being received has come.
#[derive(Debug)]
pub(crate) enum Receiving {
    /// There is none, or it has ended.
    Done(Option<Box<ChunkedDecoder>>),
    /// This many bytes are to come.
    Length(u64),
    /// Chunks are to come.
    Chunked {
        decoder: Box<ChunkedDecoder>,
        /// Data of the current chunk that is in the input.
        data: usize,
    },
    /// Everything until the end of the connection.
    UntilClose,
}

impl From<BodyLength> for Receiving {
    fn from(length: BodyLength) -> Self {
        match length {
            BodyLength::Empty => Self::Done(None),
            BodyLength::Known(length) => Self::Length(length),
            BodyLength::Unknown => Self::Chunked { decoder: Box::default(), data: 0 },
            BodyLength::UntilClose => Self::UntilClose,
        }
    }
}

/// How the body that is being sent is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// There is none, or it has ended.
    Done,
    /// This many bytes are to go.
    Length(u64),
    /// Chunks; this many bytes are left in the current one.
    Chunked { left: usize },
    /// By closing the connection.
    UntilClose,
}

impl H1 {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: Input::default(),
            output: Output::default(),
            receiving: Receiving::Done(None),
            sending: Sending::Done,
            scanner: None,
        }
    }

    /// Reads once into the input.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.input.poll_fill(cx, &mut self.stream)
    }

    /// Whether the body that is being received has ended.
    pub(crate) fn has_received(&self) -> bool {
        matches!(self.receiving, Receiving::Done(_))
    }

    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, ReceiveError>> {
        loop {
            match &mut self.receiving {
                Receiving::Done(_) => return Poll::Ready(Ok(Received::End)),
                Receiving::Length(_) | Receiving::UntilClose if !self.input.is_empty() => {
                    return Poll::Ready(Ok(Received::Data));
                }
                Receiving::Chunked { data, .. } if *data > 0 => {
                    return Poll::Ready(Ok(Received::Data));
                }
                Receiving::Chunked { decoder, data } => {
                    match decoder.decode(self.input.received())? {
                        Decoded::Data { skip, data: found } => {
                            self.input.consume(skip);
                            *data = found;
                            continue;
                        }
                        Decoded::End { skip } => {
                            self.input.consume(skip);
                            self.receiving = Receiving::Done(Some(std::mem::take(decoder)));
                            continue;
                        }
                        Decoded::Partial { skip } => self.input.consume(skip),
                    }
                }
                Receiving::Length(_) | Receiving::UntilClose => {}
            }
            if ready!(self.poll_fill(cx))? == 0 {
                if matches!(self.receiving, Receiving::UntilClose) {
                    self.receiving = Receiving::Done(None);
                    continue;
                }
                return Poll::Ready(Err(ReceiveError::Closed));
            }
        }
    }

    pub(super) fn data(&self) -> &[u8] {
        let received = self.input.received();
        let length = match &self.receiving {
            Receiving::Done(_) => 0,
            Receiving::Length(left) => {
                usize::try_from(*left).unwrap_or(usize::MAX).min(received.len())
            }
            Receiving::Chunked { data, .. } => *data,
            Receiving::UntilClose => received.len(),
        };
        &received[..length]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.input.consume(count);
        match &mut self.receiving {
            Receiving::Length(left) => {
                *left = left.saturating_sub(count as u64);
                if *left == 0 {
                    self.receiving = Receiving::Done(None);
                }
            }
            Receiving::Chunked { decoder, data } => {
                *data -= count;
                decoder.took(count);
            }
            Receiving::Done(_) | Receiving::UntilClose => {}
        }
    }

    pub(super) fn trailers(&self) -> Option<&Fields> {
        match &self.receiving {
            Receiving::Done(Some(decoder)) => {
                Some(decoder.trailers()).filter(|trailers| !trailers.is_empty())
            }
            _ => None,
        }
    }

    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, SendError>> {
        let most = match &mut self.sending {
            // More than was announced: the framing of the source has made sure that it cannot be.
            Sending::Done => return Poll::Ready(Err(SendError("the body is too long".to_owned()))),
            Sending::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Sending::UntilClose => usize::MAX,
            Sending::Chunked { left } => {
                if *left == 0 {
                    // Writing to a vector cannot fail.
                    write!(self.output.buffer(), "{:x}\r\n", data.len()).unwrap_or_default();
                    *left = data.len();
                }
                *left
            }
        };
        let data = &data[..data.len().min(most)];
        let taken = match ready!(self.output.poll_take(cx, &mut self.stream, data)) {
            Ok(taken) => taken,
            Err(error) => return Poll::Ready(Err(SendError(error.to_string()))),
        };
        match &mut self.sending {
            Sending::Length(left) => *left -= taken as u64,
            Sending::Chunked { left } => {
                *left -= taken;
                if *left == 0 {
                    self.output.buffer().extend_from_slice(b"\r\n");
                }
            }
            Sending::Done | Sending::UntilClose => {}
        }
        Poll::Ready(Ok(taken))
    }

    pub(super) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        trailers: Option<&Fields>,
    ) -> Poll<Result<(), SendError>> {
        match self.sending {
            Sending::Length(left) if left > 0 => {
                return Poll::Ready(Err(SendError(format!("the body ended {left} bytes early"))));
            }
            Sending::Chunked { .. } => {
                let output = self.output.buffer();
                output.extend_from_slice(b"0\r\n");
                for (_, name, value) in trailers.iter().flat_map(|trailers| trailers.iter()) {
                    for part in [name, b": ", value, b"\r\n"] {
                        output.extend_from_slice(part);
                    }
                }
                output.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        self.sending = Sending::Done;
        self.poll_flush(cx)
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.output.poll_flush(cx, &mut self.stream).map_err(|error| SendError(error.to_string()))
    }

    /// Ready once the peer has closed or reset the connection. Reads ahead, as far as there is
    /// room, what the peer sends before it is asked for; only to be called once the body that was
    /// being received has ended.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.has_received() && self.input.has_room() {
            match ready!(self.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Waits for the head of a response; interim ones (1xx) count.
    pub(crate) fn poll_response_head(
        &mut self,
        cx: &mut Context<'_>,
        limits: &HeadLimits,
        asked: Asked,
    ) -> Poll<Result<ResponseHead, ReceiveError>> {
        let mut scanner =
            self.scanner.unwrap_or_else(|| HeadScanner::new(LineEnds::Lenient, limits.head_bytes));
        loop {
            let received = self.input.received();
            let expected = b"HTTP/1.";
            let length = received.len().min(expected.len());
            if received[..length] != expected[..length] {
                return Poll::Ready(Err(ReceiveError::Malformed(crate::h1::Malformed::new(
                    "the answer does not begin with HTTP/1.",
                ))));
            }
            if let Scan::Complete(end) = scanner.scan(received)? {
                let head = parse_response(&received[..end], limits, asked)?;
                self.input.consume(end);
                self.scanner = None;
                self.receiving = head.body.into();
                return Poll::Ready(Ok(head));
            }
            self.scanner = Some(scanner);
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(ReceiveError::Closed));
            }
        }
    }

    /// The stream itself, for another protocol.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Gives back the buffers of an idle connection.
    pub(crate) fn release(&mut self) {
        self.receiving = Receiving::Done(None);
        self.input.release();
        self.output.release();
    }
}
