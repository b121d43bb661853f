//! `trafficPolicy` with defaults filled in.

use super::PolicyPlaces;
use crate::{Defaults, read::Policy, routing::TrafficPolicy};

/// The policy of a service, or of a subset whose service has the policy `base`. Each part that
/// `own` has replaces that part of `base` as a whole, as in Istio.
pub(super) fn complete(
    own: &Policy,
    base: Option<&Policy>,
    defaults: &Defaults,
) -> (TrafficPolicy, PolicyPlaces) {
    let standard = TrafficPolicy::default();
    let pool = own.pool.as_ref().or_else(|| base?.pool.as_ref()).cloned().unwrap_or_default();
    let tls = own.tls.clone().or_else(|| base?.tls.clone());
    let policy = TrafficPolicy {
        load_balancer: own.balancer.or_else(|| base?.balancer).unwrap_or(standard.load_balancer),
        max_connections: pool.max_connections.unwrap_or(standard.max_connections),
        connect_timeout: pool
            .connect_timeout
            .as_ref()
            .map_or(defaults.connect_timeout, |timeout| timeout.value),
        max_pending_requests: pool.max_pending_requests.unwrap_or(standard.max_pending_requests),
        max_requests: pool.max_requests.unwrap_or(standard.max_requests),
        max_requests_per_connection: pool
            .max_requests_per_connection
            .unwrap_or(standard.max_requests_per_connection),
        idle_timeout: pool.idle_timeout.as_ref().map(|timeout| timeout.value),
        tls: tls.flatten(),
    };
    let places = PolicyPlaces {
        connect: pool.connect_timeout.map(|timeout| timeout.place),
        idle: pool.idle_timeout.map(|timeout| timeout.place),
    };
    (policy, places)
}
