//! The connections to one authority.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use http::uri::Authority;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    connection::Connection,
    limit::Limit,
    options::{ClientOptions, Protocol},
    stats::{ClientStats, Counters},
    status::{Refused, State},
    turn::Turn,
};
use crate::{Error, ErrorKind, guard};

const SEND: &str = "client.send";

/// Which connection a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One that is open, if there is one.
    Any,
    /// One that had no request yet.
    Fresh,
}

#[derive(Debug)]
pub(super) struct Pool {
    authority: Authority,
    options: ClientOptions,
    counters: Arc<Counters>,
    /// One for each request that may be in flight.
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The one used last is at the end.
    connections: Mutex<Vec<Connection>>,
    /// HTTP/2: those that come while one connects take their streams from its connection.
    connecting: AsyncMutex<()>,
}

impl Pool {
    pub(super) fn new(
        authority: Authority,
        options: ClientOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let places = options.connections.saturating_mul(options.requests_per_connection());
        Self {
            authority,
            options,
            counters,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            connections: Mutex::default(),
            connecting: AsyncMutex::default(),
        }
    }

    /// Waits for a place, and takes a turn on a connection.
    pub(super) async fn turn(
        &self,
        wanted: Wanted,
        deadline: Option<Instant>,
    ) -> Result<Turn, Error> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(self.error(ErrorKind::DeadlinePassed));
        }
        let permit = self.place(deadline).await?;
        if let Some(turn) = self.reuse(wanted) {
            return Ok(turn.holding(permit));
        }
        let _connecting = match self.options.protocol {
            Protocol::Http1 => None,
            Protocol::Http2 => {
                let limit =
                    Limit::within("connect_timeout", self.options.connect_timeout, deadline);
                let lock = timeout_at(limit.at, self.connecting.lock()).await.map_err(|_| {
                    self.error(ErrorKind::ConnectTimedOut).with("limit", limit.name).retryable()
                })?;
                if let Some(turn) = self.reuse(wanted) {
                    return Ok(turn.holding(permit));
                }
                Some(lock)
            }
        };
        self.make_room().await;
        let (authority, counters) = (self.authority.clone(), Arc::clone(&self.counters));
        let connection = Connection::to(authority, self.options, deadline, counters).await?;
        let turn = Turn::take(&connection).map_err(|_| {
            self.error(ErrorKind::ClosedBeforeResponse).with("connection", "fresh").retryable()
        })?;
        let turn = turn.holding(permit);
        self.lock().push(connection);
        if self.places.is_closed() {
            turn.connection.stop_taking();
        }
        Ok(turn)
    }

    async fn place(&self, deadline: Option<Instant>) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        let limit = Limit::within("queue_timeout", self.options.queue_timeout, deadline);
        let entered = self.waiting.try_update(AcqRel, Acquire, |waiting| {
            (waiting < self.options.waiters).then_some(waiting + 1)
        });
        if entered.is_err() {
            self.counters.queue_full.fetch_add(1, Relaxed);
            let waiters = self.options.waiters.to_string();
            return Err(self.error(ErrorKind::QueueFull).with("waiters", waiters).retryable());
        }
        let _left = guard(&self.waiting, |waiting| {
            waiting.fetch_sub(1, AcqRel);
        });
        match timeout_at(limit.at, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(self.error(ErrorKind::Closed)),
            Err(_) if limit.is_deadline() => Err(self.error(ErrorKind::DeadlinePassed)),
            Err(_) => {
                self.counters.queue_timed_out.fetch_add(1, Relaxed);
                let waited = format!("{:?}", self.options.queue_timeout);
                Err(self.error(ErrorKind::QueueTimedOut).with("waited", waited).retryable())
            }
        }
    }

    /// A turn on a connection that is open. Those that are not any more are let go.
    fn reuse(&self, wanted: Wanted) -> Option<Turn> {
        let mut connections = self.lock();
        let mut index = connections.len();
        while index > 0 {
            index -= 1;
            if connections[index].state() == State::Closed {
                connections.remove(index);
                self.counters.stale.fetch_add(1, Relaxed);
                continue;
            }
            if wanted == Wanted::Fresh {
                continue;
            }
            match Turn::take(&connections[index]) {
                Ok(turn) => {
                    let connection = connections.remove(index);
                    connections.push(connection);
                    self.counters.reused.fetch_add(1, Relaxed);
                    return Some(turn);
                }
                Err(Refused::Busy) => {}
                // Those that it still answers keep it.
                Err(Refused::Gone) => {
                    connections.remove(index);
                    self.counters.stale.fetch_add(1, Relaxed);
                }
            }
        }
        None
    }

    /// Closes one that is idle where a fresh one would be one too many.
    async fn make_room(&self) {
        let oldest = {
            let mut connections = self.lock();
            connections.retain(|connection| connection.state() != State::Closed);
            let full = connections.len() >= self.options.connections;
            let idle = connections.iter().position(|it| it.state() == State::Idle).filter(|_| full);
            idle.map(|index| connections.remove(index))
        };
        if let Some(connection) = oldest {
            connection.stop_taking();
            connection.end().await;
        }
    }

    /// Takes no more requests; returns the connections that must be closed.
    pub(super) fn close(&self) -> Vec<Connection> {
        self.places.close();
        std::mem::take(&mut *self.lock())
    }

    /// Whether it can be forgotten.
    pub(super) fn is_empty(&self) -> bool {
        let mut connections = self.lock();
        connections.retain(|connection| connection.state() != State::Closed);
        connections.is_empty() && self.waiting.load(Acquire) == 0
    }

    pub(super) fn add_to(&self, stats: &mut ClientStats) {
        for connection in self.lock().iter() {
            let state = connection.state();
            stats.connections += usize::from(state != State::Closed);
            stats.idle += usize::from(state == State::Idle);
        }
        stats.waiting += self.waiting.load(Acquire);
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, SEND).with("authority", self.authority.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
