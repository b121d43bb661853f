//! A transaction: a body, run in a scope that owns the session, and again where the table says so.

use std::{future::Future, time::Duration};

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Instant, sleep, timeout_at},
};

use super::{
    CANCEL_TIMEOUT, CLOSE_TIMEOUT, ROLLBACK_TIMEOUT, SETTLE_TIMEOUT, Source, Transaction,
    TransactionOptions,
    commit::{self, Settlement},
    loan::{Loan, Taken},
    options::Access,
    sqlstate::Policy,
    stats::STATS,
};
use crate::{
    End, Error, ErrorKind, Options, OwnedScope,
    transactions::{Counters, pause, within},
};

const OPERATION: &str = "transaction";

/// How long the end of a transaction may take besides its COMMIT: longer than all its other parts, which
/// are bounded, together.
const END_TIMEOUT: Duration = Duration::from_secs(
    SETTLE_TIMEOUT.as_secs()
        + 2 * CANCEL_TIMEOUT.as_secs()
        + 3 * ROLLBACK_TIMEOUT.as_secs()
        + 2 * CLOSE_TIMEOUT.as_secs()
        + 10,
);

/// Runs a body in a transaction, on a `&mut` [`PgConnection`](super::PgConnection) or a
/// [`Pool`](crate::pool::Pool) of them.
///
/// It commits when the body succeeds. It rolls back when the body fails or panics, when the deadline
/// passes, and when the future is dropped: then the reaper cancels what runs and rolls back, each
/// within a bound, and the connection is usable again, or closed.
///
/// Where [the table](super::TABLE) says so the body is **run again from its beginning**, on another
/// connection if need be. So it does nothing outside of the transaction that must not be done twice.
///
/// The body is an async closure, or a closure that returns a future. Within a task that is spawned it
/// borrows nothing but by references that were made before: `let name = &name; … |tx| async move { … }`.
///
/// Once the COMMIT is begun it goes on, also when the future is dropped. When the connection breaks
/// during the COMMIT, the server is asked over another one what became of it.
///
/// ```no_run
/// use rearguard::{Error, postgres::{PgConnection, TransactionOptions, transaction}};
///
/// # async fn example(connection: &mut PgConnection) -> Result<(), Error> {
/// let options = TransactionOptions::new().named("transfer");
/// let left = transaction(connection, options, async |tx| -> Result<i64, Error> {
///     tx.execute("UPDATE accounts SET cents = cents + 500 WHERE id = 2", &[]).await?;
///     let row = tx
///         .query_one("UPDATE accounts SET cents = cents - 500 WHERE id = 1 RETURNING cents", &[])
///         .await?;
///     Ok(row.get(0))
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The body's own error as it is, when it is not run again. As an [`Error`], of which the body's error
/// type is made by `From`:
///
/// | kind | when |
/// |---|---|
/// | [`DeadlinePassed`](ErrorKind::DeadlinePassed) | the deadline passed; it was rolled back |
/// | [`RolledBack`](ErrorKind::RolledBack) | the body returned Ok, but a statement had failed |
/// | [`Conflict`](ErrorKind::Conflict), [`RetriesSpent`](ErrorKind::RetriesSpent) | the COMMIT failed by a conflict: once, if no time is left, or each time |
/// | [`ConstraintViolated`](ErrorKind::ConstraintViolated) | a deferred constraint failed at COMMIT |
/// | [`CommitUnknown`](ErrorKind::CommitUnknown) | the connection broke during COMMIT, and what became of it could not be found out; its number stands under `xid` |
/// | [`InvalidInput`](ErrorKind::InvalidInput) | a transaction was open before, or the body ended it itself |
/// | those of connecting, and of the pool | no connection could be had |
///
/// # Panics
/// Goes on with a panic of the body, when it has rolled back.
pub async fn transaction<T, E, S, F, B>(
    mut source: S,
    options: TransactionOptions,
    mut body: F,
) -> Result<T, E>
where
    E: From<Error>,
    S: Source,
    F: FnMut(Transaction) -> B,
    B: Future<Output = Result<T, E>>,
{
    let deadline = within(options.deadline, OPERATION)?;
    let mut attempt = 1;
    loop {
        let (error, policy) = match take(&mut source, options.name, deadline).await {
            Err((error, policy)) => (Failure::Ours(error), policy),
            Ok(taken) => match run(taken, &options, deadline, &mut body).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            },
        };
        let pause = match policy {
            // It was to be read only, so another server would say the same.
            Policy::Reconnect if options.access != Access::Writes => {
                return Err(error.into_body());
            }
            Policy::GiveUp | Policy::Discard => return Err(error.into_body()),
            Policy::RunAgainInTime => pause(attempt, fastrand::f64()),
            Policy::RunAgain | Policy::Reconnect | Policy::BackOff | Policy::Lost => {
                if attempt >= options.max_attempts {
                    return Err(error.spent(attempt));
                }
                pause(attempt, fastrand::f64())
            }
        };
        if Instant::now() + pause >= deadline {
            return Err(error.into_body());
        }
        sleep(pause).await;
        Counters::count(&STATS.retries);
        attempt = attempt.saturating_add(1);
    }
}

