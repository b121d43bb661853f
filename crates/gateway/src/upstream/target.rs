use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use config::routing::{LoadBalancer, Promises, Service, TrafficPolicy, UpstreamProtocol};
use model::Cause;
use tokio::{sync::Semaphore, time::timeout};

use super::Endpoint;
use crate::{
    failure::Failure,
    observe::{Counted, Observatory, PoolGauges, lock},
    router::TargetKey,
    tls::{TlsError, UpstreamConnector},
};

/// What all workers share about a service, or a subset of it, as one port of it is called.
#[derive(Debug)]
pub(crate) struct SharedTarget {
    pub(crate) key: TargetKey,
    pub(crate) policy: TrafficPolicy,
    pub(crate) promises: Promises,
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) tls: Option<UpstreamConnector>,
    pub(crate) gauges: Arc<PoolGauges>,
    /// Host and port of each endpoint, as configured.
    places: Vec<(String, u16)>,
    /// Why there is no endpoint to send to, whatever the names resolve to.
    missing: Option<String>,
    /// Requests that are with the service: connections over HTTP/1.1, streams over HTTP/2.
    permits: Semaphore,
    /// How many those are at most.
    most_active: u32,
    waiting: AtomicUsize,
    resolved: Mutex<Resolved>,
    /// Counts changes of `resolved`, so that workers look at it only then.
    generation: AtomicU64,
}

/// What the names of a target's endpoints resolve to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    error: Option<String>,
}

impl SharedTarget {
    pub(crate) fn new(
        key: TargetKey,
        service: Option<&Service>,
        observatory: &Observatory,
    ) -> Result<Self, TlsError> {
        let subset = key
            .subset
            .as_ref()
            .and_then(|name| service?.subsets.iter().find(|subset| subset.name == *name));
        let policy = subset
            .map(|subset| &subset.policy)
            .or_else(|| service.map(|service| &service.policy))
            .cloned()
            .unwrap_or_default();
        let port = service.and_then(|service| match key.port {
            Some(number) => service.ports.iter().find(|port| port.number == number),
            None => service.ports.first(),
        });
        let mut places = Vec::new();
        for endpoint in service.iter().flat_map(|service| &service.endpoints) {
            let selected = subset.is_none_or(|subset| {
                subset.labels.iter().all(|(name, value)| endpoint.labels.get(name) == Some(value))
            });
            if let Some(port) = port.filter(|_| selected) {
                let number = endpoint.ports.get(&port.name).copied().unwrap_or(port.number);
                places.push((endpoint.host.clone(), number));
            }
        }
        let missing = why_missing(&key, service, subset.is_some(), port.is_some(), &places);
        let protocol = port.map_or(UpstreamProtocol::Http1, |port| port.protocol);
        let tls = policy
            .tls
            .as_ref()
            .map(|tls| UpstreamConnector::new(tls, &key.service, protocol))
            .transpose()?;
        let most_active = match protocol {
            UpstreamProtocol::Http1 => policy.max_connections,
            UpstreamProtocol::Http2 => policy.max_requests,
        };
        let target = Self {
            permits: Semaphore::new((most_active as usize).clamp(1, Semaphore::MAX_PERMITS)),
            most_active,
            waiting: AtomicUsize::new(0),
            resolved: Mutex::default(),
            generation: AtomicU64::new(0),
            promises: service.map(|service| service.promises).unwrap_or_default(),
            gauges: observatory.pool(&key.service, key.subset.as_ref()),
            key,
            policy,
            protocol,
            tls,
            places,
            missing,
        };
        // Addresses need no resolving, and are there before the first request.
        let plain: Option<Vec<_>> = target.places.iter().map(plain_address).collect();
        if let Some(addresses) = plain {
            target.set_resolved(Resolved { addresses, error: None });
        }
        Ok(target)
    }

    /// Whether any endpoint is given by a name.
    pub(crate) fn has_names(&self) -> bool {
        self.places.iter().any(|place| plain_address(place).is_none())
    }

    /// Resolves the names again. Blocks, as the system's resolver does. A name that fails keeps
    /// what it resolved to before, if anything.
    pub(crate) fn resolve(&self) -> Result<(), String> {
        use std::net::ToSocketAddrs as _;
        let mut found = Resolved::default();
        for (host, port) in &self.places {
            match (host.as_str(), *port).to_socket_addrs() {
                Ok(addresses) => found.addresses.extend(addresses),
                Err(error) => found.error = Some(format!("{host}: {error}")),
            }
        }
        found.addresses.sort_unstable();
        found.addresses.dedup();
        let failed = found.error.clone();
        let before = lock(&self.resolved).clone();
        if found.addresses.is_empty() && !before.addresses.is_empty() {
            found.addresses = before.addresses.clone();
        }
        if found != before {
            self.set_resolved(found);
        }
        failed.map_or(Ok(()), Err)
    }

    fn set_resolved(&self, resolved: Resolved) {
        *lock(&self.resolved) = resolved;
        self.generation.fetch_add(1, Relaxed);
    }

    /// A place among the requests that may be with the service at once, where one is free.
    pub(crate) fn free_place(self: &Arc<Self>) -> Option<Place> {
        let permit = self.permits.try_acquire().ok()?;
        permit.forget();
        Some(Place::new(self))
    }

