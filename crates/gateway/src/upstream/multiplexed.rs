//! HTTP/2 connections to an endpoint: many requests share one, and another is made where those
//! there are have no stream left.

use std::{
    cell::{Cell, RefCell},
    future::{Future as _, poll_fn},
    pin::Pin,
    rc::{Rc, Weak},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use model::{Cause, ConnectionUse};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{
    failure::{Failure, tls_failed},
    observe::PoolGauges,
    peer::ReceiveError,
    stream::Stream,
};

/// What one stream may have on its way to a client that does not read: this is what a slow client
/// makes the gateway hold.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Where another connection may be made a connection has no more streams than this.
const STREAMS: u32 = 128;
/// Room for that many, so that slow clients do not keep the answers of a service from others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS;
/// Bytes that wait to go out on one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// An upstream's header list may be this large.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// A connection is replaced after so many requests, long before its stream numbers run out at 2^30.
const MAX_REQUESTS: u32 = 1 << 29;

/// This worker's HTTP/2 connections to one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Multiplexed {
    live: RefCell<Vec<Rc<Live>>>,
    /// Makes one request connect while the others wait for what comes of it.
    connecting: tokio::sync::Mutex<()>,
    /// How many attempts to connect have ended.
    attempts: Cell<u64>,
    /// What the latest attempt failed with.
    failure: RefCell<Option<Failure>>,
    /// Told when a stream has ended, or what is allowed has changed.
    changed: Rc<Notify>,
}

/// A connection.
struct Live {
    send: SendRequest<Bytes>,
    streams: Cell<usize>,
    requests: Cell<u32>,
    /// When its last stream ended.
    idle_since: Cell<Instant>,
    pooled: Cell<bool>,
    /// Whether the connection is gone.
    ended: Cell<bool>,
    changed: Rc<Notify>,
    gauges: Arc<PoolGauges>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// A stream's place on a connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease(Rc<Live>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.idle_since.set(Instant::now());
        self.0.update(|live| live.streams.set(live.streams.get() - 1));
        self.0.changed.notify_one();
    }
}

/// A connection that is good to send one request on.
pub(crate) struct Stake {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) lease: Lease,
    pub(crate) usage: ConnectionUse,
}

impl Live {
    /// Changes it, and keeps the count of idle connections right.
    fn update(&self, change: impl FnOnce(&Self)) {
        let idle = || i64::from(self.pooled.get() && self.streams.get() == 0);
        let before = idle();
        change(self);
        self.gauges.idle.fetch_add(idle() - before, Relaxed);
    }

    /// Whether it takes another stream at some time: it has not ended, nor said GOAWAY.
    fn is_open(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        !self.ended.get()
            && matches!(self.send.clone().poll_ready(&mut context), Poll::Ready(Ok(())))
    }

    fn has_room(&self, most: usize) -> bool {
        self.streams.get() < self.send.current_max_send_streams().min(most)
    }

    fn idle_for(&self) -> Option<Duration> {
        (self.streams.get() == 0).then(|| self.idle_since.get().elapsed())
    }

    fn leave_pool(&self) {
        self.update(|live| live.pooled.set(false));
        self.changed.notify_waiters();
    }

    fn lease(self: &Rc<Self>, fresh: bool) -> Stake {
        let usage = match self.idle_for() {
            _ if fresh => ConnectionUse::Fresh,
            idle => ConnectionUse::Reused { idle: idle.unwrap_or_default() },
        };
        self.requests.set(self.requests.get() + 1);
        self.update(|live| live.streams.set(live.streams.get() + 1));
        Stake { send: self.send.clone(), lease: Lease(Rc::clone(self)), usage }
    }
}

/// The bounds on a connection's use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections to the endpoint.
    pub(crate) connections: usize,
    /// Requests on one connection; 0: no limit of the configuration's.
    pub(crate) requests: u32,
    /// How long one may be without a request.
    pub(crate) idle: Duration,
    /// How long making a connection may take.
    pub(crate) connect: Duration,
    /// How long a request may wait for a stream.
    pub(crate) wait: Duration,
}

impl Multiplexed {
    /// A stream on a connection that there is already.
    pub(crate) fn take(&self, bounds: &Bounds) -> Option<Stake> {
        self.retain(|live| live.is_open() && live.idle_for().is_none_or(|idle| idle < bounds.idle));
        let more = self.live.borrow().len() < bounds.connections;
        let most = if more { STREAMS as usize } else { usize::MAX };
        let found = self.live.borrow().iter().find(|live| live.has_room(most)).map(Rc::clone)?;
        let stake = found.lease(false);
        let most = if bounds.requests == 0 { MAX_REQUESTS } else { bounds.requests };
        if found.requests.get() >= most {
            self.retain(|live| !Rc::ptr_eq(live, &found));
        }
        Some(stake)
    }

    fn retain(&self, keep: impl Fn(&Rc<Live>) -> bool) {
        self.live.borrow_mut().retain(|live| {
            let keep = keep(live);
            if !keep {
                live.leave_pool();
            }
            keep
        });
    }

