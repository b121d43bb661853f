//! A connection's bytes, with or without TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{client, server};

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    ServerTls(Box<server::TlsStream<TcpStream>>),
    ClientTls(Box<client::TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::ServerTls(stream) => stream.get_ref().0,
            Self::ClientTls(stream) => stream.get_ref().0,
        }
    }

    /// Whether TLS agreed on HTTP/2.
    pub(crate) fn agreed_on_h2(&self) -> bool {
        let alpn = match self {
            Self::Tcp(_) => None,
            Self::ServerTls(stream) => stream.get_ref().1.alpn_protocol(),
            Self::ClientTls(stream) => stream.get_ref().1.alpn_protocol(),
        };
        alpn == Some(b"h2")
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => $call,
            Stream::ServerTls($stream) => $call,
            Stream::ClientTls($stream) => $call,
        }
    };
}

impl Stream {
    /// Where a service has closed the connection, what it said before tells why: with TLS 1.3 it
    /// refuses a certificate only once the handshake is over on this side.
    fn explain(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Err(_)), Self::ClientTls(stream)) = (&written, self) {
            let mut rest = [0; 16];
            let read = Pin::new(&mut **stream).poll_read(cx, &mut ReadBuf::new(&mut rest));
            if let Poll::Ready(Err(error)) = read
                && error.kind() == io::ErrorKind::InvalidData
            {
                return Poll::Ready(Err(error));
            }
        }
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = each!(self.as_mut(), stream => Pin::new(stream).poll_write(cx, buf));
        self.explain(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written =
            each!(self.as_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bufs));
        self.explain(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
