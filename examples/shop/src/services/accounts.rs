//! Accounts, and the classic: from one account to the other, failing between.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use rearguard::postgres::{TransactionOptions, transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fail, book, reserve};
use crate::{database::Database, problem::Problem};

const TRANSFER: TransactionOptions = TransactionOptions::new().named("transfer");
const LIST: TransactionOptions = TransactionOptions::new().named("accounts");

pub(crate) fn routes(database: Database) -> Router {
    Router::new()
        .route("/accounts", get(list))
        .route("/transfer", post(transfer))
        .with_state(database)
}

#[derive(Debug, Deserialize)]
struct Transfer {
    from: String,
    to: String,
    amount: i64,
    fail: Option<Fail>,
}

/// Deduct, fail between, add. Whatever `fail` says, the sum of all accounts stays what it is: the
/// transaction is rolled back on every way out but success.
async fn transfer(
    State(database): State<Database>,
    Query(Transfer { from, to, amount, fail }): Query<Transfer>,
) -> Result<Json<Value>, Problem> {
    if amount <= 0 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "amount: expected cents, 1 or more"));
    }
    let (payer, payee) = (&from, &to);
    transaction(&database, TRANSFER, |tx| async move {
        reserve(&tx, payer, payee).await?;
        book(&tx, payer, -amount).await?;
        Fail::here(fail).await?;
        book(&tx, payee, amount).await
    })
    .await?;
    Ok(Json(json!({ "from": from, "to": to, "amount": amount })))
}

/// All accounts, and their sum.
async fn list(State(database): State<Database>) -> Result<Json<Value>, Problem> {
    let rows = transaction(&database, LIST, |tx| async move {
        tx.query("SELECT name, cents FROM accounts ORDER BY name", &[]).await
    })
    .await?;
    let balances: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let sum: i64 = balances.iter().map(|(_, cents)| cents).sum();
    let accounts: serde_json::Map<_, _> =
        balances.into_iter().map(|(name, cents)| (name, cents.into())).collect();
    Ok(Json(json!({ "accounts": accounts, "sum": sum })))
}
