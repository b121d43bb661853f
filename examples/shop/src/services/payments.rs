//! Payments: from a customer's account to the shop's, and back.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::post,
};
use rearguard::postgres::{Transaction, TransactionOptions, transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fail, book, reserve};
use crate::{database::Database, problem::Problem};

const CHARGE: TransactionOptions = TransactionOptions::new().named("charge");
const REFUND: TransactionOptions = TransactionOptions::new().named("refund");

/// Whose account the money goes to.
const SHOP: &str = "shop";

pub(crate) fn routes(database: Database) -> Router {
    Router::new().route("/charge", post(charge)).route("/refund", post(refund)).with_state(database)
}

#[derive(Debug, Deserialize)]
struct Charge {
    number: String,
    account: String,
    cents: i64,
    fail: Option<Fail>,
}

/// Charges an account, once for each number. `fail` strikes when the charge is committed: who asked
/// cannot tell whether it was.
async fn charge(
    State(database): State<Database>,
    Query(Charge { number, account, cents, fail }): Query<Charge>,
) -> Result<Json<Value>, Problem> {
    if cents <= 0 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "cents: expected 1 or more"));
    }
    let (of, payer) = (&number, &account);
    transaction(&database, CHARGE, |tx| take(tx, of, payer, cents)).await?;
    Fail::here(fail).await?;
    Ok(Json(json!({ "number": number, "charged": cents })))
}

async fn take(tx: Transaction, number: &str, account: &str, cents: i64) -> Result<(), Problem> {
    let sql = "INSERT INTO payments VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &[&number, &account, &cents]).await? == 0 {
        return is_not_undone(&tx, number).await;
    }
    reserve(&tx, account, SHOP).await?;
    book(&tx, account, -cents).await?;
    book(&tx, SHOP, cents).await
}

async fn is_not_undone(tx: &Transaction, number: &str) -> Result<(), Problem> {
    let sql = "SELECT undone FROM payments WHERE number = $1";
    match tx.query_one(sql, &[&number]).await?.get(0) {
        false => Ok(()),
        true => Err(Problem::new(StatusCode::CONFLICT, "the payment was given back before")),
    }
}

#[derive(Debug, Deserialize)]
struct Refund {
    number: String,
}

/// Gives back what was charged by this number; one that comes late will charge nothing.
async fn refund(
    State(database): State<Database>,
    Query(Refund { number }): Query<Refund>,
) -> Result<Json<Value>, Problem> {
    let of = &number;
    let refunded = transaction(&database, REFUND, |tx| give_back(tx, of)).await?;
    Ok(Json(json!({ "number": number, "refunded": refunded })))
}

async fn give_back(tx: Transaction, number: &str) -> Result<i64, Problem> {
    let sql = "INSERT INTO payments VALUES ($1, NULL, 0, true) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &[&number]).await? == 1 {
        return Ok(0);
    }
    let sql = "UPDATE payments SET undone = true WHERE number = $1 AND NOT undone
               RETURNING account, cents";
    let Some(row) = tx.query_opt(sql, &[&number]).await? else { return Ok(0) };
    let (account, cents): (String, i64) = (row.get(0), row.get(1));
    reserve(&tx, &account, SHOP).await?;
    book(&tx, SHOP, -cents).await?;
    book(&tx, &account, cents).await?;
    Ok(cents)
}
