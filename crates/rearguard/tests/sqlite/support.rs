use std::{path::PathBuf, time::Duration};

use rearguard::{
    Error,
    sqlite::{Connection, Transaction, TransactionOptions, rusqlite, transaction},
};
use tempfile::TempDir;

pub(crate) const OPTIONS: TransactionOptions = TransactionOptions::new();

/// How long what must come to pass may take.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// A statement that takes longer than any test.
pub(crate) const SLOW: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// A file with two accounts of 500 each.
pub(crate) struct Database {
    folder: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        let database = Self { folder: tempfile::tempdir().unwrap() };
        drop(database.connection());
        let sql = "CREATE TABLE accounts
                (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));
            INSERT INTO accounts VALUES (1, 500), (2, 500);
            CREATE TABLE names (name TEXT PRIMARY KEY)";
        database.plain().execute_batch(sql).unwrap();
        database
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("database")
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Another one, without us between.
    pub(crate) fn plain(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    pub(crate) fn balances(&self) -> (i64, i64) {
        let of = |id: i64| {
            let sql = "SELECT cents FROM accounts WHERE id = ?1";
            self.plain().query_row(sql, [id], |row| row.get(0)).unwrap()
        };
        (of(1), of(2))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let sql = "SELECT count(*) FROM names WHERE name = ?1";
        self.plain().query_row(sql, [name], |row| row.get::<_, i64>(0)).unwrap() == 1
    }
}

/// Moves an amount from 1 to 2.
pub(crate) fn transfer(tx: &Transaction<'_>, cents: i64) -> Result<(), Error> {
    tx.execute("UPDATE accounts SET cents = cents - ?1 WHERE id = 1", [cents])?;
    tx.execute("UPDATE accounts SET cents = cents + ?1 WHERE id = 2", [cents])?;
    Ok(())
}

pub(crate) async fn insert(connection: &Connection, name: &str) -> Result<(), Error> {
    let name = name.to_owned();
    transaction(connection, OPTIONS, move |tx| -> Result<(), Error> {
        tx.execute("INSERT INTO names VALUES (?1)", [name])?;
        Ok(())
    })
    .await
}
