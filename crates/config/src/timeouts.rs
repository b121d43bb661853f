//! Timeouts that must agree along each path: route, then service.
//!
//! Each disagreement is one that shows only under load or during an incident: work that goes on
//! after its caller has been told 504, connections that are closed as a request goes out on them.

use std::{collections::HashSet, time::Duration};

use crate::{
    Defaults,
    diagnostic::Severity,
    duration::display,
    join::{Places, PolicyPlaces, RoutePlaces, ServicePlaces},
    report::{Finding, Report},
    routing::{Action, Destination, Route, Routing, Service, TrafficPolicy},
    source::Place,
};

/// Reports the disagreements.
pub(crate) fn check(routing: &Routing, places: &Places, defaults: &Defaults, report: &mut Report) {
    for (service, at) in routing.services.iter().zip(&places.services) {
        check_service(service, at, report);
        check_keep_alive(service, at, defaults, report);
    }
    let mut said = HashSet::new();
    for (virtual_host, at) in routing.virtual_hosts.iter().zip(&places.routes) {
        for (route, at) in virtual_host.routes.iter().zip(at) {
            let limit = Limit::of(route, at, defaults);
            check_retries(route, at, &limit, report);
            let Action::Forward(destinations) = &route.action else { continue };
            for destination in destinations {
                let found = routing.services.iter().position(|s| s.name == destination.service);
                let Some(index) = found else { continue };
                let Some(service_places) = places.services.get(index) else { continue };
                let service = &routing.services[index];
                let path = Path { route, destination, service, places: service_places };
                path.check(&limit, &mut said, report);
            }
        }
    }
}

/// What limits a response, and who says so.
struct Limit {
    value: Duration,
    /// Where it is written; `None` for the default.
    place: Option<Place>,
    is_default: bool,
    /// Where the route is written.
    route: Option<Place>,
}

impl Limit {
    fn of(route: &Route, at: &RoutePlaces, defaults: &Defaults) -> Self {
        Self {
            value: route.timeout.unwrap_or(defaults.response_timeout),
            place: at.timeout,
            is_default: route.timeout.is_none(),
            route: at.route,
        }
    }

    /// As the subject of a sentence.
    fn name(&self, route: &Route) -> String {
        if self.is_default {
            format!("the default timeout of {}", display(self.value))
        } else {
            format!("the timeout of {} of route `{}`", display(self.value), route.name)
        }
    }
}

/// One way from a route to a service.
struct Path<'a> {
    route: &'a Route,
    destination: &'a Destination,
    service: &'a Service,
    places: &'a ServicePlaces,
}

/// What has been said, so that it is said once: the code, the service, and where.
type Said = HashSet<(&'static str, std::sync::Arc<str>, Option<Place>)>;

impl Path<'_> {
    fn check(&self, limit: &Limit, said: &mut Said, report: &mut Report) {
        let mut say = |finding: Option<(&'static str, Finding)>, report: &mut Report| {
            let Some((code, finding)) = finding else { return };
            if said.insert((code, self.service.name.clone(), limit.place)) {
                report.push(finding);
            }
        };
        if limit.value.is_zero() {
            say(self.no_limit(limit), report);
            return;
        }
        say(self.below_deadline(limit), report);
        say(self.write_timeout_first(limit), report);
        say(self.connect_too_long(limit), report);
    }

    fn no_limit(&self, limit: &Limit) -> Option<(&'static str, Finding)> {
        let promises = self.service.promises;
        if promises.write_timeout.is_some() || promises.handler_deadline.is_some() {
            return None;
        }
        let code = "no-timeout";
        let message = format!(
            "nothing limits a request by route `{}` to `{}`: one that hangs holds its connections \
             for ever",
            self.route.name, self.service.name
        );
        let finding = Finding::new(Severity::Error, code, message)
            .at_some(limit.place.or(limit.route))
            .hint("write a timeout, such as `timeout: 10s`, or remove it for the default")
            .hint(
                "or declare the service's own, by the annotation rearguard.dev/handler-deadline or \
                 rearguard.dev/write-timeout on its ServiceEntry; Go's http.Server has none unless \
                 it is set, nginx waits 60s by default",
            );
        Some((code, finding))
    }

    fn below_deadline(&self, limit: &Limit) -> Option<(&'static str, Finding)> {
        let deadline = self.places.promised.handler_deadline.as_ref()?;
        if limit.value >= deadline.value {
            return None;
        }
        let code = "timeout-below-deadline";
        let message = format!(
            "{} is below the handler deadline of {} of `{}`: the caller gets 504 while the work \
             goes on",
            limit.name(self.route),
            display(deadline.value),
            self.service.name
        );
        let longer = display(deadline.value.saturating_add(Duration::from_secs(1)));
        let finding = two_places(code, message, limit, deadline.place, "declared here")
            .hint(format!("raise the route's timeout above it, such as `timeout: {longer}`"))
            .hint("or lower the deadline in the service, so that it stops first");
        Some((code, finding))
    }

    fn write_timeout_first(&self, limit: &Limit) -> Option<(&'static str, Finding)> {
        let write = self.places.promised.write_timeout.as_ref()?;
        if write.value >= limit.value {
            return None;
        }
        let code = "write-timeout-below-timeout";
        let message = format!(
            "`{}` closes the connection after {}, before {}: the close has no status line and \
             looks like a panic",
            self.service.name,
            display(write.value),
            limit.name(self.route)
        );
        let finding = Finding::new(Severity::Note, code, message)
            .at(write.place)
            .hint(format!(
                "a close about {} after the request is this write timeout, not a panic",
                display(write.value)
            ))
            .hint("or set the route's timeout below it, so that the caller gets 504");
        Some((code, finding))
    }

    fn connect_too_long(&self, limit: &Limit) -> Option<(&'static str, Finding)> {
        let (policy, places) = self.policy();
        if policy.connect_timeout < limit.value {
            return None;
        }
        let code = "connect-timeout-above-timeout";
        let message = format!(
            "the connect timeout of {} to `{}` is not below {}: it never fires",
            display(policy.connect_timeout),
            self.service.name,
            limit.name(self.route)
        );
        let mut finding = Finding::new(Severity::Warning, code, message)
            .at_some(places.connect.or(limit.place).or(limit.route))
            .hint("a connection that cannot be made is then told as a slow response: lower it by `connectTimeout`");
        if let (Some(_), Some(timeout)) = (places.connect, limit.place) {
            finding = finding.related(timeout, "the route's timeout");
        }
        Some((code, finding))
    }

    /// The policy of the subset, or the service's.
    fn policy(&self) -> (&TrafficPolicy, PolicyPlaces) {
        let subset = self.destination.subset.as_ref();
        let index =
            subset.and_then(|name| self.service.subsets.iter().position(|s| s.name == *name));
        match index {
            Some(index) => (
                &self.service.subsets[index].policy,
                self.places.subsets.get(index).copied().unwrap_or_default(),
            ),
            None => (&self.service.policy, self.places.timeouts),
        }
    }
}

