use std::{fmt, ops::Deref};

use crate::{Error, scope};

/// An open transaction, as [`transaction`](super::transaction()) lends it to its body; it derefs to
/// rusqlite's connection.
///
/// There is no commit and no rollback: how the body ends decides.
pub struct Transaction<'c> {
    connection: &'c rusqlite::Connection,
    depth: u32,
}

impl<'c> Transaction<'c> {
    pub(super) const fn new(connection: &'c rusqlite::Connection) -> Self {
        Self { connection, depth: 0 }
    }

    /// Runs a body within a savepoint: kept when it succeeds, else rolled back to where it began, while
    /// the transaction goes on. They nest.
    ///
    /// ```
    /// use rearguard::{Error, sqlite::{Connection, TransactionOptions, transaction}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let connection = Connection::new(rusqlite::Connection::open_in_memory()?);
    /// transaction(&connection, TransactionOptions::new(), |tx| -> Result<(), Error> {
    ///     tx.execute_batch("CREATE TABLE names (name TEXT PRIMARY KEY)")?;
    ///     let added = tx.savepoint(|tx| -> Result<(), Error> {
    ///         tx.execute("INSERT INTO names VALUES ('Ada')", [])?;
    ///         Ok(tx.execute("INSERT INTO names VALUES ('Ada')", []).map(drop)?)
    ///     });
    ///     assert!(added.is_err());
    ///     let names: i64 = tx.query_row("SELECT count(*) FROM names", [], |row| row.get(0))?;
    ///     assert_eq!(names, 0);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The body's own, or the database's.
    ///
    /// # Panics
    /// Goes on with a panic of the body, when it has rolled back.
    pub fn savepoint<T, E: From<Error>>(
        &mut self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Self { connection, depth } = *self;
        let name = format!("rearguard_{}", depth + 1);
        let run = |sql: String| connection.execute_batch(&sql).map_err(Error::from);
        run(format!("SAVEPOINT {name}"))?;
        scope(|s| {
            s.on_failure(|| {
                // An error that ended the whole transaction has taken the savepoint along.
                if connection.is_autocommit() {
                    return Ok(());
                }
                run(format!("ROLLBACK TO {name}; RELEASE {name}"))
            });
            let value = body(&mut Transaction { connection, depth: depth + 1 })?;
            run(format!("RELEASE {name}"))?;
            Ok(value)
        })
    }
}

impl Deref for Transaction<'_> {
    type Target = rusqlite::Connection;

    fn deref(&self) -> &rusqlite::Connection {
        self.connection
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("depth", &self.depth).finish_non_exhaustive()
    }
}
