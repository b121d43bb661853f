//! Receipts: a slow cleanup, which the answer waits for or not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use rearguard::layers::RequestScope;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::problem::Problem;

/// How long it takes to remove the copy of a receipt, as where files are far away.
const REMOVAL: Duration = Duration::from_millis(300);

/// How many copies were removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed(Arc<AtomicU64>);

impl Removed {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

pub(crate) fn routes(removed: Removed) -> Router {
    Router::new().route("/receipt", get(receipt)).with_state(removed)
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cleanup {
    #[default]
    Deferred,
    AfterResponse,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    #[serde(default)]
    cleanup: Cleanup,
}

/// Makes a copy, and defers its removal: within the answer's time, or after it.
async fn receipt(
    State(removed): State<Removed>,
    Query(Receipt { cleanup }): Query<Receipt>,
) -> Result<Json<Value>, Problem> {
    let scope = RequestScope::current().ok_or_else(|| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request has no scope: add the layer")
    })?;
    let remove = async move {
        sleep(REMOVAL).await;
        removed.0.fetch_add(1, Relaxed);
    };
    match cleanup {
        Cleanup::Deferred => scope.defer(remove),
        Cleanup::AfterResponse => scope.after_response(remove),
    }
    Ok(Json(json!({ "receipt": "tea, 4.50" })))
}
