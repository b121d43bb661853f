//! The other services, as `orders` calls them: by HTTP, with the deadline and the trace handed on.

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{Request, StatusCode},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use rearguard::{CallContext, client::Client};
use serde_json::Value;

use crate::problem::Problem;

/// No answer of a neighbour is longer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long an undo may take, whatever is left of the request's own time.
const UNDO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an undo is tried.
const UNDO_ATTEMPTS: usize = 3;

/// Where they are, and how they are called.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    pub(crate) client: Client,
    pub(crate) catalog: String,
    pub(crate) payments: String,
}

impl Neighbours {
    /// What is reserved costs this.
    pub(crate) async fn reserve(
        &self,
        number: &str,
        product: &str,
        count: i64,
    ) -> Result<i64, Problem> {
        let Self { catalog, .. } = self;
        let url = format!("{catalog}/reserve?number={number}&product={product}&count={count}");
        let answer = self.post(&url).await?;
        answer["cents"].as_i64().ok_or_else(|| bad_answer(&url, "it has no `cents`"))
    }

    /// The undo of it.
    pub(crate) fn release(
        &self,
        number: &str,
    ) -> impl Future<Output = Result<(), Problem>> + use<> {
        self.undo(format!("{}/release?number={number}", self.catalog))
    }

    pub(crate) async fn charge(
        &self,
        number: &str,
        account: &str,
        cents: i64,
        fail: &str,
    ) -> Result<(), Problem> {
        let Self { payments, .. } = self;
        let url =
            format!("{payments}/charge?number={number}&account={account}&cents={cents}{fail}");
        self.post(&url).await.map(drop)
    }

    /// The undo of it.
    pub(crate) fn refund(&self, number: &str) -> impl Future<Output = Result<(), Problem>> + use<> {
        self.undo(format!("{}/refund?number={number}", self.payments))
    }

    /// Undoing is done once or several times alike. It is part of the request's trace, and has its own
    /// time: the request's may have passed, which may be why something is undone.
    fn undo(&self, url: String) -> impl Future<Output = Result<(), Problem>> + use<> {
        let trace = CallContext::current().unwrap_or_default().trace();
        let neighbours = self.clone();
        let undo = async move {
            let mut attempt = 1;
            loop {
                match neighbours.post(&url).await {
                    Err(_) if attempt < UNDO_ATTEMPTS => attempt += 1,
                    undone => return undone.map(drop),
                }
            }
        };
        async move { CallContext::of(trace).within(UNDO_TIMEOUT).scope(undo).await }
    }

    async fn post(&self, url: &str) -> Result<Value, Problem> {
        let request = Request::post(url).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| bad_answer(url, &error.to_string()))?;
        let response = self.client.send(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| bad_answer(url, &error.to_string()))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| bad_answer(url, &error.to_string()));
        }
        let said = String::from_utf8_lossy(&body);
        // What the customer did wrong stays so; what the neighbour did is ours to answer for.
        let status = if status.is_client_error() { status } else { StatusCode::BAD_GATEWAY };
        Err(Problem::new(status, format!("{} said: {}", path(url), said.trim_end())))
    }
}

fn bad_answer(url: &str, what: &str) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, format!("{}: {what}", path(url)))
}

/// The URL without its query.
fn path(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}
