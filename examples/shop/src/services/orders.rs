//! Orders: a checkout takes steps at its neighbours, and undoes them when a later one fails.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use rearguard::{
    lock::{FencingToken, Lease, LockManager},
    postgres::{TransactionOptions, transaction},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::neighbours::Neighbours;
use crate::{database::Database, problem::Problem};

const BEGIN: TransactionOptions = TransactionOptions::new().named("begin order");
const SETTLE: TransactionOptions = TransactionOptions::new().named("settle order");
const LIST: TransactionOptions = TransactionOptions::new().named("orders");

/// How long a lock outlives the process that held it.
const LOCK_TTL: Duration = Duration::from_secs(10);

/// The longest key and name of anything.
const MAX_WORD_BYTES: usize = 64;

/// What the service works with.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) database: Database,
    pub(crate) locks: LockManager,
    pub(crate) neighbours: Neighbours,
}

pub(crate) fn routes(orders: Orders) -> Router {
    Router::new().route("/checkout", post(checkout)).route("/orders", get(list)).with_state(orders)
}

#[derive(Debug, Deserialize)]
struct Checkout {
    product: String,
    count: i64,
    account: String,
    fail: Option<String>,
}

/// Reserves, charges, and notes the order as paid. The key names the order: sent again, a paid one is
/// answered as it was, and what is left of one that failed is undone before it is tried again.
async fn checkout(
    State(orders): State<Orders>,
    headers: HeaderMap,
    Query(checkout): Query<Checkout>,
) -> Result<Json<Value>, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let key = word("the header Idempotency-Key", key.unwrap_or_default())?.to_owned();
    word("product", &checkout.product)?;
    word("account", &checkout.account)?;
    word("fail", checkout.fail.as_deref().unwrap_or("none"))?;
    let locks = orders.locks.clone();
    locks
        .with_lock(&format!("orders/{key}"), LOCK_TTL, async |lease| {
            orders.attempt(&lease, &key, &checkout).await
        })
        .await
}

impl Orders {
    async fn attempt(
        &self,
        lease: &Lease,
        key: &str,
        checkout: &Checkout,
    ) -> Result<Json<Value>, Problem> {
        let Checkout { product, count, account, fail } = checkout;
        let token = lease.require_token()?;
        let attempt = self.begin(key, checkout, token).await?;
        let Some(attempt) = attempt else { return Ok(Json(json!({ "order": key, "paid": true }))) };
        let number = format!("{key}.{attempt}");
        if attempt > 1 {
            let before = format!("{key}.{}", attempt - 1);
            self.neighbours.refund(&before).await?;
            self.neighbours.release(&before).await?;
        }
        // Each undo is registered before its step: a step of which no answer came may be done.
        lease.on_failure(self.neighbours.release(&number));
        let cents = self.neighbours.reserve(&number, product, *count).await?;
        lease.on_failure(self.neighbours.refund(&number));
        let fail = fail.as_ref().map(|fail| format!("&fail={fail}")).unwrap_or_default();
        self.neighbours.charge(&number, account, cents, &fail).await?;
        lease.on_failure(self.clone().settle(key.to_owned(), Settled::Open, token));
        self.clone().settle(key.to_owned(), Settled::Paid, token).await?;
        Ok(Json(json!({ "order": key, "paid": true, "cents": cents, "attempt": attempt })))
    }

    /// The number of this attempt; none where the order is paid.
    async fn begin(
        &self,
        key: &str,
        Checkout { product, count, account, .. }: &Checkout,
        token: FencingToken,
    ) -> Result<Option<i64>, Problem> {
        let sql = "INSERT INTO orders AS o VALUES ($1, $2, $3, $4, 1, false, $5)
                   ON CONFLICT (key) DO UPDATE SET fence = $5,
                   attempts = o.attempts + CASE WHEN o.paid THEN 0 ELSE 1 END
                   WHERE o.fence <= $5 RETURNING attempts, paid";
        let row = transaction(&self.database, BEGIN, |tx| async move {
            tx.query_opt(sql, &[&key, product, count, account, &token.get()]).await
        });
        let row = row.await?.ok_or_else(fenced)?;
        let (attempts, paid): (i64, bool) = (row.get(0), row.get(1));
        Ok((!paid).then_some(attempts))
    }

    /// Notes how it ended, unless somebody else has the lock by now.
    async fn settle(
        self,
        key: String,
        settled: Settled,
        token: FencingToken,
    ) -> Result<(), Problem> {
        let paid = settled == Settled::Paid;
        let sql = "UPDATE orders SET paid = $2, fence = $3 WHERE key = $1 AND fence <= $3";
        let key = &key;
        let changed = transaction(&self.database, SETTLE, |tx| async move {
            tx.execute(sql, &[key, &paid, &token.get()]).await
        });
        if changed.await? == 1 { Ok(()) } else { Err(fenced()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    Open,
    Paid,
}

fn fenced() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "somebody else has this order by now")
}

/// Refuses what could not stand in a URL as it is.
fn word<'a>(what: &str, text: &'a str) -> Result<&'a str, Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=MAX_WORD_BYTES).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    let expected = format!("{what}: expected 1 to {MAX_WORD_BYTES} letters, digits, - and _");
    Err(Problem::new(StatusCode::BAD_REQUEST, expected))
}

async fn list(State(orders): State<Orders>) -> Result<Json<Value>, Problem> {
    let rows = transaction(&orders.database, LIST, |tx| async move {
        tx.query("SELECT key, product, count, attempts, paid FROM orders ORDER BY key", &[]).await
    })
    .await?;
    let order = |row: &tokio_postgres::Row| {
        let (key, product): (String, String) = (row.get(0), row.get(1));
        let (count, attempts, paid): (i64, i64, bool) = (row.get(2), row.get(3), row.get(4));
        json!({ "order": key, "product": product, "count": count, "attempts": attempts, "paid": paid })
    };
    Ok(Json(Value::Array(rows.iter().map(order).collect())))
}
