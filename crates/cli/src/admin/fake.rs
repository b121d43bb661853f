//! A gateway that the tests script.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gateway::observe::RequestCount;
use model::{Cause, ConnectionUse, Outcome, Phases, Protocol, Reported, RequestRecord, TraceId};

use super::Observed;
use crate::{slo::watch::Standing, timeout_profile::Amendment};

/// Counters and failures that a test sets.
#[derive(Default)]
pub(super) struct Fake {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Vec<RequestCount>,
    /// Newest first.
    failures: Vec<Arc<RequestRecord>>,
    not_ready: Option<String>,
    objectives: Standing,
    /// What is said of every failure.
    amendment: Option<Arc<Amendment>>,
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `requests` more with these labels.
    pub(super) fn add(&self, service: &str, outcome: Outcome, cause: Option<Cause>, requests: u64) {
        let mut state = self.state();
        let new = count(service, outcome, cause, requests);
        let known = state.counts.iter_mut().find(|old| {
            (&old.service, old.outcome, old.cause) == (&new.service, new.outcome, new.cause)
        });
        match known {
            Some(old) => old.requests += requests,
            None => state.counts.push(new),
        }
    }

    /// Adds a failure, counted as well.
    pub(super) fn fail(&self, record: RequestRecord) {
        self.add(&record.service, record.outcome, record.cause, 1);
        self.state().failures.insert(0, Arc::new(record));
    }

    pub(super) fn set_objectives(&self, standing: Standing) {
        self.state().objectives = standing;
    }

    pub(super) fn set_amendment(&self, amendment: Amendment) {
        self.state().amendment = Some(Arc::new(amendment));
    }

    pub(super) fn set_not_ready(&self, reason: &str) {
        self.state().not_ready = Some(reason.to_owned());
    }
}

impl Observed for Fake {
    fn metrics(&self, out: &mut String) {
        out.push_str("rearguard_requests_total{service=\"shop\"} 1\n");
    }

    fn counts(&self) -> Vec<RequestCount> {
        self.state().counts.clone()
    }

    fn failures(&self, since_unix_micros: Option<u64>, limit: usize) -> Vec<Arc<RequestRecord>> {
        let since = since_unix_micros.unwrap_or(0);
        let state = self.state();
        let chosen = state.failures.iter().filter(|record| record.time_unix_micros >= since);
        chosen.take(limit).cloned().collect()
    }

    fn ready(&self) -> Result<(), String> {
        self.state().not_ready.clone().map_or(Ok(()), Err)
    }

    fn amendment(&self, _failure: &RequestRecord) -> Option<Arc<Amendment>> {
        self.state().amendment.clone()
    }

    fn objectives(&self) -> Standing {
        self.state().objectives.clone()
    }

    fn failing_path(&self) -> Option<String> {
        Some("/pay/panic".to_owned())
    }
}

/// A counter of a service's only route.
pub(super) fn count(
    service: &str,
    outcome: Outcome,
    cause: Option<Cause>,
    requests: u64,
) -> RequestCount {
    RequestCount {
        service: service.into(),
        route: "default".into(),
        subset: "".into(),
        outcome,
        cause,
        requests,
    }
}

/// A failure of payment-service on a reused connection; what a test needs otherwise it sets.
pub(crate) fn failure(cause: Cause, time_unix_micros: u64) -> RequestRecord {
    RequestRecord {
        time_unix_micros,
        trace_id: TraceId::from_random(
            0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736 ^ u128::from(time_unix_micros),
        ),
        request_id: None,
        service: "payment-service".into(),
        route: "pay".into(),
        subset: "v2".into(),
        endpoint: Some(SocketAddr::from(([127, 0, 0, 1], 3000))),
        client: Some(SocketAddr::from(([192, 0, 2, 7], 51_334))),
        protocol: Protocol::Http11,
        method: "POST".into(),
        authority: "shop.example".into(),
        path: "/pay".into(),
        status: cause.status().unwrap_or(500),
        grpc_status: None,
        outcome: cause.outcome(),
        cause: Some(cause),
        detail: Some("closed 3.2 ms after the request was sent, with no byte of an answer".into()),
        connection: Some(ConnectionUse::Reused { idle: Duration::from_millis(41) }),
        phases: Phases {
            queue: Some(Duration::from_micros(80)),
            connect: Some(Duration::ZERO),
            upstream: Some(Duration::from_micros(3_200)),
            transfer: None,
            total: Duration::from_micros(3_400),
        },
        reported: Reported::default(),
        tries: 1,
        request_bytes: 212,
        response_bytes: 0,
    }
}
