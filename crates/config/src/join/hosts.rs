//! `VirtualService`s to virtual hosts, their destinations looked up.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    RoutePlaces,
    missing::{Missing, Part},
    services::{Draft, Registry, default_labels},
    shadow,
};
use crate::{
    diagnostic::Severity,
    names::{self, DEFAULT_NAMESPACE},
    read::{Forward, HttpRoute, RouteAction, VirtualService},
    report::{Finding, Report},
    routing::{Action, Destination, HostPattern, Route, VirtualHost},
    schema::nearest,
    source::Place,
};

/// Of how many services of one VirtualService the missing documents are written out, and of how
/// many subsets each.
const MOST_MISSING: usize = 20;

/// Virtual hosts, and where their routes were written.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) virtual_hosts: Vec<VirtualHost>,
    pub(super) places: Vec<Vec<RoutePlaces>>,
}

/// What is gathered over all VirtualServices.
struct Join<'a> {
    registry: &'a Registry,
    report: &'a mut Report,
    /// Hosts by pattern, with the gateways they are bound to.
    hosts: HashMap<HostPattern, Vec<(Vec<String>, Place)>>,
    route_names: HashMap<Arc<str>, Place>,
    /// Services of which it has been said that their endpoints are missing.
    said_missing: HashSet<String>,
}

/// Joins all VirtualServices. `bindings` are the gateways of each.
pub(super) fn join(
    virtual_services: Vec<VirtualService>,
    bindings: Vec<Vec<String>>,
    registry: &Registry,
    report: &mut Report,
) -> Joined {
    let mut join = Join {
        registry,
        report,
        hosts: HashMap::new(),
        route_names: HashMap::new(),
        said_missing: HashSet::new(),
    };
    let mut joined = Joined::default();
    let mut named: HashMap<(String, String), Place> = HashMap::new();
    for (virtual_service, gateways) in virtual_services.into_iter().zip(bindings) {
        let meta = &virtual_service.meta;
        let key = (meta.namespace.clone(), meta.name.value.clone());
        if let Some(&first) = named.get(&key) {
            let message = format!("two VirtualServices are named `{}`", meta.name.value);
            let finding = Finding::new(Severity::Error, "duplicate-name", message)
                .at(meta.name.place)
                .related(first, "the first one")
                .hint("rename one of them");
            join.report.push(finding);
        }
        named.insert(key, meta.name.place);
        let (virtual_host, places) = join.virtual_host(virtual_service, gateways);
        joined.virtual_hosts.push(virtual_host);
        joined.places.push(places);
    }
    joined
}

