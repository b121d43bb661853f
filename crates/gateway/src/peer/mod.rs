//! The other side of a request or a response: a client or a service, over HTTP/1.1 or HTTP/2.
//!
//! Both protocols offer the same: receive a body piece by piece, send one, with back-pressure. So
//! [`poll_pump`] carries any of the four combinations, both ways.

mod h1;
mod h2;

use std::task::{Context, Poll, ready};

pub(crate) use self::{
    h1::{H1, Receiving, Sending},
    h2::{Ending, H2, append, declared_length, fields_of},
};
use crate::{h1::Malformed, message::Fields};

/// A peer's side of one exchange.
#[derive(Debug)]
pub(crate) enum Peer {
    H1(Box<H1>),
    H2(Box<H2>),
}

/// What receiving brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// There is data, to be looked at by [`Peer::data`].
    Data,
    /// The body has ended, as it should.
    End,
}

/// Why a body, or a head, could not be received.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// The peer closed the connection too early.
    Closed,
    /// The peer reset the connection or the stream.
    Reset(String),
    /// TLS broke, as it does where the peer finds only now that it does not like a certificate.
    Tls(std::io::Error),
    /// What came was not what the protocol asks for.
    Malformed(Malformed),
    /// HTTP/2 said something is wrong with the connection.
    Protocol(String),
}

impl From<std::io::Error> for ReceiveError {
    fn from(error: std::io::Error) -> Self {
        // A connection without an acknowledgement for too long is as good as reset.
        if crate::failure::is_reset(&error) || error.kind() == std::io::ErrorKind::TimedOut {
            Self::Reset(error.to_string())
        } else if error.kind() == std::io::ErrorKind::UnexpectedEof {
            // TLS: the stream ended without a close_notify.
            Self::Closed
        } else if error.kind() == std::io::ErrorKind::InvalidData {
            // Only TLS has a notion of what is valid.
            Self::Tls(error)
        } else {
            Self::Protocol(error.to_string())
        }
    }
}

impl From<Malformed> for ReceiveError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The peer does not take what is sent to it.
#[derive(Debug)]
pub(crate) struct SendError(pub(crate) String);

impl Peer {
    /// Waits for more of the body.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, ReceiveError>> {
        match self {
            Self::H1(peer) => peer.poll_data(cx),
            Self::H2(peer) => peer.poll_data(cx),
        }
    }

    /// The data that [`Peer::poll_data`] has told of.
    pub(crate) fn data(&self) -> &[u8] {
        match self {
            Self::H1(peer) => peer.data(),
            Self::H2(peer) => peer.data(),
        }
    }

    /// That much of the data has been used.
    pub(crate) fn consume(&mut self, count: usize) {
        match self {
            Self::H1(peer) => peer.consume(count),
            Self::H2(peer) => peer.consume(count),
        }
    }

    /// The trailers, once the body has ended.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        match self {
            Self::H1(peer) => peer.trailers(),
            Self::H2(peer) => peer.trailers(),
        }
    }

    /// Sends some of the data; how much of it was taken, at least 1.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, SendError>> {
        match self {
            Self::H1(peer) => peer.poll_send(cx, data),
            Self::H2(peer) => peer.poll_send(cx, data),
        }
    }

    /// Ends the body, and sees that everything goes out.
    pub(crate) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        trailers: Option<&Fields>,
    ) -> Poll<Result<(), SendError>> {
        match self {
            Self::H1(peer) => peer.poll_end(cx, trailers),
            Self::H2(peer) => Poll::Ready(peer.end(trailers)),
        }
    }

    /// Sees that everything goes out.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self {
            Self::H1(peer) => peer.poll_flush(cx),
            Self::H2(_) => Poll::Ready(Ok(())),
        }
    }

    /// Whether [`Peer::poll_gone`] can be asked while there is data that nobody takes: HTTP/2 tells
    /// of a reset apart from the data.
    pub(crate) const fn tells_when_gone(&self) -> bool {
        matches!(self, Self::H2(_))
    }

    /// Ready once the peer has gone away.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::H1(peer) => peer.poll_gone(cx),
            Self::H2(peer) => peer.poll_gone(cx),
        }
    }
}

/// What pumping has done so far; the stall timers and the record look at it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Bytes of the body.
    pub(crate) bytes: u64,
    /// Whether anything moved since this was last cleared.
    pub(crate) moved: bool,
    /// Whether it is the sink that is being waited for.
    pub(crate) blocked_on_sink: bool,
    /// Whether the body has ended and everything has gone out.
    pub(crate) done: bool,
    /// Whether a tunnel's source or sink has broken off.
    pub(crate) failed: bool,
    /// How many bytes the body may have at most.
    pub(crate) most: Option<u64>,
}

/// Which end a pump broke at.
#[derive(Debug)]
pub(crate) enum PumpError {
    Source(ReceiveError),
    Sink(SendError),
    /// The body has more bytes than it may have; what is over has not been sent.
    TooLong,
}

/// Which fields of the trailers go on; the pump asks for them at the end of a body.
pub(crate) type TrailerFilter = fn(&Fields) -> Option<Fields>;

/// Carries a body from one peer to the other, until it has ended or one of them has to be waited
/// for. Holds nothing back: what has been gathered goes out before waiting.
pub(crate) fn poll_pump(
    source: &mut Peer,
    sink: &mut Peer,
    cx: &mut Context<'_>,
    meter: &mut Meter,
    filter: TrailerFilter,
    mut tap: impl FnMut(&[u8]),
) -> Poll<Result<(), PumpError>> {
    loop {
        meter.blocked_on_sink = false;
        match source.poll_data(cx) {
            Poll::Ready(Ok(Received::Data)) => {
                meter.blocked_on_sink = true;
                if meter.most.is_some_and(|most| meter.bytes + source.data().len() as u64 > most) {
                    return Poll::Ready(Err(PumpError::TooLong));
                }
                let taken = ready!(sink.poll_send(cx, source.data())).map_err(PumpError::Sink)?;
                tap(&source.data()[..taken]);
                source.consume(taken);
                meter.bytes += taken as u64;
                meter.moved = true;
            }
            Poll::Ready(Ok(Received::End)) => {
                meter.blocked_on_sink = true;
                let trailers = source.trailers().and_then(filter);
                ready!(sink.poll_end(cx, trailers.as_ref())).map_err(PumpError::Sink)?;
                meter.moved = true;
                meter.done = true;
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(PumpError::Source(error))),
            Poll::Pending => {
                if let Poll::Ready(Err(error)) = sink.poll_flush(cx) {
                    return Poll::Ready(Err(PumpError::Sink(error)));
                }
                return Poll::Pending;
            }
        }
    }
}
