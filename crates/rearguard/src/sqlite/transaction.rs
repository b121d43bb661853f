use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
};

use tokio::{
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    Connection, Transaction, TransactionOptions,
    body::{self, Failure},
    job::{Job, Thread},
    stats::{OPEN, STATS},
};
use crate::{
    CallContext, End, Error, ErrorKind, Options, Outcome, OwnedScope,
    transactions::{Counters, within},
};

const OPERATION: &str = "transaction";

/// Runs a body in a transaction, on a thread that may block.
///
/// It commits when the body succeeds. It rolls back when the body fails or panics, when the deadline
/// passes, and when the future is dropped: then what runs is interrupted. The next transaction begins
/// when that is done.
///
/// A statement that fails leaves the others of the transaction as they are: a body that goes on and
/// returns Ok commits them.
///
/// ```
/// use rearguard::{Error, sqlite::{Connection, TransactionOptions, transaction}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let connection = Connection::new(rusqlite::Connection::open_in_memory()?);
/// let count = transaction(&connection, TransactionOptions::new(), |tx| -> Result<i64, Error> {
///     tx.execute_batch("CREATE TABLE names (name TEXT); INSERT INTO names VALUES ('Ada')")?;
///     Ok(tx.query_row("SELECT count(*) FROM names", [], |row| row.get(0))?)
/// })
/// .await?;
/// assert_eq!(count, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The body's own, as it is. As an [`Error`], of which the body's error type is made by `From`:
/// [`DeadlinePassed`](ErrorKind::DeadlinePassed); [`Conflict`](ErrorKind::Conflict) where another process
/// held the database until then; [`RolledBack`](ErrorKind::RolledBack) where the body returned Ok, but
/// the transaction had been ended by an error or by the body itself.
///
/// # Panics
/// Goes on with a panic of the body, when it has rolled back. Outside of a runtime.
pub async fn transaction<T, E, F>(
    connection: &Connection,
    options: TransactionOptions,
    body: F,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let deadline = within(options.deadline, OPERATION)?;
    let Ok(taken) = timeout_at(deadline, connection.take()).await else {
        return Err(passed("waiting for its turn").into());
    };
    Counters::count(&STATS.begun);
    let open = OPEN.open(options.name);
    let context = CallContext::current();
    let job = Arc::new(Job::new(taken.get_interrupt_handle()));
    let mut scope = OwnedScope::with(
        Options::new()
            .named(options.name)
            .deadline(deadline.saturating_duration_since(Instant::now())),
    );
    let stopped = job.clone();
    scope.defer_with(|outcome| async move { stopped.stop(outcome).await });
    let (tell, mut told) = oneshot::channel();
    let thread = Thread(job.clone());
    // Its end is told by the job: it cannot be aborted, and nobody need join it.
    drop(spawn_blocking(move || {
        let work = || body::run(&taken, &options, deadline, &thread, body);
        let ended = catch_unwind(AssertUnwindSafe(|| match context {
            Some(context) => context.sync_scope(work),
            None => work(),
        }));
        count(&ended, thread.left());
        drop(taken);
        drop(open);
        // Nobody listens where the future was dropped.
        drop(tell.send(ended));
        drop(thread);
    }));
    let ended = scope.run(async { job.ended().await }).await;
    match (told.try_recv(), ended.end) {
        (Ok(Err(panic)), _) => resume_unwind(panic),
        // Also when the deadline passed during the COMMIT.
        (Ok(Ok(Ok(value))), _) => Ok(value),
        (_, End::TimedOut) => Err(passed("the body").into()),
        (Ok(Ok(Err(Failure::Body(error)))), _) => Err(error),
        (Ok(Ok(Err(Failure::Ours(error)))), _) => Err(error.into()),
        (Err(_), _) => Err(Error::new(ErrorKind::Closed, OPERATION)
            .with("because", "the runtime ends, and runs no more of its threads")
            .into()),
    }
}

fn count<T, E>(ended: &thread::Result<Result<T, Failure<E>>>, left: Option<Outcome>) {
    match ended {
        Ok(Ok(_)) => Counters::count(&STATS.committed),
        Err(_) => STATS.rolled_back(Outcome::Panicked),
        Ok(Err(_)) => STATS.rolled_back(left.unwrap_or(Outcome::Failed)),
    }
}

fn passed(during: &'static str) -> Error {
    Error::new(ErrorKind::DeadlinePassed, OPERATION).with("during", during)
}
