//! Documents and `--upstream`s joined into one [`Routing`].

mod bindings;
mod hosts;
mod listeners;
mod missing;
mod policy;
mod services;
mod shadow;
mod upstreams;

use crate::{
    Defaults, Upstream, names,
    read::{Documents, Promised, Retries, VirtualService},
    report::Report,
    routing::Routing,
    source::Place,
};

/// Where the parts of a [`Routing`] were written, index by index.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By virtual host and route.
    pub(crate) routes: Vec<Vec<RoutePlaces>>,
    pub(crate) services: Vec<ServicePlaces>,
}

/// Where a route was written.
#[derive(Debug, Default)]
pub(crate) struct RoutePlaces {
    pub(crate) route: Option<Place>,
    pub(crate) timeout: Option<Place>,
    pub(crate) retries: Option<Retries>,
}

/// Where what a service says of its timeouts was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServicePlaces {
    pub(crate) promised: Promised,
    pub(crate) timeouts: PolicyPlaces,
    /// Index by index with the subsets.
    pub(crate) subsets: Vec<PolicyPlaces>,
}

/// Where the timeouts of a policy were written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PolicyPlaces {
    pub(crate) connect: Option<Place>,
    pub(crate) idle: Option<Place>,
}

/// Joins everything, reporting what does not fit together.
pub(crate) fn join(
    documents: Documents,
    upstreams: &[Upstream],
    defaults: &Defaults,
    report: &mut Report,
) -> (Routing, Places) {
    let Documents { gateways, service_entries, destination_rules, virtual_services } = documents;
    let mut registry = services::Registry::default();
    registry.add_entries(&service_entries, report);
    registry.add_rules(&destination_rules, report);
    let uses = services::destinations(&virtual_services);
    let unrouted =
        registry.add_upstreams(upstreams, &uses, |host| routes(&virtual_services, host), report);
    registry.check_rules(&destination_rules, &uses, report);
    let listeners = listeners::join(&gateways, report);
    let bindings = virtual_services.iter().map(|v| bindings::bind(v, &gateways, report)).collect();
    let mut joined = hosts::join(virtual_services, bindings, &registry, report);
    unrouted.add_to(&mut joined, &registry, report);
    let (services, service_places) = registry.finish(defaults, report);
    let routing = Routing { listeners, services, virtual_hosts: joined.virtual_hosts };
    (routing, Places { routes: joined.places, services: service_places })
}

/// Whether one of the VirtualServices is for this host.
fn routes(virtual_services: &[VirtualService], host: &str) -> bool {
    virtual_services.iter().any(|v| {
        let full = |host: &str| names::canonical(host, &v.meta.namespace);
        v.hosts.iter().any(|own| full(&own.value) == full(host))
    })
}
