//! One request and its response on a connection, and what becomes of the connection afterwards.

use std::sync::atomic::Ordering::Relaxed;

use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    options::{DRAIN_DEADLINE, DRAIN_MAX_BYTES},
    turn::Turn,
};
use crate::Outcome;

/// Held by a request's scope, whose cleanup [`finish`](Self::finish) is.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) turn: Turn,
    pub(super) rest: Rest,
}

/// What is to come of the response.
#[derive(Debug)]
pub(super) enum Rest {
    /// All of it.
    All,
    /// Its body, or a part of it.
    Body(Incoming),
    Nothing,
    /// It cannot be told.
    Broken,
}

impl Exchange {
    /// Gives the connection back where it is certain that nothing of this response is left on it.
    pub(super) async fn finish(self, _: Outcome) {
        let Self { turn, rest } = self;
        let counters = turn.connection.counters().clone();
        match rest {
            // Its stream ends by itself, or was reset when it was dropped.
            rest if !turn.connection.is_http1() => {
                drop(rest);
                turn.release().await;
            }
            Rest::Nothing => turn.release().await,
            Rest::Body(body) => {
                if is_short(&body) && timeout(DRAIN_DEADLINE, drain(body)).await == Ok(true) {
                    counters.drained.fetch_add(1, Relaxed);
                    turn.release().await;
                } else {
                    counters.cut_short.fetch_add(1, Relaxed);
                    turn.discard().await;
                }
            }
            Rest::All | Rest::Broken => turn.discard().await,
        }
    }
}

fn is_short(body: &Incoming) -> bool {
    body.size_hint().lower() <= DRAIN_MAX_BYTES
}

/// Reads the rest of a body; true if that was short enough.
async fn drain(mut body: Incoming) -> bool {
    let mut read_bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read_bytes > DRAIN_MAX_BYTES {
            return false;
        }
    }
    true
}
