//! A request's record while it is being filled, and its publication once the request has ended.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use model::{
    Cause, ConnectionUse, Outcome, Phases, Protocol, RequestRecord, SpanId, TraceContext, TraceId,
};
use tokio::time::Instant;

use crate::{
    failure::Failure,
    message::{Known, RequestHead},
    observe::Series,
    reported::InBand,
    worker::Worker,
};

/// What has been learned about a request so far.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) started: Instant,
    /// When the answer had been passed on, where that has been looked at.
    pub(crate) ended: Option<Instant>,
    time_unix_micros: u64,
    pub(crate) trace: TraceContext,
    pub(crate) continues_trace: bool,
    pub(crate) series: Arc<Series>,
    pub(crate) endpoint: Option<SocketAddr>,
    pub(crate) client: SocketAddr,
    pub(crate) status: u16,
    pub(crate) failure: Option<Failure>,
    pub(crate) connection: Option<ConnectionUse>,
    pub(crate) phases: Phases,
    pub(crate) in_band: InBand,
    pub(crate) tries: u32,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

impl Draft {
    pub(crate) fn new(worker: &Worker, client: SocketAddr, head: Option<&RequestHead>) -> Self {
        let received =
            head.and_then(|head| head.fields.get(Known::Traceparent)).and_then(TraceContext::parse);
        let span_id = SpanId::from_random(fastrand::u64(..));
        let trace = match received {
            Some(received) => received.child(span_id),
            // Recorded here, and random in all its bits: `sampled` and `random` are set.
            None => TraceContext {
                trace_id: TraceId::from_random(fastrand::u128(..)),
                span_id,
                flags: 0b11,
            },
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started: Instant::now(),
            ended: None,
            time_unix_micros: u64::try_from(now.as_micros()).unwrap_or(u64::MAX),
            trace,
            continues_trace: received.is_some(),
            series: worker.unrouted(),
            endpoint: None,
            client,
            status: 0,
            failure: None,
            connection: None,
            phases: Phases::default(),
            in_band: InBand::default(),
            tries: 0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    /// The service that was asked, as it is called in messages.
    pub(crate) fn service(&self) -> &str {
        &self.series.service
    }

    /// How long the request has taken.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts the request, and writes it down where it has to be.
    pub(crate) fn publish(
        &mut self,
        worker: &Worker,
        head: Option<&RequestHead>,
        outcome: Outcome,
    ) {
        let ended = self.ended.unwrap_or_else(Instant::now);
        self.phases.total = ended - self.started;
        let cause = self.failure.as_ref().map(|failure| failure.cause);
        self.series.count(outcome, cause);
        self.series.phases.observe(&self.phases, &self.in_band.timing);
        let (status, timing) = (self.status, &self.in_band.timing);
        self.series.count_objectives(status, outcome, cause, &self.phases, timing);
        if cause.is_none() && !worker.logs() {
            return;
        }
        let record = self.to_record(head, outcome);
        worker.log(&record);
        if record.is_failure() {
            let record = Arc::new(record);
            worker.tell(&record);
            worker.observatory.failures.push(record);
        }
    }

    fn to_record(&self, head: Option<&RequestHead>, outcome: Outcome) -> RequestRecord {
        let text = |read: fn(&RequestHead) -> &str| head.map_or("", read).into();
        let request_id = head
            .and_then(|head| head.fields.get(Known::RequestId))
            .map(|value| String::from_utf8_lossy(value).into());
        RequestRecord {
            time_unix_micros: self.time_unix_micros,
            trace_id: self.trace.trace_id,
            request_id,
            service: Arc::clone(&self.series.service),
            route: Arc::clone(&self.series.route),
            subset: Arc::clone(&self.series.subset),
            endpoint: self.endpoint,
            client: Some(self.client),
            protocol: head.map_or(Protocol::Http11, |head| head.protocol),
            method: text(RequestHead::method),
            authority: text(RequestHead::authority),
            path: text(RequestHead::path),
            status: self.status,
            grpc_status: self.in_band.grpc_status,
            outcome,
            cause: self.failure.as_ref().map(|failure| failure.cause),
            detail: self.failure.as_ref().map(|failure| failure.detail.as_ref().into()),
            connection: self.connection,
            phases: self.phases,
            reported: self.in_band.timing,
            tries: self.tries,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        }
    }

    /// The outcome by what is known: that of the failure, or a success.
    pub(crate) fn outcome(&self) -> Outcome {
        self.failure.as_ref().map_or(Outcome::Succeeded, Failure::outcome)
    }

    /// The request was dropped before it ended: the gateway stopped.
    pub(crate) fn dropped(&mut self) {
        if self.failure.is_none() {
            let failure =
                Failure::new(Cause::GatewayDraining, "the gateway stopped before its end");
            self.failure = Some(Failure { outcome: Some(Outcome::Cancelled), ..failure });
        }
    }
}
