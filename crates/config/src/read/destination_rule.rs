//! `DestinationRule`: subsets, and how to speak to a service.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::document::Meta;
use crate::{
    diagnostic::Severity,
    names,
    report::{Finding, Report},
    routing::{LoadBalancer, UpstreamTls},
    source::At,
    yaml::Node,
};

/// A `DestinationRule` document.
#[derive(Debug)]
pub(crate) struct DestinationRule {
    pub(crate) meta: Meta,
    pub(crate) host: At<String>,
    pub(crate) policy: Policy,
    pub(crate) subsets: Vec<SubsetRule>,
}

/// One of its subsets.
#[derive(Debug)]
pub(crate) struct SubsetRule {
    pub(crate) name: At<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) policy: Policy,
}

/// A `trafficPolicy`. As in Istio, each part of a subset's policy replaces that part of the
/// service's policy as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) balancer: Option<LoadBalancer>,
    pub(crate) pool: Option<Pool>,
    /// The inner `None` is `mode: DISABLE`.
    pub(crate) tls: Option<Option<UpstreamTls>>,
}

/// A `connectionPool`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) max_connections: Option<u32>,
    pub(crate) connect_timeout: Option<At<Duration>>,
    pub(crate) max_pending_requests: Option<u32>,
    pub(crate) max_requests: Option<u32>,
    pub(crate) max_requests_per_connection: Option<u32>,
    pub(crate) idle_timeout: Option<At<Duration>>,
    pub(crate) upgrade: bool,
}

pub(super) fn read(meta: Meta, spec: &Node, report: &mut Report) -> Option<DestinationRule> {
    let Some(host) = spec.text_of("host") else {
        if spec.get("host").is_none() {
            let message = format!("DestinationRule `{}` has no `host`", meta.name.value);
            let hint = "write `host:` with the name of the service";
            report.error("missing-field", meta.name.place, message, hint);
        }
        return None;
    };
    if let Err((message, hint)) = names::pattern(&host.value) {
        report.error("bad-host", host.place, message, hint);
        return None;
    }
    if host.value.contains('*') {
        let message = "a DestinationRule for several hosts is not supported yet";
        report.error("not-yet", host.place, message, "write one for each host");
        return None;
    }
    let policy =
        spec.get("trafficPolicy").map_or_else(Policy::default, |p| self::policy(p, report));
    let subsets = subsets(spec, report);
    Some(DestinationRule { meta, host, policy, subsets })
}

fn subsets(spec: &Node, report: &mut Report) -> Vec<SubsetRule> {
    let mut subsets: Vec<SubsetRule> = Vec::new();
    for item in spec.items_of("subsets") {
        let Some(name) = item.text_of("name").filter(|name| !name.value.is_empty()) else {
            if item.get("name").is_none() {
                report.error("missing-field", item.place, "this subset has no `name`", "write one");
            }
            continue;
        };
        if let Some(twin) = subsets.iter().find(|s| s.name.value == name.value) {
            let message = format!("the subset `{}` is defined twice", name.value);
            let finding = Finding::new(Severity::Error, "duplicate-subset", message)
                .at(name.place)
                .related(twin.name.place, "first here")
                .hint("rename one of them");
            report.push(finding);
            continue;
        }
        let policy =
            item.get("trafficPolicy").map_or_else(Policy::default, |p| self::policy(p, report));
        if let Some(pool) = policy.pool.as_ref().filter(|pool| pool.upgrade) {
            let message = "`h2UpgradePolicy` of a subset alone is not supported yet";
            let place = pool.connect_timeout.as_ref().map_or(name.place, |_| name.place);
            report.error("not-yet", place, message, "write it in the service's `trafficPolicy`");
        }
        subsets.push(SubsetRule { name, labels: item.text_map_of("labels"), policy });
    }
    subsets
}

fn policy(node: &Node, report: &mut Report) -> Policy {
    Policy {
        balancer: node.get("loadBalancer").and_then(|b| balancer(b, report)),
        pool: node.get("connectionPool").map(|p| pool(p, report)),
        tls: node.get("tls").and_then(|t| tls(t, report)),
    }
}

