//! Which way a request goes: the route, the destination, and how long it may take.

use std::{rc::Rc, time::Duration};

use config::routing::{HeaderChange, HeaderRules};
use model::{Cause, Outcome, Protocol};
use rearguard::Scope;

use super::Exchange;
use crate::{
    deadline,
    failure::Failure,
    forward::{came_through, is_grpc},
    message::BodyLength,
    reply::Reply,
    router::{CompiledAction, CompiledRoute, Entrance},
    upstream::{SharedTarget, Target},
};

/// What a request is sent on by.
pub(super) struct Way<'a> {
    pub(super) route: &'a CompiledRoute,
    pub(super) rules: [&'a HeaderRules; 2],
    pub(super) target: Rc<Target>,
    /// How much of the path the route's match named.
    pub(super) matched: usize,
    pub(super) times: Times,
}

impl Way<'_> {
    pub(super) fn shared(&self) -> &SharedTarget {
        &self.target.shared
    }

    pub(super) const fn response_changes(&self) -> [&HeaderChange; 2] {
        [&self.rules[0].response, &self.rules[1].response]
    }
}

/// The bounds in time of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// By when the whole answer must have come, counted from the request's head.
    pub(super) whole: Option<Duration>,
    /// Whether that is the caller's own word.
    pub(super) callers: bool,
    /// How long the status line may take, counted from the request sent on.
    pub(super) status_line: Option<Duration>,
    /// Whether a silent body is a fault.
    pub(super) may_stall: bool,
}

impl Exchange<'_> {
    /// Serves the request; an error is still to be answered.
    pub(super) async fn run(&mut self, scope: &Scope<'_, Outcome>) -> Result<(), Failure> {
        if came_through(&self.head.fields, &self.worker.pseudonym) {
            return Err(Failure::new(
                Cause::GatewayLoopDetected,
                "the Via field names this gateway: a route sends requests back to it",
            ));
        }
        if let BodyLength::Known(length) = self.head.body
            && length > self.worker.settings.limits.request_body_bytes
        {
            return Err(self.body_too_large());
        }
        let serving = self.worker.serving();
        let entrance = Entrance {
            gateway: self.client.gateway.as_deref(),
            port: self.client.port,
            scheme: self.client.scheme,
        };
        if self.client.https_redirect {
            let location = format!("https://{}{}", self.head.authority(), self.head.path());
            self.send_reply(&Reply::new(301).with("location", location)).await;
            return Ok(());
        }
        let hit = serving.plan.router.find(self.head, entrance).ok_or_else(|| {
            let (host, path) = (self.head.authority(), self.head.path());
            Failure::new(
                Cause::GatewayNoRoute,
                format!("no route for host {host:?}, path {path:?}"),
            )
        })?;
        let (destinations, total) = match &hit.route.action {
            CompiledAction::Forward { destinations, total_weight } => (destinations, *total_weight),
            CompiledAction::Redirect(redirect) => {
                self.draft.series = serving.series(hit.index, 0);
                let reply = self.redirect(hit.route, redirect, hit.matched);
                self.send_reply(&reply).await;
                return Ok(());
            }
            CompiledAction::DirectResponse { status, body } => {
                self.draft.series = serving.series(hit.index, 0);
                let mut reply = Reply::new(*status).with("content-type", "text/plain");
                reply.body = body.clone().into_bytes();
                self.send_reply(&reply).await;
                return Ok(());
            }
        };
        let (place, destination) =
            CompiledAction::pick(destinations, total, |total| fastrand::u64(..total)).ok_or_else(
                || Failure::new(Cause::GatewayNoUpstream, "the route has no destination"),
            )?;
        self.draft.series = serving.series(hit.index, place);
        let way = Way {
            route: hit.route,
            rules: [&hit.route.headers, &destination.headers],
            target: Rc::clone(&serving.targets[destination.target]),
            matched: hit.matched,
            times: self.times(hit.route),
        };
        self.forward(&way, scope).await
    }

    pub(super) fn body_too_large(&self) -> Failure {
        let limit = self.worker.settings.limits.request_body_bytes;
        let detail = format!("the request's body is over the limit of {limit} bytes");
        Failure { status: Some(413), ..Failure::new(Cause::ClientTooLarge, detail) }
    }

    fn times(&self, route: &CompiledRoute) -> Times {
        // gRPC needs HTTP/2; over HTTP/1.1 its name alone would take every bound off a request.
        let old = matches!(self.head.protocol, Protocol::Http10 | Protocol::Http11);
        let grpc = !old && is_grpc(&self.head.fields);
        // A stranger's deadline would turn its own haste into the service's failures.
        let trusted = self.worker.settings.trust.believes(self.client.address.ip());
        let caller = deadline::of_caller(self.head).filter(|_| trusted);
        let route_limit = route.timeout.filter(|limit| !limit.is_zero());
        // A tunnel has no end in time, but it has to begin like any other answer.
        let covers_whole = route_limit.filter(|_| !self.head.upgrade);
        let whole = match (covers_whole, caller) {
            (Some(route), Some(caller)) => Some(route.min(caller)),
            (one, other) => one.or(other),
        };
        let status_line = match route.timeout {
            Some(_) => route_limit.filter(|_| self.head.upgrade),
            None => (!grpc).then_some(self.worker.settings.timeouts.response),
        };
        Times { whole, callers: caller.is_some() && whole == caller, status_line, may_stall: !grpc }
    }
}