impl Join<'_> {
    fn virtual_host(
        &mut self,
        virtual_service: VirtualService,
        gateways: Vec<String>,
    ) -> (VirtualHost, Vec<RoutePlaces>) {
        let hosts = self.hosts(&virtual_service, &gateways);
        let meta = virtual_service.meta;
        let name = if meta.namespace == DEFAULT_NAMESPACE {
            meta.name.value
        } else {
            format!("{}/{}", meta.namespace, meta.name.value)
        };
        let (mut routes, mut places) = (Vec::new(), Vec::new());
        let mut missing = Vec::new();
        for (index, route) in virtual_service.routes.into_iter().enumerate() {
            let Some((route, at)) = self.route(route, &name, index, &meta.namespace, &mut missing)
            else {
                continue;
            };
            routes.push(route);
            places.push(at);
        }
        self.say_missing(&name, missing);
        // After an error a match may be wider than what was meant.
        if !self.report.has_errors() {
            shadow::check(&routes, &places, self.report);
        }
        (VirtualHost { name, hosts, gateways, routes }, places)
    }

    /// The patterns of a VirtualService; those that another one has are reported.
    fn hosts(&mut self, virtual_service: &VirtualService, gateways: &[String]) -> Vec<HostPattern> {
        let mut patterns = Vec::new();
        for host in &virtual_service.hosts {
            let expanded = match names::pattern(&host.value) {
                Ok(HostPattern::Exact(name)) => {
                    names::aliases(&names::canonical(&name, &virtual_service.meta.namespace))
                        .into_iter()
                        .map(HostPattern::Exact)
                        .collect()
                }
                Ok(pattern) => vec![pattern],
                Err(_) => continue,
            };
            let Some(fullest) = expanded.last() else { continue };
            let others = self.hosts.entry(fullest.clone()).or_default();
            let overlap = |other: &[String]| {
                other.is_empty()
                    || gateways.is_empty()
                    || other.iter().any(|g| gateways.contains(g))
            };
            if let Some((_, first)) = others.iter().find(|(other, _)| overlap(other)) {
                let message = format!("the host `{}` has routes in two places", host.value);
                let finding = Finding::new(Severity::Error, "duplicate-host", message)
                    .at(host.place)
                    .related(*first, "the first one")
                    .hint("write all its routes into one VirtualService: their order decides");
                self.report.push(finding);
                continue;
            }
            others.push((gateways.to_vec(), host.place));
            for pattern in expanded {
                if !patterns.contains(&pattern) {
                    patterns.push(pattern);
                }
            }
        }
        patterns
    }

    fn route(
        &mut self,
        route: HttpRoute,
        owner: &str,
        index: usize,
        namespace: &str,
        missing: &mut Vec<(Missing, Place)>,
    ) -> Option<(Route, RoutePlaces)> {
        let name: Arc<str> = match &route.name {
            Some(name) => name.value.as_str().into(),
            None => format!("{owner}[{index}]").into(),
        };
        if let Some(&first) = self.route_names.get(&name) {
            let message = format!("two routes are named `{name}`");
            let finding = Finding::new(Severity::Error, "duplicate-route", message)
                .at(route.place)
                .related(first, "the first one")
                .hint("records and metrics tell routes apart by name: rename one of them");
            self.report.push(finding);
        }
        self.route_names.insert(name.clone(), route.place);
        let action = match route.action? {
            RouteAction::Forward(forwards) => Action::Forward(
                forwards.into_iter().map(|f| self.destination(f, namespace, missing)).collect(),
            ),
            RouteAction::Redirect(redirect) => Action::Redirect(redirect),
            RouteAction::DirectResponse { status, body } => Action::DirectResponse { status, body },
        };
        if !route.whole && route.matches.is_empty() {
            return None;
        }
        let places = RoutePlaces {
            route: Some(route.place),
            timeout: route.timeout.as_ref().map(|timeout| timeout.place),
            retries: route.retries,
        };
        let route = Route {
            name,
            matches: route.matches,
            action,
            timeout: route.timeout.map(|timeout| timeout.value),
            rewrite: route.rewrite,
            headers: route.headers,
        };
        Some((route, places))
    }

    fn destination(
        &mut self,
        forward: Forward,
        namespace: &str,
        missing: &mut Vec<(Missing, Place)>,
    ) -> Destination {
        let found = self.registry.find(&forward.host.value, namespace);
        let draft = found.map(|index| &self.registry.drafts[index]);
        if let Some(draft) = draft {
            self.check_port(&forward, draft);
        }
        let part = match draft {
            None => Some(Part::Both),
            Some(draft) => self.check_subset(&forward, namespace, draft),
        };
        if let Some(part) = part {
            note_missing(&forward, namespace, part, draft, missing);
        }
        Destination {
            service: draft
                .map_or_else(|| forward.host.value.to_ascii_lowercase().into(), |d| d.name.clone()),
            subset: forward.subset.map(|subset| subset.value.as_str().into()),
            port: forward.port.map(|port| port.value),
            weight: forward.weight,
            headers: forward.headers,
        }
    }

    fn check_port(&mut self, forward: &Forward, draft: &Draft) {
        let Some(port) = &forward.port else { return };
        if draft.ports.is_empty() || draft.ports.iter().any(|p| p.number == port.value) {
            return;
        }
        let known: Vec<_> = draft.ports.iter().map(|p| p.number.to_string()).collect();
        let message = format!("`{}` has no port {}", draft.name, port.value);
        let mut finding = Finding::new(Severity::Error, "unknown-port", message)
            .at(port.place)
            .hint(format!("its ports: {}", known.join(", ")));
        if let Some(entry) = draft.entry {
            finding = finding.related(entry, "its ServiceEntry");
        }
        self.report.push(finding);
    }

    /// Reports an unknown subset of a service that is known; says which documents are missing.
    fn check_subset(&mut self, forward: &Forward, namespace: &str, draft: &Draft) -> Option<Part> {
        let endless = draft.endpoints.is_empty() && draft.entry.is_none();
        let Some(subset) = &forward.subset else { return endless.then_some(Part::Both) };
        if labels(draft, &subset.value).is_some() {
            return endless.then_some(Part::Entry);
        }
        if endless && draft.rule.is_none() {
            return Some(Part::Both);
        }
        let message = format!("`{}` has no subset `{}`", draft.name, subset.value);
        let mut finding = Finding::new(Severity::Error, "unknown-subset", message).at(subset.place);
        let known = || draft.subsets.iter().map(|s| s.name.as_ref());
        if let Some(rule) = draft.rule {
            finding = finding.related(rule, "its DestinationRule");
            finding = finding.hint(match nearest(&subset.value, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its subsets: {}", known().collect::<Vec<_>>().join(", ")),
            });
        } else if draft.upstream.is_some() && draft.entry.is_none() {
            let flag = format!("--upstream {}/{}=http://127.0.0.1:PORT", draft.name, subset.value);
            finding = finding.hint(format!("give {flag}"));
        } else {
            let mut missing = new_missing(forward, namespace, Part::Rule);
            missing.subsets.push((subset.value.clone(), default_labels(&subset.value)));
            finding = finding
                .hint("subsets are defined by a DestinationRule; this one is missing:")
                .paste(missing.documents());
        }
        self.report.push(finding);
        None
    }

    /// One warning for all services of a VirtualService whose endpoints are missing.
    fn say_missing(&mut self, owner: &str, mut missing: Vec<(Missing, Place)>) {
        missing.retain(|(one, _)| self.said_missing.insert(one.host.clone()));
        let Some((_, place)) = missing.first() else { return };
        let services: Vec<_> = missing.iter().map(|(m, _)| format!("`{}`", m.host)).collect();
        let flags: Vec<_> = missing.iter().map(|(m, _)| m.flags()).collect();
        let documents: String = missing.iter().map(|(m, _)| m.documents()).collect();
        let message = format!(
            "VirtualService `{owner}` routes to {}, but nothing says where to find it: these \
             requests are answered 503 (gateway.no_upstream)",
            services.join(", ")
        );
        let slips = missing.iter().filter_map(|(m, _)| {
            let known = self.registry.drafts.iter().filter(|d| !d.endpoints.is_empty());
            let near = nearest(&m.host, known.map(|d| d.name.as_ref()))?;
            Some(format!("did you mean `{near}`?"))
        });
        let finding = Finding::new(Severity::Warning, "missing-endpoints", message)
            .at(*place)
            .hints(slips)
            .hint(format!("give {}", flags.join(" ")))
            .hint("or add these documents, with the addresses and ports edited:")
            .paste(documents);
        self.report.push(finding);
    }
}

