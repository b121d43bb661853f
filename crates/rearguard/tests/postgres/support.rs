use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use rearguard::{
    Error,
    postgres::{
        PgConnection, PgManager, Transaction, TransactionOptions,
        tokio_postgres::{Client, NoTls},
        transaction,
    },
    testing::TestServer,
};
use tokio::time::{Instant, sleep};

/// How long what must come to pass may take.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// A database of a test's own, on a server that tests share while they run.
pub(crate) struct Database {
    url: String,
    name: String,
    _server: Arc<TestServer>,
}

fn shared() -> Arc<TestServer> {
    static SERVER: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut known = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    known.upgrade().unwrap_or_else(|| {
        let server = Arc::new(TestServer::postgres().start().unwrap());
        *known = Arc::downgrade(&server);
        server
    })
}

impl Database {
    /// With two accounts of 500 each.
    pub(crate) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = shared();
        let name = format!("test_{}", NUMBER.fetch_add(1, Relaxed));
        let database = Self { url: format!("{}/{name}", server.url()), name, _server: server };
        let postgres = plain(&database._server.url()).await;
        drop(postgres.batch_execute(&format!("DROP DATABASE {}", database.name)).await);
        postgres.batch_execute(&format!("CREATE DATABASE {}", database.name)).await.unwrap();
        accounts(&database.plain().await).await;
        database
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Without us between.
    pub(crate) async fn plain(&self) -> Client {
        plain(&self.url).await
    }

    pub(crate) fn manager(&self) -> PgManager {
        PgManager::parse(&self.url).unwrap()
    }

    pub(crate) async fn connection(&self) -> PgConnection {
        self.manager().open().await.unwrap()
    }

    /// A client that is not counted among those of the database.
    pub(crate) async fn watcher(&self) -> Watcher {
        let client = plain(&format!("{}/postgres", self._server.url())).await;
        Watcher { client, name: self.name.clone() }
    }
}

pub(crate) async fn plain(url: &str) -> Client {
    let (client, connection) =
        rearguard::postgres::tokio_postgres::connect(url, NoTls).await.unwrap();
    drop(tokio::spawn(connection));
    client
}

/// Two accounts of 500 each, and a table of names.
pub(crate) async fn accounts(client: &Client) {
    let sql =
        "CREATE TABLE accounts (id int PRIMARY KEY, cents bigint NOT NULL CHECK (cents >= 0));
        INSERT INTO accounts VALUES (1, 500), (2, 500);
        CREATE TABLE names (name text PRIMARY KEY)";
    client.batch_execute(sql).await.unwrap();
}

/// Looks at the sessions of a database.
pub(crate) struct Watcher {
    client: Client,
    name: String,
}

impl Watcher {
    /// The sessions that are in the middle of something, as text.
    pub(crate) async fn busy(&self) -> Vec<String> {
        let sql = "SELECT pid || ' ' || state || ' ' || query FROM pg_stat_activity
            WHERE datname = $1 AND state <> 'idle'";
        let rows = self.client.query(sql, &[&self.name]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// How many sessions there are.
    pub(crate) async fn sessions(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        self.client.query_one(sql, &[&self.name]).await.unwrap().get(0)
    }

    /// Waits until no transaction is open and no query runs.
    pub(crate) async fn quiet(&self) {
        let begin = Instant::now();
        loop {
            let busy = self.busy().await;
            if busy.is_empty() {
                return;
            }
            assert!(begin.elapsed() < BOUND, "still busy: {busy:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a session runs what contains this.
    pub(crate) async fn running(&self, what: &str) -> i32 {
        let sql = "SELECT pid FROM pg_stat_activity
            WHERE datname = $1 AND state = 'active' AND query LIKE '%' || $2 || '%'";
        let begin = Instant::now();
        loop {
            if let Some(row) = self.client.query_opt(sql, &[&self.name, &what]).await.unwrap() {
                return row.get(0);
            }
            assert!(begin.elapsed() < BOUND, "nobody runs {what}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn terminate(&self, pid: i32) {
        self.client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    }
}

/// The balances of the accounts 1 and 2.
pub(crate) async fn balances(client: &Client) -> (i64, i64) {
    let rows = client.query("SELECT cents FROM accounts ORDER BY id", &[]).await.unwrap();
    (rows[0].get(0), rows[1].get(0))
}

/// Moves an amount from 1 to 2: deduct, look around for a while, add.
pub(crate) async fn transfer(tx: &Transaction, cents: i64) -> Result<(), Error> {
    tx.execute("UPDATE accounts SET cents = cents - $1 WHERE id = 1", &[&cents]).await?;
    tx.query("SELECT pg_sleep(0.005)", &[]).await?;
    tx.execute("UPDATE accounts SET cents = cents + $1 WHERE id = 2", &[&cents]).await?;
    Ok(())
}

pub(crate) async fn insert(connection: &mut PgConnection, name: &str) -> Result<u64, Error> {
    transaction(connection, TransactionOptions::new(), async |tx| {
        tx.execute("INSERT INTO names VALUES ($1)", &[&name]).await
    })
    .await
}

pub(crate) async fn has(client: &Client, name: &str) -> bool {
    let sql = "SELECT 1 FROM names WHERE name = $1";
    client.query_opt(sql, &[&name]).await.unwrap().is_some()
}
