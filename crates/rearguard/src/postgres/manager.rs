use std::{fmt, sync::Arc};

use tokio_postgres::{
    Config,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{
    PgConnection,
    connector::Connector,
    encryption::{PgStream, Plain, Tls},
};
use crate::{
    Error, ErrorKind,
    pool::{ConnectionState, Manager},
};

/// Undoes what a session may hold besides a transaction, but for statements that are prepared, of
/// which the client library keeps some (PostgreSQL manual, DISCARD).
const CLEAN_UP: &str = "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;UNLISTEN *;\
    SELECT pg_catalog.pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES";

/// Opens and keeps connections to PostgreSQL, for a [`Pool`](crate::pool) or alone.
///
/// ```no_run
/// use rearguard::postgres::PgManager;
///
/// # async fn example() -> Result<(), rearguard::Error> {
/// let manager = PgManager::parse("postgres://app@db1,db2/shop?target_session_attrs=read-write")?;
/// let connection = manager.open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgManager {
    connector: Arc<Connector>,
    state: SessionState,
}

/// What becomes of a session's own state (settings, LISTEN, advisory locks, temporary tables,
/// cursors) when a connection comes back to a pool that was used past a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionState {
    /// It stays: nothing is sent.
    #[default]
    Kept,
    /// It is undone, which is a round trip.
    CleanedUp,
}

impl PgManager {
    /// Without TLS.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::of(Connector { config, encryption: Arc::new(Plain) })
    }

    /// Without TLS, by a configuration as text: a URL, or `host=… user=…`.
    ///
    /// # Errors
    /// Where the text is not one.
    pub fn parse(config: &str) -> Result<Self, Error> {
        let config: Config = config.parse().map_err(|error: tokio_postgres::Error| {
            Error::new(ErrorKind::InvalidInput, "postgres.parse")
                .with("expected", "a URL postgres://…, or host=… user=…")
                .because(error)
        })?;
        Ok(Self::new(config))
    }

    /// With TLS, by a connector such as those of `postgres-native-tls` or `tokio-postgres-rustls`. The
    /// configuration's `sslmode` says whether it must be had.
    #[must_use]
    pub fn with_tls<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<PgStream> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<PgStream>>::Future: Send + 'static,
        <T::TlsConnect as TlsConnect<PgStream>>::Error: 'static,
    {
        Self::of(Connector { config, encryption: Arc::new(Tls(tls)) })
    }

    fn of(connector: Connector) -> Self {
        Self { connector: Arc::new(connector), state: SessionState::Kept }
    }

    /// Says what becomes of a session's own state.
    #[must_use]
    pub const fn session_state(mut self, state: SessionState) -> Self {
        self.state = state;
        self
    }

    /// Opens a connection, on the first server that lets it in.
    ///
    /// # Errors
    /// What the last of them answered, with its address.
    pub async fn open(&self) -> Result<PgConnection, Error> {
        PgConnection::open(self.connector.clone()).await
    }
}

impl fmt::Debug for PgManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgManager").field("config", &self.connector.config).finish_non_exhaustive()
    }
}

impl Manager for PgManager {
    type Connection = PgConnection;

    async fn connect(&self) -> Result<PgConnection, Error> {
        self.open().await
    }

    fn state(&self, connection: &mut PgConnection) -> ConnectionState {
        connection.state()
    }

    async fn reset(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let clean_up = (self.state == SessionState::CleanedUp).then_some(CLEAN_UP);
        connection.reset(clean_up).await
    }

    async fn close(&self, connection: PgConnection) {
        connection.close().await;
    }
}
