//! The stream to a server, opened here so that it can be read along, and so that the end of a
//! cancel request can be waited for.

use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// The stream to a PostgreSQL server: TCP, or a Unix socket.
#[derive(Debug)]
pub(super) struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// One that somebody else reads on with when its user has dropped it.
    Shared(Arc<Mutex<Socket>>),
}

impl Socket {
    pub(super) fn share(self) -> (Self, Self) {
        let shared = Arc::new(Mutex::new(self));
        (Self(Kind::Shared(shared.clone())), Self(Kind::Shared(shared)))
    }

    fn with<R>(&mut self, poll: impl FnOnce(Pin<&mut (dyn Stream + Unpin)>) -> R) -> R {
        match &mut self.0 {
            Kind::Tcp(stream) => poll(Pin::new(stream)),
            Kind::Unix(stream) => poll(Pin::new(stream)),
            Kind::Shared(shared) => {
                shared.lock().unwrap_or_else(PoisonError::into_inner).with(poll)
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl Stream for TcpStream {}

impl Stream for UnixStream {}

/// Where a server was reached, so that the same one is asked to cancel.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    pub(super) async fn connect(&self) -> io::Result<Socket> {
        Ok(Socket(match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Kind::Tcp(stream)
            }
            Self::Unix(path) => Kind::Unix(UnixStream::connect(path).await?),
        }))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(context))
    }
}