    /// Waits for a place among the requests that may be with the service at once.
    pub(crate) async fn place(self: &Arc<Self>, wait: Duration) -> Result<Place, Failure> {
        let most = self.policy.max_pending_requests as usize;
        let waiting = self.waiting.fetch_add(1, Relaxed);
        rearguard::defer! { self.waiting.fetch_sub(1, Relaxed); }
        if waiting >= most {
            return Err(Failure::new(
                Cause::GatewayCircuitOpen,
                format!(
                    "all {} places are taken and {most} requests wait already",
                    self.most_active
                ),
            ));
        }
        let _counted = Counted::new(&self.gauges.waiting);
        match timeout(wait, self.permits.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(Place::new(self))
            }
            // The semaphore is never closed.
            Ok(Err(_)) => Err(Failure::new(Cause::GatewayInternal, "the pool was closed")),
            Err(_) => Err(Failure::new(
                Cause::GatewayQueueTimedOut,
                format!("no place became free among {} within {wait:?}", self.most_active),
            )),
        }
    }
}

fn plain_address(place: &(String, u16)) -> Option<SocketAddr> {
    place.0.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, place.1))
}

fn why_missing(
    key: &TargetKey,
    service: Option<&Service>,
    has_subset: bool,
    has_port: bool,
    places: &[(String, u16)],
) -> Option<String> {
    let name = &key.service;
    match (service, &key.subset) {
        (None, _) => Some(format!("no ServiceEntry has the host {name}")),
        (Some(_), Some(subset)) if !has_subset => {
            Some(format!("no DestinationRule defines subset {subset} of {name}"))
        }
        _ if !has_port => Some(match key.port {
            Some(port) => format!("{name} has no port {port}"),
            None => format!("{name} has no port"),
        }),
        (_, Some(subset)) if places.is_empty() => {
            Some(format!("no endpoint of {name} has the labels of subset {subset}"))
        }
        _ if places.is_empty() => Some(format!("{name} has no endpoints")),
        _ => None,
    }
}

/// One of the requests that may be with a service at once; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<SharedTarget>);

impl Place {
    fn new(target: &Arc<SharedTarget>) -> Self {
        target.gauges.active.fetch_add(1, Relaxed);
        Self(Arc::clone(target))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.gauges.active.fetch_sub(1, Relaxed);
        self.0.permits.add_permits(1);
    }
}

/// One worker's side of a target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) shared: Arc<SharedTarget>,
    endpoints: RefCell<Vec<Rc<Endpoint>>>,
    generation: Cell<u64>,
    next: Cell<usize>,
}

/// What is still in the pools is closed with them, and counted so.
impl Drop for Target {
    fn drop(&mut self) {
        self.close_idle();
    }
}

impl Target {
    pub(crate) fn new(shared: Arc<SharedTarget>) -> Self {
        let endpoints = RefCell::default();
        Self { shared, endpoints, generation: Cell::new(0), next: Cell::new(0) }
    }

    /// Brings the endpoints up to what the names resolve to now; kept ones keep their pools.
    fn refresh(&self) {
        let generation = self.shared.generation.load(Relaxed);
        if generation == self.generation.get() {
            return;
        }
        self.generation.set(generation);
        let addresses = lock(&self.shared.resolved).addresses.clone();
        let mut endpoints = self.endpoints.borrow_mut();
        let before = std::mem::take(&mut *endpoints);
        for address in addresses {
            let known = before.iter().find(|endpoint| endpoint.address == address);
            endpoints.push(known.map_or_else(|| Rc::new(Endpoint::new(address)), Rc::clone));
        }
        for gone in before.iter().filter(|old| !endpoints.iter().any(|kept| Rc::ptr_eq(old, kept)))
        {
            gone.close_idle(&self.shared);
        }
    }

    /// Chooses an endpoint that is not among `tried`, or any where all have been.
    ///
    /// # Errors
    /// `gateway.no_upstream` or `upstream.dns_failed`.
    pub(crate) fn choose(&self, tried: &[SocketAddr]) -> Result<Rc<Endpoint>, Failure> {
        self.refresh();
        let endpoints = self.endpoints.borrow();
        let count = endpoints.len();
        if count == 0 {
            return Err(self.why_empty());
        }
        let fewer_active = |a: usize, b: usize| {
            if endpoints[a].active.get() <= endpoints[b].active.get() { a } else { b }
        };
        let first = match self.shared.policy.load_balancer {
            _ if count == 1 => 0,
            LoadBalancer::RoundRobin => {
                self.next.set(self.next.get().wrapping_add(1));
                self.next.get() % count
            }
            LoadBalancer::Random => fastrand::usize(..count),
            LoadBalancer::LeastRequest => {
                let one = fastrand::usize(..count);
                fewer_active(one, (one + fastrand::usize(1..count)) % count)
            }
        };
        let untried = (0..count)
            .map(|step| (first + step) % count)
            .find(|index| !tried.contains(&endpoints[*index].address));
        Ok(Rc::clone(&endpoints[untried.unwrap_or(first)]))
    }

    /// How many endpoints there are.
    pub(crate) fn count(&self) -> usize {
        self.endpoints.borrow().len()
    }

    fn why_empty(&self) -> Failure {
        if let Some(missing) = &self.shared.missing {
            return Failure::new(Cause::GatewayNoUpstream, missing.clone());
        }
        let resolved = lock(&self.shared.resolved).clone();
        let error = resolved.error.unwrap_or_else(|| "not resolved yet".to_owned());
        Failure::new(Cause::UpstreamDnsFailed, format!("resolving failed: {error}"))
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn sweep(&self, default: Duration, cx: &mut std::task::Context<'_>) {
        for endpoint in self.endpoints.borrow().iter() {
            endpoint.sweep(&self.shared, default, cx);
        }
    }

    /// Closes every idle connection.
    pub(crate) fn close_idle(&self) {
        for endpoint in self.endpoints.borrow().iter() {
            endpoint.close_idle(&self.shared);
        }
    }
}
