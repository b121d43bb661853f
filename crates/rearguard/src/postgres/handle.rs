use std::{future::Future, sync::atomic::Ordering::Relaxed};

use tokio_postgres::{
    Client, Row, SimpleQueryMessage, Statement,
    types::{ToSql, Type},
};

use super::{
    loan::{Loan, savepoint},
    wire::Status,
};
use crate::{Error, ErrorKind, Held};

/// What a statement is given as: its text, or prepared.
///
/// Text is prepared first, which is a round trip, as with tokio-postgres itself.
pub trait Sql: Sync + sealed::Sealed {
    /// The statement, prepared.
    #[doc(hidden)]
    fn prepared(
        &self,
        transaction: &Transaction,
    ) -> impl Future<Output = Result<Statement, Error>> + Send;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for str {}
    impl Sealed for String {}
    impl Sealed for tokio_postgres::Statement {}
}

impl Sql for str {
    async fn prepared(&self, transaction: &Transaction) -> Result<Statement, Error> {
        transaction.prepare(self).await
    }
}

impl Sql for String {
    async fn prepared(&self, transaction: &Transaction) -> Result<Statement, Error> {
        transaction.prepare(self).await
    }
}

impl Sql for Statement {
    async fn prepared(&self, _: &Transaction) -> Result<Statement, Error> {
        Ok(self.clone())
    }
}

/// An open transaction, as [`transaction`](super::transaction()) lends it to its body.
///
/// There is no commit and no rollback: how the body ends decides.
#[derive(Debug)]
pub struct Transaction {
    pub(super) loan: Held<Loan>,
}

/// The parameters of a statement, in order.
type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Transaction {
    fn raw(&self) -> &Client {
        self.loan.session().client()
    }

    /// Prepares a statement. It is good on this connection only, also after the transaction.
    ///
    /// # Errors
    /// As the server says, or where the connection is gone.
    pub async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        self.prepare_typed(sql, &[]).await
    }

    /// Prepares a statement with the types of its first parameters.
    ///
    /// # Errors
    /// As for [`Transaction::prepare`].
    pub async fn prepare_typed(&self, sql: &str, types: &[Type]) -> Result<Statement, Error> {
        self.loan.prepare(self.raw().prepare_typed(sql, types)).await
    }

    /// Runs a statement; returns its rows.
    ///
    /// # Errors
    /// As the server says, or where the connection is gone, or parameters do not fit.
    pub async fn query<S: Sql + ?Sized>(
        &self,
        sql: &S,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let statement = sql.prepared(self).await?;
        self.loan.execute(self.raw().query(&statement, parameters)).await
    }

    /// Runs a statement that returns one row.
    ///
    /// # Errors
    /// As for [`Transaction::query`], and where there is no row, or more than one.
    pub async fn query_one<S: Sql + ?Sized>(
        &self,
        sql: &S,
        parameters: Parameters<'_>,
    ) -> Result<Row, Error> {
        let statement = sql.prepared(self).await?;
        self.loan.execute(self.raw().query_one(&statement, parameters)).await
    }

    /// Runs a statement that returns one row, or none.
    ///
    /// # Errors
    /// As for [`Transaction::query`], and where there is more than one row.
    pub async fn query_opt<S: Sql + ?Sized>(
        &self,
        sql: &S,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Error> {
        let statement = sql.prepared(self).await?;
        self.loan.execute(self.raw().query_opt(&statement, parameters)).await
    }

    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    /// As for [`Transaction::query`].
    pub async fn execute<S: Sql + ?Sized>(
        &self,
        sql: &S,
        parameters: Parameters<'_>,
    ) -> Result<u64, Error> {
        let statement = sql.prepared(self).await?;
        self.loan.execute(self.raw().execute(&statement, parameters)).await
    }

    /// Runs statements without parameters, in one round trip.
    ///
    /// # Errors
    /// As for [`Transaction::query`].
    pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.loan.execute(self.raw().batch_execute(sql)).await
    }

    /// Runs statements without parameters, in one round trip; returns rows as text.
    ///
    /// # Errors
    /// As for [`Transaction::query`].
    pub async fn simple_query(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.loan.execute(self.raw().simple_query(sql)).await
    }

    /// The client itself, for what is not here: COPY, streams of rows, code that takes a
    /// [`GenericClient`](tokio_postgres::GenericClient). The transaction's number is asked for by
    /// itself then, which is one more round trip before the COMMIT.
    ///
    /// Do not end the transaction through it: that is found out when the body has ended, and is an
    /// error.
    ///
    /// # Errors
    /// Where the transaction could not be begun.
    pub async fn client(&self) -> Result<&Client, Error> {
        self.loan.ready().await?;
        self.loan.lend_raw();
        Ok(self.raw())
    }

    /// Runs a body within a savepoint: kept when it succeeds, else rolled back to where it began, while
    /// the transaction goes on. They nest.
    ///
    /// Where the body panics or its future is dropped, the roll back is sent before the next
    /// statement of the transaction; a query that still runs is cancelled then.
    ///
    /// ```no_run
    /// # use rearguard::{Error, postgres::Transaction};
    /// # async fn example(tx: &mut Transaction) -> Result<(), Error> {
    /// let added = tx
    ///     .savepoint(async |tx| tx.execute("INSERT INTO names VALUES ('Ada')", &[]).await)
    ///     .await;
    /// if added.is_err() {
    ///     tx.execute("UPDATE names SET seen = now() WHERE name = 'Ada'", &[]).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The body's own; where it succeeded although a statement in it had failed,
    /// [`ErrorKind::RolledBack`].
    pub async fn savepoint<T, E: From<Error>>(
        &mut self,
        body: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.loan.ready().await?;
        let depth = self.loan.depth.load(Relaxed);
        let inner = Depth { transaction: self, outer: depth };
        let sql = format!("SAVEPOINT {}", savepoint(depth + 1));
        let loan = &inner.transaction.loan;
        loan.depth.store(depth + 1, Relaxed);
        loan.move_savepoints(&sql, depth + 1).await?;
        let value = match Box::pin(body(inner.transaction)).await {
            Ok(value) => value,
            Err(error) => {
                drop(inner);
                self.loan.ready().await?;
                return Err(error);
            }
        };
        // A savepoint deeper inside that was left.
        inner.transaction.loan.ready().await?;
        let wire = inner.transaction.loan.session().wire();
        if wire.status() == Status::Failed {
            let state = wire.failure();
            drop(inner);
            self.loan.ready().await?;
            return Err(swallowed("savepoint.release", state.map(|state| state.to_string())).into());
        }
        let sql = format!("RELEASE SAVEPOINT {}", savepoint(depth + 1));
        inner.transaction.loan.move_savepoints(&sql, depth).await?;
        drop(inner);
        Ok(value)
    }
}

/// The body returned Ok, but a statement of it had failed.
pub(super) fn swallowed(operation: &'static str, state: Option<String>) -> Error {
    Error::new(ErrorKind::RolledBack, operation)
        .with("because", "a statement had failed, and the body returned Ok")
        .with("sqlstate", state.unwrap_or_else(|| "unknown".to_owned()))
}

/// While a body is within a savepoint.
struct Depth<'t> {
    transaction: &'t mut Transaction,
    outer: u32,
}

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        self.transaction.loan.depth.store(self.outer, Relaxed);
    }
}
