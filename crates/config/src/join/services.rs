//! The services: from `ServiceEntry`s, `DestinationRule`s and `--upstream`s.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{ServicePlaces, policy};
use crate::{
    Defaults,
    diagnostic::Severity,
    names,
    read::{DestinationRule, Policy, Promised, RouteAction, ServiceEntry, VirtualService},
    report::{Finding, Report},
    routing::{Endpoint, Promises, Service, ServicePort, Subset, UpstreamProtocol, UpstreamTls},
    source::Place,
};

/// A service that is being put together.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: Arc<str>,
    pub(super) ports: Vec<ServicePort>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) subsets: Vec<DraftSubset>,
    /// Where its ServiceEntry names it.
    pub(super) entry: Option<Place>,
    /// Where its DestinationRule names it.
    pub(super) rule: Option<Place>,
    pub(super) policy: Policy,
    promised: Promised,
    /// The ports whose protocol is HTTPS.
    secure_ports: Vec<Place>,
    /// Whether an `--upstream` says that TLS is spoken; `None` when there is no such.
    pub(super) upstream: Option<(UpstreamProtocol, bool)>,
}

/// A subset that is being put together.
#[derive(Debug)]
pub(super) struct DraftSubset {
    pub(super) name: Arc<str>,
    pub(super) labels: BTreeMap<String, String>,
    place: Option<Place>,
    policy: Policy,
}

/// All services, found by the names that documents use for them.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) drafts: Vec<Draft>,
    by_name: HashMap<String, usize>,
    by_short_name: HashMap<String, Vec<usize>>,
}

/// A service that a route names.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) port: Option<u16>,
}

/// Every destination of every route.
pub(super) fn destinations(virtual_services: &[VirtualService]) -> Vec<Use> {
    let mut uses = Vec::new();
    for virtual_service in virtual_services {
        for route in &virtual_service.routes {
            let Some(RouteAction::Forward(forwards)) = &route.action else { continue };
            uses.extend(forwards.iter().map(|forward| Use {
                host: forward.host.value.clone(),
                namespace: virtual_service.meta.namespace.clone(),
                port: forward.port.as_ref().map(|port| port.value),
            }));
        }
    }
    uses
}

impl Registry {
    /// The service that a document in `namespace` calls `host`: by its full name; else as
    /// `NAME.NAMESPACE`; else, as namespaces matter little without a cluster, the only one of
    /// that short name.
    pub(super) fn find(&self, host: &str, namespace: &str) -> Option<usize> {
        let full = names::canonical(host, namespace);
        if let Some(&index) = self.by_name.get(&full) {
            return Some(index);
        }
        if let Some(&index) = self.by_name.get(&format!("{full}.svc.cluster.local")) {
            return Some(index);
        }
        if host.contains('.') {
            return None;
        }
        match self.by_short_name.get(&host.to_ascii_lowercase()).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        }
    }

    /// A new service, by its full name.
    pub(super) fn add(&mut self, full_name: String, name: &str) -> usize {
        let index = self.drafts.len();
        self.by_short_name.entry(names::short(&full_name).to_owned()).or_default().push(index);
        self.by_name.insert(full_name, index);
        self.drafts.push(Draft {
            name: name.to_ascii_lowercase().into(),
            ports: Vec::new(),
            endpoints: Vec::new(),
            subsets: Vec::new(),
            entry: None,
            rule: None,
            policy: Policy::default(),
            promised: Promised::default(),
            secure_ports: Vec::new(),
            upstream: None,
        });
        index
    }

    pub(super) fn add_entries(&mut self, entries: &[ServiceEntry], report: &mut Report) {
        for entry in entries {
            for host in &entry.hosts {
                let full = names::canonical(&host.value, &entry.meta.namespace);
                if let Some(&twin) = self.by_name.get(&full) {
                    let message = format!("two ServiceEntries have the host `{}`", host.value);
                    let mut finding = Finding::new(Severity::Error, "duplicate-service", message)
                        .at(host.place)
                        .hint("write all endpoints into one of them");
                    if let Some(place) = self.drafts[twin].entry {
                        finding = finding.related(place, "the first one");
                    }
                    report.push(finding);
                    continue;
                }
                let index = self.add(full, &host.value);
                let draft = &mut self.drafts[index];
                draft.entry = Some(host.place);
                draft.ports = entry.ports.iter().map(|p| p.port.clone()).collect();
                draft.secure_ports =
                    entry.ports.iter().filter(|p| p.tls).map(|p| p.place).collect();
                draft.endpoints.clone_from(&entry.endpoints);
                draft.promised = entry.promised;
            }
        }
    }

    pub(super) fn add_rules(&mut self, rules: &[DestinationRule], report: &mut Report) {
        for rule in rules {
            let (host, namespace) = (&rule.host.value, &rule.meta.namespace);
            let index = self
                .find(host, namespace)
                .unwrap_or_else(|| self.add(names::canonical(host, namespace), host));
            let draft = &mut self.drafts[index];
            if let Some(first) = draft.rule {
                let message = format!("two DestinationRules are for `{host}`");
                let finding = Finding::new(Severity::Error, "duplicate-rule", message)
                    .at(rule.host.place)
                    .related(first, "the first one")
                    .hint("write all subsets into one of them");
                report.push(finding);
                continue;
            }
            draft.rule = Some(rule.host.place);
            draft.policy = rule.policy.clone();
            if rule.policy.pool.as_ref().is_some_and(|pool| pool.upgrade) {
                for port in &mut draft.ports {
                    port.protocol = UpstreamProtocol::Http2;
                }
            }
            draft.subsets = rule
                .subsets
                .iter()
                .map(|subset| DraftSubset {
                    name: subset.name.value.as_str().into(),
                    labels: subset.labels.clone(),
                    place: Some(subset.name.place),
                    policy: subset.policy.clone(),
                })
                .collect();
        }
    }

    /// Warns about rules for services that are neither declared nor used.
    pub(super) fn check_rules(&self, rules: &[DestinationRule], uses: &[Use], report: &mut Report) {
        let used: HashSet<_> =
            uses.iter().filter_map(|u| self.find(&u.host, &u.namespace)).collect();
        for rule in rules {
            let Some(index) = self.find(&rule.host.value, &rule.meta.namespace) else { continue };
            let draft = &self.drafts[index];
            if draft.entry.is_some() || draft.upstream.is_some() || used.contains(&index) {
                continue;
            }
            let others = self.drafts.iter().filter(|d| d.rule.is_none()).map(|d| d.name.as_ref());
            if report.is_full() {
                break;
            }
            let hint = match crate::schema::nearest(&rule.host.value, others) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write a ServiceEntry for it, or remove the rule".to_owned(),
            };
            let message =
                format!("no ServiceEntry and no route names the service `{}`", rule.host.value);
            report.warning("unused-rule", rule.host.place, message, hint);
        }
    }

    /// The services as the gateway takes them, and where they were written.
    pub(super) fn finish(
        self,
        defaults: &Defaults,
        report: &mut Report,
    ) -> (Vec<Service>, Vec<ServicePlaces>) {
        self.drafts.into_iter().map(|draft| draft.finish(defaults, report)).unzip()
    }
}

