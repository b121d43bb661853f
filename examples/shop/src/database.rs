//! The database: a pool for each service.

use rearguard::{
    Error,
    lock::PostgresStore,
    pool::{Options, Pool},
    postgres::{PgManager, TransactionOptions, transaction},
};

use crate::schema::SCHEMA;

/// Connections of one service.
pub(crate) type Database = Pool<PgManager>;

/// How many connections a service has: always as many, as opening one takes longer than most queries.
const CONNECTIONS: usize = 8;

/// Opens a pool; nothing is connected yet.
pub(crate) fn open(url: &str, service: &'static str) -> Result<Database, Error> {
    let options = Options::new(service).max_size(CONNECTIONS).min_idle(CONNECTIONS);
    Pool::new(PgManager::parse(url)?, options)
}

/// Makes the tables where they are not there.
pub(crate) async fn install(database: &Database) -> Result<(), Error> {
    let options = TransactionOptions::new().named("schema");
    transaction(database, options, |tx| async move { tx.batch_execute(SCHEMA).await }).await
}

/// Where the fencing tokens of locks are from: Redis itself has none that outlive a crash.
pub(crate) async fn tokens(url: &str) -> Result<PostgresStore, Error> {
    let store = PostgresStore::new(url)?;
    store.install().await?;
    Ok(store)
}