/// Adds a destination to those whose documents are missing.
fn note_missing(
    forward: &Forward,
    namespace: &str,
    part: Part,
    draft: Option<&Draft>,
    missing: &mut Vec<(Missing, Place)>,
) {
    let host = &forward.host;
    let known = missing.iter().position(|(m, _)| m.host == host.value);
    let index = known.unwrap_or(missing.len());
    if index >= MOST_MISSING {
        return;
    }
    if known.is_none() {
        missing.push((new_missing(forward, namespace, part), host.place));
    }
    let (Some((missing, _)), Some(subset)) = (missing.get_mut(index), &forward.subset) else {
        return;
    };
    let name = &subset.value;
    if missing.subsets.len() < MOST_MISSING && !missing.subsets.iter().any(|(n, _)| n == name) {
        let labels = draft.and_then(|d| labels(d, name)).unwrap_or_else(|| default_labels(name));
        missing.subsets.push((name.clone(), labels));
    }
}

fn new_missing(forward: &Forward, namespace: &str, part: Part) -> Missing {
    Missing {
        host: forward.host.value.clone(),
        namespace: namespace.to_owned(),
        port: forward.port.as_ref().map(|port| port.value),
        part,
        subsets: Vec::new(),
    }
}

fn labels(draft: &Draft, subset: &str) -> Option<std::collections::BTreeMap<String, String>> {
    draft.subsets.iter().find(|s| s.name.as_ref() == subset).map(|s| s.labels.clone())
}
