//! The socket under a connection: hyper reads and writes it, we look at it before it is used again.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A socket, and how much was read from it.
#[derive(Debug)]
pub(super) struct Wire {
    /// `None` once its reader is gone.
    stream: Mutex<Option<TcpStream>>,
    read_bytes: AtomicU64,
}

/// What waits in a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nothing,
    Bytes,
    /// Its end: the peer has closed it.
    End,
}

/// The end of it that hyper has; the socket is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket(Arc<Wire>);

impl Wire {
    pub(super) fn new(stream: TcpStream) -> (Arc<Self>, Socket) {
        let stream = Mutex::new(Some(stream));
        let wire = Arc::new(Self { stream, read_bytes: AtomicU64::new(0) });
        (Arc::clone(&wire), Socket(wire))
    }

    /// How many bytes were read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Relaxed)
    }

    /// Asks the kernel, as the runtime hears of what arrived only when it next looks.
    pub(super) fn waiting(&self) -> Waiting {
        let stream = self.lock();
        let Some(stream) = stream.as_ref() else { return Waiting::End };
        let mut byte = [0];
        match rustix::net::recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Waiting::End,
            Ok(_) => Waiting::Bytes,
            Err(rustix::io::Errno::AGAIN) => Waiting::Nothing,
            Err(_) => Waiting::End,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        act: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.lock().as_mut() {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.0.with(|stream| stream.poll_read(context, buffer));
        self.0.read_bytes.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.with(|stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.with(|stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|stream| stream.poll_shutdown(context))
    }
}