/// Why an attempt failed.
enum Failure<E> {
    Body(E),
    Ours(Error),
}

impl<E: From<Error>> Failure<E> {
    fn into_body(self) -> E {
        match self {
            Self::Body(error) => error,
            Self::Ours(error) => error.into(),
        }
    }

    /// No more attempts are allowed. The body's own error says more than that.
    fn spent(self, attempts: u32) -> E {
        match self {
            Self::Ours(error) if attempts > 1 => Error::new(ErrorKind::RetriesSpent, OPERATION)
                .with("attempts", attempts.to_string())
                .because(error)
                .into(),
            failure => failure.into_body(),
        }
    }
}

async fn take<S: Source>(
    source: &mut S,
    name: &'static str,
    deadline: Instant,
) -> Result<Taken, (Error, Policy)> {
    match timeout_at(deadline, source.take(name)).await {
        Ok(Ok(taken)) => Ok(taken),
        Ok(Err(error)) => {
            let policy = if error.is_retryable() { Policy::BackOff } else { Policy::GiveUp };
            Err((error, policy))
        }
        Err(_) => Err((passed("waiting for a connection"), Policy::GiveUp)),
    }
}

/// One attempt, in a scope that has the session.
async fn run<T, E, F, B>(
    taken: Taken,
    options: &TransactionOptions,
    deadline: Instant,
    body: &mut F,
) -> Result<T, (Failure<E>, Policy)>
where
    E: From<Error>,
    F: FnMut(Transaction) -> B,
    B: Future<Output = Result<T, E>>,
{
    let (tell, mut told) = oneshot::channel();
    let mut scope = OwnedScope::with(
        Options::new()
            .named(options.name)
            .deadline(deadline.saturating_duration_since(Instant::now()))
            .cleanup_deadline(options.commit_timeout.saturating_mul(2).saturating_add(END_TIMEOUT)),
    );
    let loan = Loan::begin(taken, options);
    let loan = scope.hold(loan, |loan, outcome| commit::end(loan, outcome, tell));
    // Made in the scope too, as that may panic; boxed, so that a large body does not make its caller's
    // future large several times over.
    let ended = scope.run(Box::pin(async { body(Transaction { loan }).await })).await;
    let settlement = match told.try_recv() {
        Ok(settlement) => settlement,
        Err(error) => {
            // Closed before the value is dropped, should that have the transaction.
            drop(told);
            not_ended(error)
        }
    };
    match (ended.end, settlement) {
        (End::Panicked(panic), _) => panic.resume(),
        (End::TimedOut, _) => Err((Failure::Ours(passed("the body")), Policy::GiveUp)),
        (End::Returned(Ok(value)), Settlement::Committed) => Ok(value),
        (End::Returned(Ok(_)), Settlement::NotCommitted(error, policy)) => {
            Err((Failure::Ours(error), policy))
        }
        (End::Returned(Ok(_)), Settlement::Unknown(error)) => {
            Err((Failure::Ours(error), Policy::GiveUp))
        }
        (End::Returned(Ok(_)), Settlement::RolledBack(policy)) => {
            Err((Failure::Ours(Error::new(ErrorKind::RolledBack, OPERATION)), policy))
        }
        (End::Returned(Err(error)), Settlement::RolledBack(policy)) => {
            Err((Failure::Body(error), policy))
        }
        (End::Returned(Err(error)), _) => Err((Failure::Body(error), Policy::GiveUp)),
    }
}

/// The end of the transaction has not told how it went.
fn not_ended(error: TryRecvError) -> Settlement {
    match error {
        TryRecvError::Empty => {
            let error = Error::new(ErrorKind::InvalidInput, OPERATION)
                .with("because", "the body kept the transaction when it returned")
                .with("expected", "that it is dropped with the body");
            Settlement::NotCommitted(error, Policy::GiveUp)
        }
        TryRecvError::Closed => Settlement::Unknown(
            Error::new(ErrorKind::CommitUnknown, OPERATION)
                .with("because", "the COMMIT did not run to its end"),
        ),
    }
}

fn passed(during: &'static str) -> Error {
    Error::new(ErrorKind::DeadlinePassed, OPERATION).with("during", during)
}
