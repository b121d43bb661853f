//! TLS or none: the one place where connectors differ in type.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, Connection, NoTls,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

use super::{
    socket::Socket,
    wire::{Layer, Watched, Wire},
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>;

/// A connection that is driven by being polled.
pub(super) trait Driven: Send {
    fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>>;
}

impl<S, T> Driven for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> {
        Self::poll_message(self, context)
    }
}

/// How sessions are opened, and cancelled, on a stream.
pub(super) trait Encryption: Send + Sync {
    fn open<'a>(
        &'a self,
        config: &'a Config,
        host: &'a str,
        socket: Socket,
        wire: Arc<Wire>,
    ) -> Boxed<'a, (Client, Box<dyn Driven>)>;

    fn cancel<'a>(&'a self, token: &'a CancelToken, host: &'a str, socket: Socket)
    -> Boxed<'a, ()>;
}

impl fmt::Debug for dyn Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryption")
    }
}

/// None.
pub(super) struct Plain;

impl Encryption for Plain {
    fn open<'a>(
        &'a self,
        config: &'a Config,
        _: &'a str,
        socket: Socket,
        wire: Arc<Wire>,
    ) -> Boxed<'a, (Client, Box<dyn Driven>)> {
        Box::pin(async move {
            let stream = Watched::new(socket, Layer::Plain, wire.clone());
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            wire.begin();
            Ok((client, Box::new(connection) as Box<dyn Driven>))
        })
    }

    fn cancel<'a>(&'a self, token: &'a CancelToken, _: &'a str, socket: Socket) -> Boxed<'a, ()> {
        Box::pin(token.cancel_query_raw(socket, NoTls))
    }
}

/// The stream that a TLS library is given to encrypt: [`PgManager::with_tls`](super::PgManager::with_tls).
#[derive(Debug)]
pub struct PgStream(Watched<Socket>);

impl AsyncRead for PgStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for PgStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// TLS by a library's connector.
pub(super) struct Tls<T>(pub(super) T);

impl<T> Encryption for Tls<T>
where
    T: MakeTlsConnect<PgStream> + Clone + Send + Sync,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<PgStream>>::Future: Send + 'static,
    <T::TlsConnect as TlsConnect<PgStream>>::Error: 'static,
{
    fn open<'a>(
        &'a self,
        config: &'a Config,
        host: &'a str,
        socket: Socket,
        wire: Arc<Wire>,
    ) -> Boxed<'a, (Client, Box<dyn Driven>)> {
        Box::pin(async move {
            let stream = PgStream(Watched::new(socket, Layer::Plain, wire.clone()));
            let connector = self.connector(host, &wire);
            let (client, connection) = config.connect_raw(stream, connector).await?;
            wire.begin();
            Ok((client, Box::new(connection) as Box<dyn Driven>))
        })
    }

    fn cancel<'a>(
        &'a self,
        token: &'a CancelToken,
        host: &'a str,
        socket: Socket,
    ) -> Boxed<'a, ()> {
        let wire = Wire::new();
        let connector = self.connector(host, &wire);
        let stream = PgStream(Watched::new(socket, Layer::Plain, wire));
        Box::pin(token.cancel_query_raw(stream, connector))
    }
}

impl<T: MakeTlsConnect<PgStream> + Clone> Tls<T> {
    fn connector(&self, host: &str, wire: &Arc<Wire>) -> WatchedTls<T::TlsConnect> {
        let made = self.0.clone().make_tls_connect(host).map_err(Into::into);
        WatchedTls { made, wire: wire.clone() }
    }
}

/// A connector whose stream is read along inside the encryption.
struct WatchedTls<C> {
    made: Result<C, Box<dyn std::error::Error + Send + Sync>>,
    wire: Arc<Wire>,
}

impl<C> TlsConnect<PgStream> for WatchedTls<C>
where
    C: TlsConnect<PgStream>,
    C::Future: Send + 'static,
    C::Error: 'static,
    C::Stream: 'static,
{
    type Stream = Watched<C::Stream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: PgStream) -> Self::Future {
        let connecting = self.made.map(|connector| connector.connect(stream));
        Box::pin(async move {
            let stream = connecting?.await.map_err(Into::into)?;
            self.wire.tls();
            Ok(Watched::new(stream, Layer::Tls, self.wire))
        })
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner().channel_binding()
    }
}
