//! `--upstream`s: they complete services, or make them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    hosts::Joined,
    services::{DraftSubset, Registry, Use},
};
use crate::{
    Upstream,
    diagnostic::Severity,
    names::{self, DEFAULT_NAMESPACE},
    report::{Finding, Report},
    routing::{
        Action, Destination, Endpoint, HeaderRules, HostPattern, Rewrite, Route, ServicePort,
        UpstreamProtocol, VirtualHost,
    },
};

use super::RoutePlaces;

/// What the upstreams add beside endpoints: the hosts that no document routes.
#[derive(Debug, Default)]
pub(super) struct Unrouted {
    /// Services by index, in the order of the command line; the pattern is for the clients.
    hosts: Vec<(usize, HostPattern)>,
}

impl Registry {
    /// Adds each upstream's endpoint. `routed` says whether a document routes a host.
    pub(super) fn add_upstreams(
        &mut self,
        upstreams: &[Upstream],
        uses: &[Use],
        routed: impl Fn(&str) -> bool,
        report: &mut Report,
    ) -> Unrouted {
        let mut unrouted = Unrouted::default();
        let mut nameless: Option<&Upstream> = None;
        for upstream in upstreams {
            let Some(host) = &upstream.host else {
                if let Some(first) = nameless {
                    report.push(two_nameless(first, upstream));
                    continue;
                }
                nameless = Some(upstream);
                let name = upstream.authority();
                let index = self.add(name.clone(), &name);
                self.complete(index, upstream, &[], report);
                unrouted.hosts.push((index, HostPattern::Any));
                continue;
            };
            let known = self.find(host, DEFAULT_NAMESPACE);
            let named = known.is_some_and(|index| self.drafts[index].upstream.is_none());
            let index =
                known.unwrap_or_else(|| self.add(names::canonical(host, DEFAULT_NAMESPACE), host));
            let own_uses: Vec<u16> = uses
                .iter()
                .filter(|u| self.find(&u.host, &u.namespace) == Some(index))
                .filter_map(|u| u.port)
                .collect();
            let used = uses.iter().any(|u| self.find(&u.host, &u.namespace) == Some(index));
            self.complete(index, upstream, &own_uses, report);
            let listed = unrouted.hosts.iter().any(|(other, _)| *other == index);
            if !named && !used && !listed && !routed(host) {
                unrouted.hosts.push((index, HostPattern::Exact(host.to_ascii_lowercase())));
            }
        }
        unrouted
    }

    /// Adds the endpoint to the service, and the subset and the ports that it lacks. `used` are the
    /// ports that routes name.
    fn complete(&mut self, index: usize, upstream: &Upstream, used: &[u16], report: &mut Report) {
        let draft = &mut self.drafts[index];
        let spoken = (upstream.scheme.protocol(), upstream.scheme.is_secure());
        if draft.ports.is_empty() {
            draft.ports = ports(upstream, used);
        } else if draft.upstream.is_some_and(|other| other != spoken) {
            let message = format!("`{}`: the scheme differs from that of the others", draft.name);
            report.push(
                Finding::new(Severity::Error, "upstream-scheme", message)
                    .hint("give all endpoints of a service the same scheme"),
            );
            return;
        } else if let Some(port) = draft.ports.iter().find(|p| p.protocol != spoken.0) {
            let message = format!(
                "--upstream {upstream} speaks {}, but port {} of `{}` is declared for {}",
                protocol_name(spoken.0),
                port.number,
                draft.name,
                protocol_name(port.protocol),
            );
            report.push(
                Finding::new(Severity::Error, "upstream-scheme", message)
                    .hint("change the scheme (http, h2c), or `protocol` in the ServiceEntry"),
            );
            return;
        }
        draft.upstream = Some(spoken);
        let labels = match &upstream.subset {
            None => BTreeMap::new(),
            Some(subset) => match draft.subsets.iter().find(|s| s.name.as_ref() == subset) {
                Some(known) => known.labels.clone(),
                None => {
                    let made = DraftSubset::made(subset);
                    let labels = made.labels.clone();
                    draft.subsets.push(made);
                    labels
                }
            },
        };
        let ports = draft.ports.iter().map(|p| (p.name.clone(), upstream.port)).collect();
        draft.endpoints.push(Endpoint { host: upstream.address.clone(), ports, labels });
    }
}

fn two_nameless(first: &Upstream, second: &Upstream) -> Finding {
    let message = format!("`{first}` and `{second}` are both for everything");
    Finding::new(Severity::Error, "upstream-without-host", message)
        .hint("name them: --upstream HOST=URL")
}

fn protocol_name(protocol: UpstreamProtocol) -> &'static str {
    match protocol {
        UpstreamProtocol::Http1 => "HTTP/1.1",
        UpstreamProtocol::Http2 => "HTTP/2",
    }
}

/// The ports of a service that no ServiceEntry declares: those that routes name, else the URL's.
fn ports(upstream: &Upstream, used: &[u16]) -> Vec<ServicePort> {
    let mut numbers = used.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        numbers.push(upstream.port);
    }
    let protocol = upstream.scheme.protocol();
    let alone = numbers.len() == 1;
    let name = |number| if alone { "http".to_owned() } else { format!("http-{number}") };
    numbers.into_iter().map(|number| ServicePort { number, name: name(number), protocol }).collect()
}

impl Unrouted {
    /// Adds a virtual host with one route for each service that no document routes.
    pub(super) fn add_to(self, joined: &mut Joined, registry: &Registry, report: &mut Report) {
        for (index, pattern) in self.hosts {
            let draft = &registry.drafts[index];
            let taken = joined.virtual_hosts.iter().find(|v| v.hosts.contains(&pattern));
            if let Some(taken) = taken {
                let message = format!(
                    "--upstream for {} is not used: VirtualService `{}` routes `{}`",
                    draft.name,
                    taken.name,
                    names::display(&pattern)
                );
                report.push(
                    Finding::new(Severity::Warning, "upstream-unused", message)
                        .hint("name the service that it completes: --upstream HOST=URL"),
                );
                continue;
            }
            joined.virtual_hosts.push(virtual_host(&draft.name, pattern, &draft.subsets));
            joined.places.push(vec![RoutePlaces::default()]);
        }
    }
}

/// All requests go to the service: to its subsets alike, if there are any.
fn virtual_host(name: &Arc<str>, host: HostPattern, subsets: &[DraftSubset]) -> VirtualHost {
    let destination = |subset: Option<Arc<str>>| Destination {
        service: name.clone(),
        subset,
        port: None,
        weight: 1,
        headers: HeaderRules::default(),
    };
    let destinations = if subsets.is_empty() {
        vec![destination(None)]
    } else {
        subsets.iter().map(|subset| destination(Some(subset.name.clone()))).collect()
    };
    VirtualHost {
        name: name.to_string(),
        hosts: vec![host],
        gateways: Vec::new(),
        routes: vec![Route {
            name: name.clone(),
            matches: Vec::new(),
            action: Action::Forward(destinations),
            timeout: None,
            rewrite: Rewrite::default(),
            headers: HeaderRules::default(),
        }],
    }
}