/// A warning at the route's timeout and the service's word; at the latter alone for the default.
fn two_places(
    code: &'static str,
    message: String,
    limit: &Limit,
    word: Place,
    label: &str,
) -> Finding {
    let finding = Finding::new(Severity::Warning, code, message);
    match limit.place {
        Some(place) => finding.at(place).related(word, label),
        None => finding.at(word).label(label),
    }
}

/// What a service says of itself that does not agree.
fn check_service(service: &Service, at: &ServicePlaces, report: &mut Report) {
    let promised = &at.promised;
    if let (Some(write), Some(deadline)) = (&promised.write_timeout, &promised.handler_deadline)
        && write.value < deadline.value
    {
        let message = format!(
            "the write timeout of {} of `{}` is below its handler deadline of {}: an answer that \
             takes longer is cut off without a status line",
            display(write.value),
            service.name,
            display(deadline.value)
        );
        let finding =
            Finding::new(Severity::Warning, "write-timeout-below-deadline", message)
                .at(write.place)
                .related(deadline.place, "the handler deadline")
                .hint("raise the write timeout above the deadline (Go: http.Server.WriteTimeout; its default is none)");
        report.push(finding);
    }
}

/// A pool that keeps connections longer than the service does.
fn check_keep_alive(
    service: &Service,
    at: &ServicePlaces,
    defaults: &Defaults,
    report: &mut Report,
) {
    let Some(keep_alive) = &at.promised.keep_alive else { return };
    if service.policy.idle_timeout.is_none() && defaults.idle_timeout >= keep_alive.value {
        let message = format!(
            "`{}` closes idle connections after {}, before the default of {} in the pool: they \
             are closed earlier here",
            service.name,
            display(keep_alive.value),
            display(defaults.idle_timeout)
        );
        let finding = Finding::new(Severity::Note, "short-keep-alive", message)
            .at(keep_alive.place)
            .hint("nothing needs to be done: the gateway keeps to it, less a margin")
            .hint("a longer keep-alive in the service saves connections (Go: http.Server.IdleTimeout)");
        report.push(finding);
    }
    let policies = std::iter::once((&service.policy, at.timeouts))
        .chain(service.subsets.iter().map(|s| &s.policy).zip(at.subsets.iter().copied()));
    let mut said = Vec::new();
    for (policy, places) in policies {
        let (Some(idle), Some(place)) = (policy.idle_timeout, places.idle) else { continue };
        if idle < keep_alive.value || said.contains(&place) {
            continue;
        }
        said.push(place);
        let message = format!(
            "the pool would keep idle connections for {}, but `{}` closes them after {}: a request \
             that goes out as it closes fails",
            display(idle),
            service.name,
            display(keep_alive.value)
        );
        let finding = Finding::new(Severity::Warning, "idle-race", message)
            .at(place)
            .related(keep_alive.place, "declared here")
            .hint("write an `idleTimeout` below the service's keep-alive, or remove it")
            .hint(
                "the gateway keeps to the declared keep-alive less a margin; other clients may not",
            );
        report.push(finding);
    }
}

/// Tries that the route's timeout never leaves time for.
fn check_retries(route: &Route, at: &RoutePlaces, limit: &Limit, report: &mut Report) {
    let Some(retries) = &at.retries else { return };
    let tries = retries.attempts.saturating_add(1);
    let Some(needed) = retries.per_try_timeout.value.checked_mul(tries) else { return };
    if limit.value.is_zero() || needed <= limit.value {
        return;
    }
    let message = format!(
        "{tries} tries of {} take up to {}, but {} ends them before: the last never happens",
        display(retries.per_try_timeout.value),
        display(needed),
        limit.name(route)
    );
    let finding = Finding::new(Severity::Warning, "tries-above-timeout", message)
        .at(retries.per_try_timeout.place)
        .hint("lower `attempts` or `perTryTimeout`, or raise `timeout`");
    report.push(finding);
}