    /// A stream on any connection, on a new one if need be. `open` makes a connection; of many
    /// requests that need one, one makes it, and the others share what comes of it.
    ///
    /// # Errors
    /// What `open` fails with; `gateway.queue_timed_out` where no stream becomes free in time.
    pub(crate) async fn acquire(
        &self,
        bounds: &Bounds,
        gauges: &Arc<PoolGauges>,
        open: impl AsyncFn() -> Result<Stream, Failure>,
    ) -> Result<Stake, Failure> {
        let deadline = Instant::now() + bounds.wait;
        loop {
            if let Some(stake) = self.take(bounds) {
                return Ok(stake);
            }
            let changed = self.changed.notified();
            if self.live.borrow().len() < bounds.connections.max(1) {
                if let Some(stake) = self.connect(bounds, gauges, &open).await? {
                    return Ok(stake);
                }
            } else if timeout_at(deadline, changed).await.is_err() {
                return Err(Failure::new(
                    Cause::GatewayQueueTimedOut,
                    format!(
                        "no stream became free within {:?} on the endpoint's HTTP/2 connections, \
                         of which there are {}",
                        bounds.wait,
                        self.live.borrow().len()
                    ),
                ));
            }
        }
    }

    /// Connects, or waits for another request that does so; `None` where that has succeeded.
    async fn connect(
        &self,
        bounds: &Bounds,
        gauges: &Arc<PoolGauges>,
        open: &impl AsyncFn() -> Result<Stream, Failure>,
    ) -> Result<Option<Stake>, Failure> {
        let seen = self.attempts.get();
        let _connecting = self.connecting.lock().await;
        if self.attempts.get() != seen {
            return self.failure.borrow().clone().map_or(Ok(None), Err);
        }
        let deadline = Instant::now() + bounds.connect;
        let made = match open().await {
            Ok(stream) => match timeout_at(deadline, start(stream, gauges, &self.changed)).await {
                Ok(made) => made,
                Err(_) => Err(Failure::new(
                    Cause::UpstreamConnectTimedOut,
                    format!("no word of HTTP/2 within the connect timeout of {:?}", bounds.connect),
                )),
            },
            Err(failure) => Err(failure),
        };
        self.attempts.set(seen + 1);
        *self.failure.borrow_mut() = made.as_ref().err().cloned();
        let live = made?;
        let stake = live.lease(true);
        if bounds.requests != 1 {
            live.update(|live| live.pooled.set(true));
            self.live.borrow_mut().push(live);
        }
        Ok(Some(stake))
    }

    /// Closes connections that have been idle for too long, and forgets those that are gone. How
    /// long one had been idle that the service closed.
    pub(crate) fn sweep(&self, limit: Duration) -> Option<Duration> {
        if self.live.borrow().is_empty() {
            return None;
        }
        let mut closed: Option<Duration> = None;
        for live in self.live.borrow().iter() {
            if let (Some(idle), false) = (live.idle_for(), live.is_open()) {
                live.gauges.closed_while_idle.fetch_add(1, Relaxed);
                closed = Some(closed.map_or(idle, |shortest| shortest.min(idle)));
            }
        }
        self.retain(|live| live.is_open() && live.idle_for().is_none_or(|idle| idle < limit));
        closed
    }

    /// Takes no more requests on the connections that there are.
    pub(crate) fn close(&self) {
        self.retain(|_| false);
    }
}

/// Speaks HTTP/2 on a stream from now on. Waits for the service's SETTINGS, as grpc-go does: they
/// show that it speaks HTTP/2 at all, how many streams it allows, and, with TLS 1.3, that it has
/// accepted this side's certificate.
async fn start(
    stream: Stream,
    gauges: &Arc<PoolGauges>,
    changed: &Rc<Notify>,
) -> Result<Rc<Live>, Failure> {
    let (send, mut connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        // None are allowed before the service's SETTINGS, which therefore show.
        .initial_max_send_streams(0)
        .enable_push(false)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(not_started)?;
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Err(ended.err())),
        Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await
    .map_err(|error| error.map_or_else(closed_at_once, not_started))?;
    let live = Rc::new(Live {
        send,
        streams: Cell::new(0),
        requests: Cell::new(0),
        idle_since: Cell::new(Instant::now()),
        pooled: Cell::new(false),
        ended: Cell::new(false),
        changed: Rc::clone(changed),
        gauges: Arc::clone(gauges),
    });
    // Weak: a connection ends once nobody else has a handle to it.
    let (seen_by, changed): (Weak<Live>, _) = (Rc::downgrade(&live), Rc::clone(changed));
    tokio::task::spawn_local(async move {
        let mut most = connection.max_concurrent_send_streams();
        // Its streams report what went wrong with it.
        poll_fn(|cx| {
            let ended = Pin::new(&mut connection).poll(cx);
            let now = connection.max_concurrent_send_streams();
            if std::mem::replace(&mut most, now) != now {
                changed.notify_waiters();
            }
            ended.map(drop)
        })
        .await;
        if let Some(live) = seen_by.upgrade() {
            live.ended.set(true);
        }
        changed.notify_waiters();
    });
    Ok(live)
}

fn closed_at_once() -> Failure {
    Failure::new(
        Cause::UpstreamProtocolError,
        "the service closed the connection without a word of HTTP/2",
    )
}

/// The connection ended before it could be used.
fn not_started(error: h2::Error) -> Failure {
    let detail = format!("the HTTP/2 handshake failed: {error}");
    match ReceiveError::from(error) {
        ReceiveError::Closed => closed_at_once(),
        ReceiveError::Tls(error) => tls_failed(&error),
        ReceiveError::Reset(_) => Failure::new(Cause::UpstreamReset, detail),
        ReceiveError::Malformed(_) | ReceiveError::Protocol(_) => {
            Failure::new(Cause::UpstreamProtocolError, detail)
        }
    }
}
