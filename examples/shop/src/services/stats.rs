//! What the process holds: for the tests, and for who wants to watch.

use axum::{Json, Router, extract::State, routing::get};
use rearguard::{
    Reaper,
    client::Client,
    layers::{self, AfterResponse},
    lock::LockManager,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::receipts::Removed;
use crate::database::Database;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) databases: Vec<Database>,
    pub(crate) locks: LockManager,
    pub(crate) client: Client,
    pub(crate) removed: Removed,
}

pub(crate) fn routes(held: Held) -> Router {
    Router::new().route("/stats", get(stats)).with_state(held)
}

async fn stats(State(held): State<Held>) -> Json<Value> {
    let pool = |database: &Database| {
        let pool = database.snapshot();
        json!({
            "pool": pool.pool, "max_size": pool.max_size, "size": pool.size,
            "in_use": pool.in_use, "idle": pool.idle, "waiting": pool.waiting,
        })
    };
    let (reaper, after, layers) =
        (Reaper::global().stats(), AfterResponse::global().stats(), layers::stats());
    let client = held.client.stats();
    Json(json!({
        "tasks": Handle::current().metrics().num_alive_tasks(),
        "reaper": {
            "waiting": reaper.waiting, "finished": reaper.finished, "lost": reaper.lost,
        },
        "after_response": {
            "waiting": after.waiting, "running": after.running, "ended": after.ended,
            "refused": after.refused,
        },
        "layers": { "recovered": layers.recovered, "deadlines_passed": layers.deadlines_passed },
        "pools": held.databases.iter().map(pool).collect::<Vec<_>>(),
        "locks_held": held.locks.holders().len(),
        "client": {
            "connections": client.connections, "idle": client.idle, "opened": client.opened,
            "reused": client.reused,
        },
        "receipts_removed": held.removed.count(),
    }))
}
