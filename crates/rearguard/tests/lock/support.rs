//! Servers, and what tests look at behind the back of the locks.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use rearguard::{
    Error, ErrorKind, Reaper,
    lock::{Lease, LockManager, PostgresStore, RedisStore},
    testing::TestServer,
};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A PostgreSQL that the tests that run now share; the last one ends it.
pub(crate) fn postgres() -> Arc<TestServer> {
    static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(TestServer::postgres().start().expect("a PostgreSQL"));
        *shared = Arc::downgrade(&server);
        server
    })
}

pub(crate) async fn postgres_store(server: &TestServer) -> PostgresStore {
    let store = PostgresStore::new(&server.url()).expect("an address");
    store.install().await.expect("installed");
    store
}

pub(crate) async fn client(server: &TestServer) -> Client {
    connect(&server.url()).await
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The address of a database that a test has for itself.
pub(crate) async fn database(server: &TestServer, name: &str) -> String {
    let make = format!("CREATE DATABASE {name}");
    client(server).await.batch_execute(&make).await.expect("made");
    format!("{}/{name}", server.url())
}

pub(crate) fn redis() -> TestServer {
    TestServer::redis().start().expect("a Redis")
}

pub(crate) fn redis_locks(server: &TestServer) -> LockManager {
    LockManager::new(RedisStore::new(server.url()).expect("an address"))
}

/// Says a command to a Redis, behind the back of the locks.
pub(crate) async fn say(server: &TestServer, words: &[&str]) -> ::redis::Value {
    let client = ::redis::Client::open(server.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut command = ::redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query_async(&mut connection).await.expect("an answer")
}

/// Whether a lock is a key of a Redis.
pub(crate) async fn is_taken(server: &TestServer, name: &str) -> bool {
    say(server, &["EXISTS", &format!("rearguard:lock:{name}")]).await == ::redis::Value::Int(1)
}

/// Waits for what must come.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is: impl Fn() -> F) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        sleep(Duration::from_millis(2)).await;
    }
}

/// A body that only its lock's loss ends, and which must hear of it.
pub(crate) async fn held_until_lost(_: Lease) -> Result<(), Error> {
    sleep(PATIENCE).await;
    panic!("the lock was not lost");
}

pub(crate) fn assert_lost(result: Result<(), Error>, why: &str) {
    let error = result.expect_err("lost");
    assert_eq!((error.kind(), error.context("why")), (ErrorKind::LockLost, Some(why)), "{error}");
}

/// When nothing is left for the reaper.
pub(crate) async fn reaped() {
    assert_eq!(Reaper::global().drain(PATIENCE).await.waiting, 0);
}