impl DraftSubset {
    /// A subset that no document defines.
    pub(super) fn made(name: &str) -> Self {
        Self {
            name: name.into(),
            labels: default_labels(name),
            place: None,
            policy: Policy::default(),
        }
    }

    /// Whether an endpoint belongs to it.
    fn selects(&self, endpoint: &Endpoint) -> bool {
        self.labels.iter().all(|(name, value)| endpoint.labels.get(name) == Some(value))
    }
}

/// The labels of a subset that no document defines: the custom of Istio's examples.
pub(super) fn default_labels(subset: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("version".to_owned(), subset.to_owned())])
}

impl Draft {
    fn finish(mut self, defaults: &Defaults, report: &mut Report) -> (Service, ServicePlaces) {
        self.check_subsets(report);
        self.secure(report);
        let (policy, timeouts) = policy::complete(&self.policy, None, defaults);
        let mut places = ServicePlaces { promised: self.promised, timeouts, subsets: Vec::new() };
        let mut subsets = Vec::new();
        for subset in self.subsets {
            let (policy, timeouts) = policy::complete(&subset.policy, Some(&self.policy), defaults);
            places.subsets.push(timeouts);
            subsets.push(Subset { name: subset.name, labels: subset.labels, policy });
        }
        let promised = &places.promised;
        let service = Service {
            name: self.name,
            ports: self.ports,
            endpoints: self.endpoints,
            subsets,
            policy,
            promises: Promises {
                write_timeout: promised.write_timeout.as_ref().map(|t| t.value),
                handler_deadline: promised.handler_deadline.as_ref().map(|t| t.value),
                keep_alive: promised.keep_alive.as_ref().map(|t| t.value),
            },
        };
        (service, places)
    }

    fn check_subsets(&self, report: &mut Report) {
        if self.endpoints.is_empty() {
            return;
        }
        for subset in &self.subsets {
            let Some(place) = subset.place else { continue };
            if self.endpoints.iter().any(|endpoint| subset.selects(endpoint)) {
                continue;
            }
            let message = format!(
                "the subset `{}` selects no endpoint of `{}`: none has {}",
                subset.name,
                self.name,
                pairs(&subset.labels)
            );
            let mut known: Vec<_> = self.endpoints.iter().map(|e| pairs(&e.labels)).collect();
            known.sort();
            known.dedup();
            known.truncate(8);
            let finding = Finding::new(Severity::Warning, "empty-subset", message)
                .at(place)
                .hint(format!("its endpoints have: {}", known.join("; ")))
                .hint(format!("or give --upstream {}/{}=URL", self.name, subset.name));
            report.push(finding);
        }
    }

    /// TLS where an `--upstream` or a port's protocol says so and no rule does.
    fn secure(&mut self, report: &mut Report) {
        if self.policy.tls.is_some() {
            return;
        }
        if let Some((_, secure)) = self.upstream {
            if secure {
                self.policy.tls = Some(Some(UpstreamTls::default()));
            }
            return;
        }
        let Some(&place) = self.secure_ports.first() else { return };
        if self.secure_ports.len() < self.ports.len() {
            let message = "a service with ports for HTTP and for HTTPS is not supported yet";
            let hint = "write a ServiceEntry for each, or `tls` in a DestinationRule";
            report.error("not-yet", place, message, hint);
            return;
        }
        self.policy.tls = Some(Some(UpstreamTls::default()));
        let message = format!("TLS is spoken to `{}`, as its port is HTTPS", self.name);
        let hint = "Istio needs a DestinationRule with `tls: {mode: SIMPLE}` for this; write one \
                    to say so, or to choose the authorities";
        report.push(Finding::new(Severity::Note, "tls-by-port", message).at(place).hint(hint));
    }
}

/// Labels as `name=value`.
fn pairs(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "no labels".to_owned();
    }
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}
