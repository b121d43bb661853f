//! The connection to PostgreSQL, made again when it is gone.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Row, Socket,
    tls::{MakeTlsConnect, TlsConnect},
    types::{ToSql, Type},
};

use super::schema::{CHANNEL, Statement, failed};
use crate::{
    Error, ErrorKind,
    lock::{silence::Silence, wakeups::Wakeups},
};

/// After a connection failed, none is tried for so long: statements fail at once.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// How long a statement may take, its connection included.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

type Connected = Result<(Client, Driver), tokio_postgres::Error>;
type Connecting = Pin<Box<dyn Future<Output = Connected> + Send>>;

/// The connection that all statements go over, in order.
pub(super) struct Link {
    connect: Box<dyn Fn() -> Connecting + Send + Sync>,
    state: Mutex<State>,
    wakeups: Arc<Wakeups>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Open>>,
    not_before: Option<Instant>,
}

/// A connection, with the task that drives it.
pub(super) struct Open {
    client: Client,
    driver: JoinHandle<()>,
    silence: Silence,
}

impl Drop for Open {
    fn drop(&mut self) {
        // Nobody is left to read what it reads; the server ends the session with the socket.
        self.driver.abort();
    }
}

/// What drives a connection until it ends.
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Link {
    pub(super) fn new<T>(config: Config, tls: T, wakeups: Arc<Wakeups>) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        // Only what makes TLS need not be shared between threads.
        let tls = SyncMutex::new(tls);
        let told = Arc::clone(&wakeups);
        let connect = move || -> Connecting {
            let tls = tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (config, wakeups) = (config.clone(), Arc::clone(&told));
            Box::pin(async move {
                let (client, connection) = config.connect(tls).await?;
                Ok((client, Box::pin(drive(connection, wakeups)) as Driver))
            })
        };
        Self { connect: Box::new(connect), state: Mutex::default(), wakeups }
    }

    /// Runs a statement. Dropped half way, it goes on at the server, and its answer is read and
    /// thrown away.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        (statement, types): Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let typed: Vec<_> = values.iter().copied().zip(types.iter().cloned()).collect();
        self.within(operation, |open| async move {
            let rows = open.client.query_typed(statement, &typed).await;
            rows.map_err(|error| failed(operation, error))
        })
        .await
    }

    /// Runs a statement that gives no rows, and says how many it changed.
    pub(super) async fn execute(
        &self,
        operation: &'static str,
        (statement, types): Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> =
            values.iter().copied().zip(types.iter().cloned()).collect();
        self.within(operation, |open| async move {
            let changed = open.client.execute_typed(statement, &typed).await;
            changed.map_err(|error| failed(operation, error))
        })
        .await
    }

    /// Has the client for what is no single statement.
    pub(super) async fn within<T, F: Future<Output = Result<T, Error>>>(
        &self,
        operation: &'static str,
        act: impl FnOnce(Arc<Open>) -> F,
    ) -> Result<T, Error> {
        let until = Instant::now() + RESPONSE_TIMEOUT;
        let late = |kind| {
            let error = Error::new(kind, operation).with("within", format!("{RESPONSE_TIMEOUT:?}"));
            error.retryable()
        };
        let Ok(open) = timeout_at(until, self.open()).await else {
            return Err(late(ErrorKind::ConnectTimedOut));
        };
        let open = open?;
        let answer = timeout_at(until, act(Arc::clone(&open))).await;
        let answer = answer.map_err(|_| late(ErrorKind::ResponseTimedOut))?;
        open.silence.end();
        answer
    }

    async fn open(&self) -> Result<Arc<Open>, Error> {
        let mut state = self.state.lock().await;
        if let Some(open) = state.open.as_ref().filter(|open| open.is_usable()) {
            return Ok(Arc::clone(open));
        }
        state.open = None;
        if state.not_before.is_some_and(|moment| Instant::now() < moment) {
            return Err(Error::new(ErrorKind::ConnectRefused, "lock.connect").retryable());
        }
        // Also where this is dropped half way.
        state.not_before = Some(Instant::now() + CONNECT_PAUSE);
        let connected = (self.connect)().await;
        let (client, driver) = connected.map_err(|error| failed("lock.connect", error))?;
        let open =
            Arc::new(Open { client, driver: tokio::spawn(driver), silence: Silence::default() });
        // A grant that is on the disk of no one is lost with the server. Where it is stricter already
        // (`remote_apply`) it stays so.
        let prepare = format!(
            "LISTEN {CHANNEL};
            SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        );
        let prepared = open.client.batch_execute(&prepare).await;
        prepared.map_err(|error| failed("lock.connect", error))?;
        self.wakeups.wake_all();
        state.open = Some(Arc::clone(&open));
        state.not_before = None;
        Ok(open)
    }
}

impl Open {
    fn is_usable(&self) -> bool {
        !self.client.is_closed() && self.silence.ask()
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// Drives a connection, and wakes who waits for what is told on it.
async fn drive<S>(mut connection: Connection<Socket, S>, wakeups: Arc<Wakeups>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(told)) => wakeups.wake(told.payload()),
            Ok(_) => {}
            // Each statement that waits is told of it.
            Err(_) => break,
        }
    }
    wakeups.wake_all();
}
