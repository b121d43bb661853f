//! What hyper gives for a connection: a sender of requests, and the work that must be driven.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use http::Request;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{task::JoinSet, time::timeout};

use super::{
    options::{CLOSE_GRACE, ClientOptions, MAX_HEAD_BYTES, PING_INTERVAL, PING_TIMEOUT, Protocol},
    outgoing::Outgoing,
    wire::Socket,
};

pub(super) type Answer = Result<http::Response<Incoming>, TrySendError<Request<Outgoing>>>;
pub(super) type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Drives the connection; done when it is closed.
pub(super) type Driving = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Sends requests on a connection.
#[derive(Debug)]
pub(super) enum Sender {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

/// A connection that speaks its protocol.
pub(super) struct Spoken {
    pub(super) sender: Sender,
    pub(super) driving: Driving,
    /// What hyper runs beside it.
    pub(super) tasks: Tasks,
}

impl Sender {
    pub(super) fn send(&mut self, request: Request<Outgoing>) -> Sending {
        match self {
            Self::Http1(sender) => Box::pin(sender.try_send_request(request)),
            Self::Http2(sender) => Box::pin(sender.try_send_request(request)),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender) => sender.is_ready(),
        }
    }

    /// Ready when the next request can be sent; false when none ever can.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(match self {
            Self::Http1(sender) => ready!(sender.poll_ready(context)).is_ok(),
            Self::Http2(sender) => ready!(sender.poll_ready(context)).is_ok(),
        })
    }
}

pub(super) async fn speak(socket: Socket, options: &ClientOptions) -> hyper::Result<Spoken> {
    let tasks = Tasks::default();
    let io = TokioIo::new(socket);
    let (sender, driving): (_, Driving) = match options.protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            let (sender, connection) =
                builder.max_buf_size(MAX_HEAD_BYTES).handshake::<_, Outgoing>(io).await?;
            (Sender::Http1(sender), Box::pin(connection))
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(tasks.clone());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_INTERVAL)
                .keep_alive_timeout(PING_TIMEOUT)
                .max_header_list_size(MAX_HEAD_BYTES as u32);
            let (sender, connection) = builder.handshake::<_, Outgoing>(io).await?;
            (Sender::Http2(sender), Box::pin(connection))
        }
    };
    Ok(Spoken { sender, driving, tasks })
}

/// The tasks that hyper starts for an HTTP/2 connection: one that reads and writes it, and one for
/// each body that is sent. They end with the connection, also where the peer reads no more.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// Lets them say goodbye, within a bound, and stops them.
    pub(super) async fn stop(self) {
        let mut tasks = std::mem::take(&mut *self.lock());
        drop(timeout(CLOSE_GRACE, async { while tasks.join_next().await.is_some() {} }).await);
        tasks.shutdown().await;
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let mut tasks = self.lock();
        // Those that have ended are forgotten here.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(future);
    }
}
