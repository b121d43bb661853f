//! The end of a transaction: COMMIT, and what to make of its answer, or ROLLBACK.
//!
//! It is the cleanup of the scope that owns the session. So it goes on in the reaper when the
//! future of the transaction is dropped, be it in the middle of the COMMIT, and its outcome is known
//! and counted also when the caller is gone.

use std::{pin::pin, time::Duration};

use tokio::{sync::oneshot, time::timeout};

use super::{
    handle::swallowed,
    loan::{Fate, Loan},
    session::ROLLBACK_TIMEOUT,
    settle::settle,
    sqlstate::{Policy, SqlState},
    stats::STATS,
    wire::{Status, Tag},
};
use crate::{Error, ErrorKind, Outcome, transactions::Counters};

/// How long the server has to answer a COMMIT, unless
/// [`commit_timeout`](super::TransactionOptions::commit_timeout) says otherwise.
pub const DEFAULT_COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a query that its future has left may go on until it is cancelled: one whose answer is on
/// the way costs no CancelRequest.
const CANCEL_PATIENCE: Duration = Duration::from_millis(2);

/// The same where the body returned by itself: then it is the rest of an answer that is on the way.
const REST_PATIENCE: Duration = Duration::from_millis(50);

/// How a transaction ended.
#[derive(Debug)]
pub(super) enum Settlement {
    Committed,
    /// As was to be; what it says of the reason.
    RolledBack(Policy),
    /// It was to be committed, and was not.
    NotCommitted(Error, Policy),
    /// It was to be committed, and whether it was cannot be told.
    Unknown(Error),
}

/// Ends the transaction, gives its session back, and tells how it went.
pub(super) async fn end(mut loan: Loan, outcome: Outcome, told: oneshot::Sender<Settlement>) {
    // A body that kept the transaction was told that it failed.
    let outcome = match outcome {
        Outcome::Succeeded if told.is_closed() => Outcome::Cancelled,
        outcome => outcome,
    };
    let settlement = if outcome == Outcome::Succeeded {
        commit(&mut loan).await
    } else {
        roll_back(&mut loan, outcome).await
    };
    match &settlement {
        Settlement::Committed => Counters::count(&STATS.committed),
        Settlement::RolledBack(_) => STATS.rolled_back(outcome),
        Settlement::NotCommitted(..) => STATS.rolled_back(Outcome::Failed),
        Settlement::Unknown(_) => Counters::count(&STATS.unknown_unsettled),
    }
    let fate = fate(&loan, &settlement);
    loan.end(fate).await;
    // Nobody listens where the future was dropped.
    drop(told.send(settlement));
}

fn fate(loan: &Loan, settlement: &Settlement) -> Fate {
    let policy = match settlement {
        Settlement::Committed => None,
        Settlement::RolledBack(policy) | Settlement::NotCommitted(_, policy) => Some(*policy),
        Settlement::Unknown(_) => return Fate::Discard,
    };
    let (session, wire) = (loan.session(), loan.session().wire());
    let idle = !session.is_closed() && !wire.is_busy() && wire.status() == Status::Idle;
    let gone = matches!(
        policy,
        Some(Policy::Discard | Policy::Reconnect | Policy::BackOff | Policy::Lost)
    );
    if idle && !gone { Fate::Keep } else { Fate::Discard }
}

async fn roll_back(loan: &mut Loan, outcome: Outcome) -> Settlement {
    let returned = outcome == Outcome::Failed;
    let patience = if returned { REST_PATIENCE } else { CANCEL_PATIENCE };
    if returned && loan.session().wire().is_busy() {
        // So that what failed is known.
        drop(timeout(patience, loan.session().wire().quiet()).await);
    }
    let policy = loan.policy();
    let lost = loan.session().is_closed();
    let reset = loan.reset(patience).await;
    Settlement::RolledBack(match policy {
        Some(policy) => policy,
        None if lost || reset.is_err() => Policy::Lost,
        None => Policy::GiveUp,
    })
}

