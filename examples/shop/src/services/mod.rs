//! The services, one a file. None knows another's tables: they meet by HTTP.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod neighbours;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod receipts;
pub(crate) mod stats;

use axum::http::StatusCode;
use rearguard::postgres::Transaction;
use serde::Deserialize;

use crate::problem::Problem;

/// Where a request fails on purpose.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fail {
    /// By an error.
    Between,
    /// By a panic.
    Panic,
    /// By taking longer than its deadline.
    Timeout,
    /// By taking so long that the client leaves.
    Cancel,
}

impl Fail {
    /// Fails, or does not.
    pub(crate) async fn here(fail: Option<Self>) -> Result<(), Problem> {
        match fail {
            None => Ok(()),
            Some(Self::Between) => {
                let message = "failed between, on purpose";
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message))
            }
            Some(Self::Panic) => panic!("panicked between, on purpose"),
            // Whoever gives up first drops this: the deadline's layer, or the client.
            Some(Self::Timeout | Self::Cancel) => std::future::pending().await,
        }
    }
}

/// Reserves two accounts for this transaction, always in the same order: transactions that took them
/// in opposite orders would wait for each other, until PostgreSQL ends one of them a second later. So
/// would two that have referred to an account and then lock more of it than an update does.
pub(crate) async fn reserve(tx: &Transaction, one: &str, other: &str) -> Result<(), Problem> {
    let sql = "SELECT FROM accounts WHERE name IN ($1, $2) ORDER BY name FOR NO KEY UPDATE";
    tx.query(sql, &[&one, &other]).await?;
    Ok(())
}

/// Adds to an account, or takes from it.
pub(crate) async fn book(tx: &Transaction, account: &str, cents: i64) -> Result<(), Problem> {
    let sql = "UPDATE accounts SET cents = cents + $2 WHERE name = $1";
    match tx.execute(sql, &[&account, &cents]).await? {
        1 => Ok(()),
        _ => Err(Problem::missing("account", account)),
    }
}
