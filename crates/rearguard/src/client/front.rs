//! What services use: requests to any authority, over connections that are kept.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, uri::Authority};
use http_body::Body as HttpBody;
use tokio::task::JoinSet;
use tower_service::Service;

use super::{
    body::Body,
    call::{BoxError, Call},
    failure::Effect,
    options::{ClientOptions, MAX_AUTHORITIES, RESENDS},
    pool::{Pool, Wanted},
    stats::{ClientStats, Counters},
};
use crate::{Error, ErrorKind};

/// Sends requests, and keeps a few connections to each authority. Clones share them.
///
/// ```no_run
/// use std::time::Duration;
///
/// use http::Request;
/// use http_body_util::BodyExt as _;
/// use rearguard::client::{Client, ClientOptions};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new(ClientOptions::new());
/// let request = Request::get("http://stock:8080/items/7").body(String::new())?;
/// let body = client.send(request).await?.into_body().collect().await?.to_bytes();
/// println!("{} bytes", body.len());
/// client.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    counters: Arc<Counters>,
    pools: Mutex<HashMap<Authority, Arc<Pool>>>,
    closed: AtomicBool,
}

impl Client {
    /// A client without connections yet.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        Self(Arc::new(Inner {
            options,
            counters: Arc::default(),
            pools: Mutex::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Sends a request to the authority of its URI, and waits for the head of the response. Its own
    /// bounds are in its extensions: [`RequestOptions`](super::RequestOptions).
    ///
    /// The task's [`CallContext`](crate::CallContext) is handed on: `traceparent` with a new span,
    /// `tracestate`, and what is left of its time in `grpc-timeout` for `application/grpc`, else in
    /// `x-envoy-expected-rq-timeout-ms`. Without one a trace begins here.
    ///
    /// It is sent again, at most [`RESENDS`] times, on a fresh connection, where the server did not
    /// begin it (never sent, `REFUSED_STREAM`, a `GOAWAY` that excludes it), or where a connection
    /// that had been idle was closed as it went out, no byte of an answer came, and it may be
    /// repeated.
    ///
    /// # Errors
    /// | kind | when |
    /// |---|---|
    /// | `invalid_input` | the URI has no authority, or is not `http`; a tunnel or an upgrade |
    /// | `deadline_passed` | before it was sent |
    /// | `queue_full`, `queue_timed_out` | no connection was free |
    /// | `closed` | the client was closed |
    /// | `overloaded` | it has connections to [`MAX_AUTHORITIES`] others |
    /// | `dns_failed`, `connect_refused`, `connect_timed_out`, `unreachable` | no connection came about |
    /// | `response_timed_out` | no status line came in time |
    /// | `reset` | TCP reset, HTTP/2 `RST_STREAM` |
    /// | `closed_before_response` | closed without a byte of the answer |
    /// | `closed_mid_response` | closed within the head of it |
    /// | `protocol_error` | what came back was not HTTP |
    /// | `cancelled` | the client was closed while it was in flight, or the request's own body failed |
    ///
    /// Once it went out, an error says whether its `connection` was `fresh` or `reused`, and then for
    /// how long it had been idle (`idle_ms`). Errors that may be tried again say so.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<Body>, Error>
    where
        B: HttpBody<Error: Into<BoxError>> + Send + 'static,
    {
        let call = Call::new(request, &self.0.options)?;
        let pool = self.pool(call.authority())?;
        let mut wanted = Wanted::Any;
        let mut resends = 0;
        loop {
            let turn = pool.turn(wanted, call.deadline).await?;
            let failure = match Box::pin(call.run(turn)).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let may_resend = match failure.effect {
                Effect::Nothing => failure.kind() != ErrorKind::DeadlinePassed,
                Effect::Race => call.may_repeat,
                Effect::Unknown => false,
            };
            if !may_resend || resends == RESENDS || !call.is_whole() {
                return Err(failure.into_error_of(call.may_repeat));
            }
            resends += 1;
            wanted = Wanted::Fresh;
            self.0.counters.resent.fetch_add(1, Relaxed);
        }
    }

    /// Takes no more requests, waits for those in flight, no longer than `bound`, and closes all
    /// connections. Returns how many requests were cut off; they end as `cancelled`.
    pub async fn close(&self, bound: Duration) -> usize {
        self.0.closed.store(true, Release);
        let pools: Vec<_> = self.lock().drain().map(|(_, pool)| pool).collect();
        let connections: Vec<_> = pools.iter().flat_map(|pool| pool.close()).collect();
        // None takes a request while another is waited for.
        connections.iter().for_each(super::Connection::stop_taking);
        let mut closing = JoinSet::new();
        for connection in connections {
            closing.spawn(async move { connection.close(bound).await });
        }
        let mut cut = 0;
        while let Some(closed) = closing.join_next().await {
            cut += closed.unwrap_or_default();
        }
        cut
    }

    /// What it has, and has done.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        let mut stats = self.0.counters.stats();
        for pool in self.lock().values() {
            pool.add_to(&mut stats);
        }
        stats
    }

    fn pool(&self, authority: &Authority) -> Result<Arc<Pool>, Error> {
        let failed =
            |kind| Error::new(kind, "client.send").with("authority", authority.to_string());
        let mut pools = self.lock();
        // Looked at under the lock, so that no pool is made after the last was closed.
        if self.0.closed.load(Acquire) {
            return Err(failed(ErrorKind::Closed));
        }
        if let Some(pool) = pools.get(authority) {
            return Ok(Arc::clone(pool));
        }
        if pools.len() >= MAX_AUTHORITIES {
            pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_empty());
        }
        if pools.len() >= MAX_AUTHORITIES {
            let limit = MAX_AUTHORITIES.to_string();
            return Err(failed(ErrorKind::Overloaded).with("authorities", limit).retryable());
        }
        let counters = Arc::clone(&self.0.counters);
        let pool = Arc::new(Pool::new(authority.clone(), self.0.options, counters));
        pools.insert(authority.clone(), Arc::clone(&pool));
        Ok(pool)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Authority, Arc<Pool>>> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new(ClientOptions::new())
    }
}

/// Always ready: a request waits for its connection in its own future, within
/// [`queue_timeout`](ClientOptions::queue_timeout).
impl<B> Service<Request<B>> for Client
where
    B: HttpBody<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.send(request).await })
    }
}
