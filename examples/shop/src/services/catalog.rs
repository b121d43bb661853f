//! What there is, and how much of it: stock is reserved for an order, and given back.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use rearguard::postgres::{Transaction, TransactionOptions, transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{database::Database, problem::Problem};

const LIST: TransactionOptions = TransactionOptions::new().named("products");
const RESERVE: TransactionOptions = TransactionOptions::new().named("reserve");
const RELEASE: TransactionOptions = TransactionOptions::new().named("release");

pub(crate) fn routes(database: Database) -> Router {
    Router::new()
        .route("/products", get(list))
        .route("/reserve", post(reserve))
        .route("/release", post(release))
        .with_state(database)
}

async fn list(State(database): State<Database>) -> Result<Json<Value>, Problem> {
    let rows = transaction(&database, LIST, |tx| async move {
        tx.query("SELECT name, cents, stock FROM products ORDER BY name", &[]).await
    })
    .await?;
    let product = |row: &tokio_postgres::Row| {
        let (name, cents, stock): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        json!({ "name": name, "cents": cents, "stock": stock })
    };
    Ok(Json(Value::Array(rows.iter().map(product).collect())))
}

#[derive(Debug, Deserialize)]
struct Reserve {
    number: String,
    product: String,
    count: i64,
}

/// Takes out of stock, once for each number. Answers with the price.
async fn reserve(
    State(database): State<Database>,
    Query(Reserve { number, product, count }): Query<Reserve>,
) -> Result<Json<Value>, Problem> {
    if !(1..=1000).contains(&count) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "count: expected 1 to 1000"));
    }
    let (of, what) = (&number, &product);
    let cents = transaction(&database, RESERVE, |tx| take(tx, of, what, count)).await?;
    Ok(Json(json!({ "number": number, "cents": cents * count })))
}

async fn take(tx: Transaction, number: &str, product: &str, count: i64) -> Result<i64, Problem> {
    let row = tx.query_opt("SELECT cents FROM products WHERE name = $1", &[&product]).await?;
    let row = row.ok_or_else(|| Problem::missing("product", product))?;
    let sql = "INSERT INTO reservations VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &[&number, &product, &count]).await? == 0 {
        is_not_undone(&tx, number).await?;
    } else {
        let sql = "UPDATE products SET stock = stock - $2 WHERE name = $1";
        tx.execute(sql, &[&product, &count]).await?;
    }
    Ok(row.get(0))
}

async fn is_not_undone(tx: &Transaction, number: &str) -> Result<(), Problem> {
    let sql = "SELECT undone FROM reservations WHERE number = $1";
    match tx.query_one(sql, &[&number]).await?.get(0) {
        false => Ok(()),
        true => Err(Problem::new(StatusCode::CONFLICT, "the reservation was given back before")),
    }
}

#[derive(Debug, Deserialize)]
struct Release {
    number: String,
}

/// Gives back what was reserved by this number; one that comes late will reserve nothing.
async fn release(
    State(database): State<Database>,
    Query(Release { number }): Query<Release>,
) -> Result<Json<Value>, Problem> {
    let of = &number;
    let released = transaction(&database, RELEASE, |tx| give_back(tx, of)).await?;
    Ok(Json(json!({ "number": number, "released": released })))
}

async fn give_back(tx: Transaction, number: &str) -> Result<i64, Problem> {
    let sql = "INSERT INTO reservations VALUES ($1, NULL, 0, true) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &[&number]).await? == 1 {
        return Ok(0);
    }
    let sql = "UPDATE reservations SET undone = true WHERE number = $1 AND NOT undone
               RETURNING product, count";
    let Some(row) = tx.query_opt(sql, &[&number]).await? else { return Ok(0) };
    let (product, count): (String, i64) = (row.get(0), row.get(1));
    let sql = "UPDATE products SET stock = stock + $2 WHERE name = $1";
    tx.execute(sql, &[&product, &count]).await?;
    Ok(count)
}