/// Commits. The answers that are due come first, so that what they say is known.
async fn commit(loan: &mut Loan) -> Settlement {
    let limit = loan.commit_timeout();
    let prepared = timeout(limit, async {
        loan.ready().await?;
        loan.settle_number().await
    });
    let prepared = prepared.await.unwrap_or_else(|_| Err(failed(ErrorKind::ResponseTimedOut)));
    // Nothing was committed so far, whatever it is.
    let state = loan.failure();
    if loan.session().wire().status() == Status::Failed {
        let policy = loan.policy().unwrap_or(Policy::GiveUp);
        let reset = loan.reset(REST_PATIENCE).await;
        let name = state.map(|state| state.to_string());
        let policy = if reset.is_err() { Policy::Lost } else { policy };
        return Settlement::NotCommitted(swallowed("transaction.commit", name), policy);
    }
    if let Err(error) = prepared {
        let lost = loan.session().is_closed();
        let reset = loan.reset(CANCEL_PATIENCE).await;
        let policy =
            policy_of(state.or(loan.session().wire().last_error()), lost || reset.is_err());
        return Settlement::NotCommitted(error, policy);
    }
    if loan.session().wire().status() == Status::Idle {
        return ended_by_its_body();
    }
    let client = loan.session().client().clone();
    let mut committing = pin!(client.batch_execute("COMMIT"));
    let mut answer = timeout(limit, committing.as_mut()).await;
    if answer.is_err() && loan.session().cancel().await.is_ok() {
        // What still holds it up, such as a trigger, ends; then the server says which way.
        answer = timeout(ROLLBACK_TIMEOUT, committing).await;
    }
    match answer {
        Ok(Ok(())) => committed(loan),
        Ok(Err(error)) => not_committed(loan, error.into()).await,
        Err(_) => unknown(loan, failed(ErrorKind::ResponseTimedOut)).await,
    }
}

fn ended_by_its_body() -> Settlement {
    let error = failed(ErrorKind::InvalidInput)
        .with("because", "the body ended the transaction itself")
        .with("expected", "no COMMIT or ROLLBACK sent by the body");
    Settlement::NotCommitted(error, Policy::Discard)
}

/// COMMIT succeeded, which is not yet to say that it committed. A failure whose ReadyForQuery came after
/// the look at the status shows here.
fn committed(loan: &Loan) -> Settlement {
    let wire = loan.session().wire();
    wire.settled();
    match wire.tag() {
        Tag::Rollback => {
            let name = loan.failure().map(|state| state.to_string());
            let policy = loan.policy().unwrap_or(Policy::GiveUp);
            Settlement::NotCommitted(swallowed("transaction.commit", name), policy)
        }
        // Then there was nothing left to commit.
        Tag::Commit if wire.before() == Status::Idle => ended_by_its_body(),
        Tag::Commit | Tag::Other => Settlement::Committed,
    }
}

/// COMMIT failed: by the server's word, or by a connection that broke.
async fn not_committed(loan: &mut Loan, error: Error) -> Settlement {
    let (session, wire) = (loan.session(), loan.session().wire());
    let state = wire.last_error();
    let policy = policy_of(state, session.is_closed());
    // The server answered, and stays: what it says holds.
    if policy != Policy::Lost && !session.is_closed() {
        let quiet = timeout(REST_PATIENCE, wire.quiet()).await;
        if quiet.is_ok() && wire.status() == Status::Idle {
            return Settlement::NotCommitted(error, policy);
        }
    }
    unknown(loan, error).await
}

fn policy_of(state: Option<SqlState>, lost: bool) -> Policy {
    match state {
        Some(state) => state.policy(),
        None if lost => Policy::Lost,
        None => Policy::GiveUp,
    }
}

/// COMMIT was sent, and nobody said what came of it.
async fn unknown(loan: &mut Loan, error: Error) -> Settlement {
    if loan.wrote_nothing() {
        // So nothing was committed.
        return Settlement::NotCommitted(error, Policy::Lost);
    }
    let Some(xid) = loan.xid() else {
        let unknown = failed(ErrorKind::CommitUnknown);
        return Settlement::Unknown(
            unknown.with("because", "the server does not tell numbers").because(error),
        );
    };
    match settle(loan.connector(), xid).await {
        Ok(true) => {
            Counters::count(&STATS.unknown_committed);
            Settlement::Committed
        }
        Ok(false) => {
            Counters::count(&STATS.unknown_rolled_back);
            Settlement::NotCommitted(error, Policy::Lost)
        }
        Err(unsettled) => Settlement::Unknown(
            failed(ErrorKind::CommitUnknown)
                .with("xid", xid.to_string())
                .with("could not be settled", unsettled.to_string())
                .because(error),
        ),
    }
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "transaction.commit")
}
