use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio_postgres::Client;

use super::{PgManager, connector::Connector, loan::Taken, session::Session, wire::Status};
use crate::{
    Error, ErrorKind, OwnedScope,
    pool::{ConnectionState, Pool},
};

/// A connection to PostgreSQL.
///
/// [`transaction`](super::transaction()) takes its session for as long as the transaction is open. If
/// its future is dropped, the session comes back when it has been rolled back; whoever uses the
/// connection next waits for that.
///
/// ```no_run
/// use rearguard::postgres::PgConnection;
///
/// # async fn example() -> Result<(), rearguard::Error> {
/// let mut connection = PgConnection::connect("postgres://app@localhost/shop").await?;
/// let rows = connection.client().await?.query("SELECT name FROM goods", &[]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PgConnection {
    place: Place,
    connector: Arc<Connector>,
}

/// Where the session is.
#[derive(Debug)]
enum Place {
    Here(Session),
    /// With a transaction, which gives it back or drops the other end.
    Away(oneshot::Receiver<Session>),
    Closed,
}

impl PgConnection {
    /// Opens one, without TLS; [`PgManager`] has more ways to.
    ///
    /// # Errors
    /// Where the text is not a configuration, or no server lets it in.
    pub async fn connect(config: &str) -> Result<Self, Error> {
        PgManager::parse(config)?.open().await
    }

    pub(super) async fn open(connector: Arc<Connector>) -> Result<Self, Error> {
        let session = connector.open().await?;
        Ok(Self { place: Place::Here(session), connector })
    }

    /// The client, to be used without a transaction. What is sent by it and left, by a future that is
    /// dropped, is cancelled before the connection's next use; so is a transaction that was begun by
    /// hand when it comes back to a pool.
    ///
    /// # Errors
    /// Where the connection is closed.
    pub async fn client(&mut self) -> Result<&Client, Error> {
        let session = self.here().await.ok_or_else(closed)?;
        session.lent_raw = true;
        Ok(session.client())
    }

    /// How many answers the server has sent since the connection came up: its round trips.
    pub async fn round_trips(&mut self) -> u64 {
        self.here().await.map_or(0, |session| session.wire().answers())
    }

    /// Waits until the session is back.
    async fn here(&mut self) -> Option<&mut Session> {
        if let Place::Away(back) = &mut self.place {
            // Dropped, it leaves the receiver where it is.
            self.place = back.await.map_or(Place::Closed, Place::Here);
        }
        if let Place::Here(session) = &self.place
            && session.is_closed()
        {
            self.place = Place::Closed;
        }
        match &mut self.place {
            Place::Here(session) => Some(session),
            _ => None,
        }
    }

    /// Takes the session for a transaction. One that was closed is opened again.
    pub(super) async fn take(&mut self) -> Result<Taken, Error> {
        match self.here().await {
            // Boxed, as they are large and seldom.
            None => self.place = Place::Here(Box::pin(self.connector.open()).await?),
            Some(session) if session.lent_raw => {
                session.flush().await;
                if session.wire().status() != Status::Idle {
                    return Err(Error::new(ErrorKind::InvalidInput, "transaction.begin")
                        .with("because", "a transaction was begun by hand on this connection")
                        .with("expected", "its COMMIT or ROLLBACK before"));
                }
                if session.wire().is_busy() {
                    Box::pin(session.reset(Duration::ZERO)).await?;
                }
                session.lent_raw = false;
            }
            Some(_) => {}
        }
        let (back, returned) = oneshot::channel();
        match std::mem::replace(&mut self.place, Place::Away(returned)) {
            Place::Here(session) => {
                Ok(Taken { session, connector: self.connector.clone(), back, lease: None })
            }
            _ => unreachable!("it is here, as was seen above"),
        }
    }

    /// Without a round trip.
    pub(super) fn state(&mut self) -> ConnectionState {
        if let Place::Away(back) = &mut self.place {
            match back.try_recv() {
                Ok(session) => self.place = Place::Here(session),
                Err(TryRecvError::Empty) => {
                    return ConnectionState::Busy("its transaction is being rolled back");
                }
                Err(TryRecvError::Closed) => self.place = Place::Closed,
            }
        }
        let Place::Here(session) = &self.place else { return ConnectionState::Broken("closed") };
        match session.wire().status() {
            _ if session.is_closed() => ConnectionState::Broken("closed"),
            _ if session.wire().is_busy() => ConnectionState::Busy("query running"),
            Status::InTransaction | Status::Failed => ConnectionState::Busy("in transaction"),
            Status::Idle if session.lent_raw => ConnectionState::Busy("used past the pool"),
            Status::Idle => ConnectionState::Idle,
        }
    }

    /// Brings it to idle, and shows that it is alive.
    pub(super) async fn reset(&mut self, clean_up: Option<&str>) -> Result<(), Error> {
        let session = self.here().await.ok_or_else(closed)?;
        let used = session.lent_raw;
        session.reset(Duration::ZERO).await?;
        match clean_up {
            Some(sql) => session.client().batch_execute(sql).await?,
            // It is clean, and what it was used for shows that it is alive.
            None if used => {}
            None => session.client().batch_execute("").await?,
        }
        Ok(())
    }

    /// Closes it: cancels what runs, and waits a little until the server has seen it.
    pub async fn close(mut self) {
        self.here().await;
        if let Place::Here(session) = std::mem::replace(&mut self.place, Place::Closed) {
            session.close().await;
        }
    }
}

impl Drop for PgConnection {
    fn drop(&mut self) {
        let Place::Here(session) = std::mem::replace(&mut self.place, Place::Closed) else {
            return;
        };
        if session.lent_raw && !session.is_closed() {
            // What may run is cancelled, by the reaper.
            let mut scope = OwnedScope::new();
            scope.defer(session.close());
            drop(scope);
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "postgres.connection")
}

/// What a [`transaction`](super::transaction()) can be run on: a `&mut PgConnection`, or a `&Pool` of
/// them.
pub trait Source: sealed::Sealed + Send {
    /// Takes a session for an attempt of the transaction of that name.
    #[doc(hidden)]
    fn take(&mut self, name: &'static str) -> impl Future<Output = Result<Taken, Error>> + Send;
}

mod sealed {
    use crate::{pool::Pool, postgres::PgManager};

    pub trait Sealed {}

    impl Sealed for &mut super::PgConnection {}
    impl Sealed for &Pool<PgManager> {}
}

impl Source for &mut PgConnection {
    async fn take(&mut self, _: &'static str) -> Result<Taken, Error> {
        PgConnection::take(self).await
    }
}

/// The connection is lent for one attempt, and goes back when that is known to be committed or rolled
/// back.
impl Source for &Pool<PgManager> {
    async fn take(&mut self, name: &'static str) -> Result<Taken, Error> {
        let borrower = if name.is_empty() { "transaction" } else { name };
        let mut lease = self.get_for(borrower).await?;
        let taken = lease.take().await?;
        Ok(Taken { lease: Some(lease), ..taken })
    }
}