fn balancer(node: &Node, report: &mut Report) -> Option<LoadBalancer> {
    let simple = node.text_of("simple")?;
    match simple.value.as_str() {
        "ROUND_ROBIN" => Some(LoadBalancer::RoundRobin),
        "LEAST_REQUEST" | "LEAST_CONN" => Some(LoadBalancer::LeastRequest),
        "RANDOM" => Some(LoadBalancer::Random),
        "PASSTHROUGH" => {
            let message = "`PASSTHROUGH` is not supported yet";
            let hint = "write ROUND_ROBIN, LEAST_REQUEST or RANDOM";
            report.error("not-yet", simple.place, message, hint);
            None
        }
        _ => None,
    }
}

fn pool(node: &Node, report: &mut Report) -> Pool {
    let (tcp, http) = (node.get("tcp"), node.get("http"));
    // 0 is what Istio's API holds for a field that was not written.
    let count = |part: Option<&Node>, key| -> Option<u32> {
        Some(part?.number_of::<u32>(key)?.value).filter(|n| *n > 0)
    };
    let duration = |part: Option<&Node>, key: &str| part?.duration_of(key);
    let idle_timeout = duration(http, "idleTimeout").or_else(|| duration(tcp, "idleTimeout"));
    let connect_timeout = duration(tcp, "connectTimeout");
    for zero in [&idle_timeout, &connect_timeout].into_iter().flatten() {
        if zero.value.is_zero() {
            let hint = "remove it for the default, or write a duration";
            report.error("bad-duration", zero.place, "this timeout is zero", hint);
        }
    }
    Pool {
        max_connections: count(tcp, "maxConnections"),
        connect_timeout: connect_timeout.filter(|t| !t.value.is_zero()),
        max_pending_requests: count(http, "http1MaxPendingRequests"),
        max_requests: count(http, "http2MaxRequests"),
        max_requests_per_connection: count(http, "maxRequestsPerConnection"),
        idle_timeout: idle_timeout.filter(|t| !t.value.is_zero()),
        upgrade: http
            .and_then(|http| http.text_of("h2UpgradePolicy"))
            .is_some_and(|policy| policy.value == "UPGRADE"),
    }
}

fn tls(node: &Node, report: &mut Report) -> Option<Option<UpstreamTls>> {
    let path = |key| node.text_of(key).map(|path: At<String>| PathBuf::from(path.value));
    let mode = node.text_of("mode");
    let mutual = match mode.as_ref().map(|mode| mode.value.as_str()) {
        Some("DISABLE") => return Some(None),
        Some("SIMPLE") => false,
        Some("MUTUAL") => true,
        Some("ISTIO_MUTUAL") => {
            let place = mode.map_or(node.place, |mode| mode.place);
            let message = "ISTIO_MUTUAL takes its certificates from a sidecar, which is not here";
            let hint = "write `mode: MUTUAL` with `clientCertificate` and `privateKey`";
            report.error("not-here", place, message, hint);
            return None;
        }
        Some(_) => return None,
        None => {
            if node.get("mode").is_none() {
                let hint = "write `mode: SIMPLE`, or `mode: DISABLE`";
                report.error("missing-field", node.place, "`tls` has no `mode`", hint);
            }
            return None;
        }
    };
    let client_certificate = path("clientCertificate").filter(|_| mutual);
    let client_key = path("privateKey").filter(|_| mutual);
    if mutual && (client_certificate.is_none() || client_key.is_none()) {
        let message = "MUTUAL needs `clientCertificate` and `privateKey`, both paths of PEM files";
        let hint = if node.get("credentialName").is_some() {
            "`credentialName` names a secret of Kubernetes, which is not read here"
        } else {
            "write both, or `mode: SIMPLE`"
        };
        report.error("missing-field", node.place, message, hint);
    }
    let skip_verification = node.is_set("insecureSkipVerify");
    if skip_verification {
        let place = node.key_place("insecureSkipVerify");
        let message = "the service's certificate is not checked: anyone can pose as the service";
        let hint = "name its authority in `caCertificates` instead";
        report.warning("certificate-not-checked", place, message, hint);
    }
    Some(Some(UpstreamTls {
        server_name: node.text_of("sni").map(|sni| sni.value),
        authorities: path("caCertificates").filter(|path| path.as_os_str() != "system"),
        client_certificate,
        client_key,
        skip_verification,
    }))
}
