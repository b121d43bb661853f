use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_postgres::{
    Config, NoTls, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{
    connection::Link,
    schema::{self, ACQUIRE, DRAW, PURGE, RELEASE, RENEW, failed},
};
use crate::{
    Error, ErrorKind,
    lock::{
        Answer, BoxFuture, Claim, FencingToken, Release, Renewal, Reply, Store, TokenSource,
        wakeups::Wakeups,
    },
};

/// Locks in PostgreSQL: rows of the table `rearguard_locks`, which expire by the database's clock, with
/// tokens from the sequence `rearguard_lock_tokens`.
///
/// It has a connection of its own, for LISTEN. It may go through a pooler if that keeps sessions;
/// through one that does not, locks work, and who waits is not told but asks.
///
/// As a [`TokenSource`] it gives tokens to a store that has none. A handle: cheap to clone.
///
/// ```no_run
/// use rearguard::lock::{LockManager, PostgresStore, RedisStore};
///
/// # async fn start() -> Result<(), rearguard::Error> {
/// let postgres = PostgresStore::new("postgres://app@127.0.0.1/shop")?;
/// postgres.install().await?;
/// let locks = LockManager::new(postgres.clone());
/// let quick = LockManager::new(RedisStore::new("redis://127.0.0.1")?).with_tokens(postgres);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore {
    link: Arc<Link>,
    wakeups: Arc<Wakeups>,
}

impl PostgresStore {
    /// The database at this address, without TLS. It is connected to when it is first needed.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) where that is no address.
    pub fn new(at: &str) -> Result<Self, Error> {
        let config = at.parse::<Config>().map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "lock.connect")
                .with(
                    "expected",
                    "the address of a PostgreSQL, as in postgres://user@host/database",
                )
                .because(source)
        })?;
        Ok(Self::with_config(config, NoTls))
    }

    /// The database of this configuration, with TLS by one of tokio-postgres's connectors.
    pub fn with_config<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let wakeups = Arc::<Wakeups>::default();
        Self { link: Arc::new(Link::new(config, tls, Arc::clone(&wakeups))), wakeups }
    }

    /// Makes the tables and the sequence where they are not there, in the first schema of the search
    /// path. It may be called at each start, by several processes at a time.
    ///
    /// # Errors
    /// The database's.
    pub async fn install(&self) -> Result<(), Error> {
        self.link
            .within("lock.install", |open| async move { schema::install(open.client()).await })
            .await
    }

    /// Removes the rows of locks that nobody has held for so long, and says how many. A name leaves a
    /// row of some 100 bytes; who locks by names without number calls this from time to time.
    ///
    /// # Errors
    /// The database's.
    pub async fn purge(&self, unused_for: Duration) -> Result<u64, Error> {
        self.link.execute("lock.purge", PURGE, &[&micros(unused_for)]).await
    }

    async fn ask(&self, claim: &Claim) -> Result<Option<Answer>, Error> {
        let (owner, ttl) = (claim.owner.to_string(), micros(claim.ttl));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&&*claim.name, &owner, &ttl];
        let rows = self.link.query("lock.acquire", ACQUIRE, &values).await?;
        let Some(row) = rows.first() else {
            // Another made the row, and took it, while this statement ran.
            return Ok(Some(Answer::Taken { free_in: Some(Duration::ZERO) }));
        };
        let read = |error| failed("lock.acquire", error);
        Ok(match row.try_get::<_, Option<i64>>(0).map_err(read)? {
            // The row was made.
            Some(0) => None,
            Some(token) => Some(Answer::Granted(Some(FencingToken::new(token)))),
            None => {
                let left = row.try_get::<_, i64>(1).map_err(read)?;
                let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
                Some(Answer::Taken { free_in: Some(left) })
            }
        })
    }
}

impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn acquire<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Answer> {
        Box::pin(async move {
            match self.ask(claim).await? {
                Some(answer) => Ok(answer),
                // The first time that a name is locked. Should the row be purged in between, it is
                // asked for again by who waits.
                None => {
                    let answer = self.ask(claim).await?;
                    Ok(answer.unwrap_or(Answer::Taken { free_in: Some(Duration::ZERO) }))
                }
            }
        })
    }

    fn renew<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Renewal> {
        Box::pin(async move {
            let (owner, ttl) = (claim.owner.to_string(), micros(claim.ttl));
            let changed =
                self.link.execute("lock.renew", RENEW, &[&&*claim.name, &owner, &ttl]).await?;
            Ok(if changed == 0 { Renewal::Refused } else { Renewal::Renewed })
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Release> {
        Box::pin(async move {
            let owner = claim.owner.to_string();
            let freed = self.link.query("lock.release", RELEASE, &[&&*claim.name, &owner]).await?;
            Ok(if freed.is_empty() { Release::NotHeld } else { Release::Released })
        })
    }

    fn watch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, watch::Receiver<()>> {
        // What is released is told on one channel, to which the connection always listens.
        Box::pin(async move { self.wakeups.add(name).0 })
    }

    fn unwatch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.wakeups.remove(name);
        })
    }
}

impl TokenSource for PostgresStore {
    fn draw(&self) -> Reply<'_, FencingToken> {
        Box::pin(async move {
            let rows = self.link.query("lock.token", DRAW, &[]).await?;
            let token = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose();
            match token.map_err(|error| failed("lock.token", error))? {
                Some(token) => Ok(FencingToken::new(token)),
                None => {
                    Err(Error::new(ErrorKind::ProtocolError, "lock.token")
                        .with("expected", "one row"))
                }
            }
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
