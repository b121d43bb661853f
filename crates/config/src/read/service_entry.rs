//! `ServiceEntry`: where a service runs and what it promises.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::Meta;
use crate::{
    diagnostic::Severity,
    duration, names,
    report::{Finding, Report},
    routing::{Endpoint, ServicePort, UpstreamProtocol},
    schema::nearest,
    source::{At, Place},
    yaml::Node,
};

/// A `ServiceEntry` document.
#[derive(Debug)]
pub(crate) struct ServiceEntry {
    pub(crate) meta: Meta,
    pub(crate) hosts: Vec<At<String>>,
    pub(crate) ports: Vec<DeclaredPort>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) promised: Promised,
}

/// A port of a service.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredPort {
    pub(crate) port: ServicePort,
    /// Whether its protocol is HTTPS.
    pub(crate) tls: bool,
    pub(crate) place: Place,
    /// The endpoints' port, where it differs from the number.
    target: Option<u16>,
}

/// The annotations by which a service declares its timeouts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promised {
    pub(crate) write_timeout: Option<At<Duration>>,
    pub(crate) handler_deadline: Option<At<Duration>>,
    pub(crate) keep_alive: Option<At<Duration>>,
}

pub(super) fn read(meta: Meta, metadata: &Node, spec: &Node, report: &mut Report) -> ServiceEntry {
    let ports = ports(spec, report);
    let mut endpoints = endpoints(spec, &ports, report);
    if ports.is_empty() {
        // None of its ports is carried, so there is nowhere to send to.
        endpoints.clear();
    }
    let hosts = hosts(&meta, spec, report);
    let resolution = spec.text_of("resolution");
    let resolved =
        matches!(resolution.as_ref().map(|r| r.value.as_str()), Some("DNS" | "DNS_ROUND_ROBIN"));
    if resolved
        && !ports.is_empty()
        && endpoints.is_empty()
        && spec.items_of("endpoints").is_empty()
    {
        endpoints = hosts.iter().map(|host| endpoint(host.value.clone(), &ports)).collect();
    }
    check_resolution(&meta, spec, resolution.as_ref(), report);
    ServiceEntry { promised: promised(metadata, report), meta, hosts, ports, endpoints }
}

fn hosts(meta: &Meta, spec: &Node, report: &mut Report) -> Vec<At<String>> {
    let hosts = spec.texts_of("hosts");
    if hosts.is_empty() && spec.items_of("hosts").is_empty() {
        let message = format!("ServiceEntry `{}` has no `hosts`", meta.name.value);
        let hint = "write `hosts:` with the name of the service";
        report.error("missing-field", meta.name.place, message, hint);
    }
    hosts
        .into_iter()
        .filter(|host| {
            if host.value.contains('*') {
                let message = format!("a service for `{}` is not supported yet", host.value);
                let hint = "write each host as a ServiceEntry of its own";
                report.error("not-yet", host.place, message, hint);
                return false;
            }
            match names::check(&host.value) {
                Ok(()) => true,
                Err((message, hint)) => {
                    report.error("bad-host", host.place, message, hint);
                    false
                }
            }
        })
        .collect()
}

fn ports(spec: &Node, report: &mut Report) -> Vec<DeclaredPort> {
    let mut ports: Vec<DeclaredPort> = Vec::new();
    let items = spec.items_of("ports");
    if items.is_empty() && spec.get("ports").is_none_or(|p| p.items().is_empty()) {
        let hint = "write `ports:` with `number`, `name` and `protocol: HTTP`";
        report.error("missing-field", spec.place, "this ServiceEntry has no `ports`", hint);
    }
    for item in items {
        let Some(number) = item.number_of::<u16>("number") else {
            if item.get("number").is_none() {
                report.error("missing-field", item.place, "this port has no `number`", "write one");
            }
            continue;
        };
        let Some((protocol, tls)) = protocol(item, report) else { continue };
        let name = item.text_of("name").map_or_else(|| number.value.to_string(), |n| n.value);
        let twin = ports.iter().find(|p| p.port.number == number.value || p.port.name == name);
        if let Some(twin) = twin {
            let message = "two ports have the same number or the same name";
            let finding = Finding::new(Severity::Error, "duplicate-port", message)
                .at(number.place)
                .related(twin.place, "the first one")
                .hint("give each port a number and a name of its own");
            report.push(finding);
            continue;
        }
        ports.push(DeclaredPort {
            port: ServicePort { number: number.value, name, protocol },
            tls,
            place: number.place,
            target: item.number_of("targetPort").map(|port| port.value),
        });
    }
    ports
}

/// What is spoken at a port, and whether over TLS; `None` when it is not HTTP.
fn protocol(port: &Node, report: &mut Report) -> Option<(UpstreamProtocol, bool)> {
    let Some(protocol) = port.text_of("protocol") else {
        return Some((UpstreamProtocol::Http1, false));
    };
    match protocol.value.to_ascii_uppercase().as_str() {
        "HTTP" => Some((UpstreamProtocol::Http1, false)),
        "HTTP2" | "GRPC" | "GRPC-WEB" => Some((UpstreamProtocol::Http2, false)),
        "HTTPS" => Some((UpstreamProtocol::Http1, true)),
        "TLS" | "TCP" | "MONGO" | "MYSQL" | "REDIS" | "UDP" => {
            let message =
                format!("a port for {} is left out: only HTTP is carried", protocol.value);
            let hint = "remove it; HTTP, HTTP2, GRPC and HTTPS are carried";
            report.warning("protocol-not-carried", protocol.place, message, hint);
            None
        }
        other => {
            let message = format!("unknown protocol `{}`", protocol.value);
            report.error("unknown-protocol", protocol.place, message, protocol_hint(other));
            None
        }
    }
}

/// What to write for an unknown protocol.
pub(super) fn protocol_hint(protocol: &str) -> String {
    match nearest(protocol, ["HTTP", "HTTP2", "GRPC", "HTTPS"]) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write HTTP, HTTP2, GRPC or HTTPS".to_owned(),
    }
}

fn endpoints(spec: &Node, ports: &[DeclaredPort], report: &mut Report) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for item in spec.items_of("endpoints") {
        let Some(address) = item.text_of("address") else {
            if item.get("address").is_none() {
                let hint = "write an IP address or a host name";
                report.error("missing-field", item.place, "this endpoint has no `address`", hint);
            }
            continue;
        };
        if address.value.starts_with("unix:") {
            let message = "endpoints on UNIX sockets are not supported yet";
            report.error("not-yet", address.place, message, "write an IP address or a host name");
            continue;
        }
        if let Err((message, hint)) = names::check(&address.value) {
            report.error("bad-address", address.place, message, address_hint(&address.value, hint));
            continue;
        }
        let mut endpoint = endpoint(address.value, ports);
        endpoint.labels = item.text_map_of("labels");
        for entry in item.get("ports").map_or(&[][..], Node::entries) {
            let name = &entry.key.value;
            if !spec.items_of("ports").iter().any(|p| has_name(p, name)) {
                unknown_port(&entry.key, ports, report);
            } else if let Some(Ok(port)) = entry.value.integer().map(u16::try_from) {
                endpoint.ports.insert(name.clone(), port);
            }
        }
        endpoints.push(endpoint);
    }
    endpoints
}

fn has_name(port: &Node, name: &str) -> bool {
    match port.text_of("name") {
        Some(own) => own.value == name,
        None => port.text_of("number").is_some_and(|number| number.value == name),
    }
}

fn unknown_port(name: &At<String>, ports: &[DeclaredPort], report: &mut Report) {
    let known = || ports.iter().map(|p| p.port.name.as_str());
    let message = format!("no port of this ServiceEntry is named `{}`", name.value);
    let hint = match nearest(&name.value, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its ports are named {}", known().collect::<Vec<_>>().join(", ")),
    };
    report.error("unknown-port", name.place, message, hint);
}

/// An endpoint with the service's ports and no labels.
fn endpoint(host: String, ports: &[DeclaredPort]) -> Endpoint {
    let ports = ports.iter().filter_map(|p| Some((p.port.name.clone(), p.target?))).collect();
    Endpoint { host, ports, labels: BTreeMap::new() }
}

/// An address with a port is the usual slip.
fn address_hint(address: &str, otherwise: String) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !address.contains('/') => {
            format!("write `address: {host}` and `ports: {{http: {port}}}` with the port's name")
        }
        _ => otherwise,
    }
}

fn check_resolution(
    meta: &Meta,
    spec: &Node,
    resolution: Option<&At<String>>,
    report: &mut Report,
) {
    let endpoints = spec.items_of("endpoints");
    let value = resolution.map_or("NONE", |r| r.value.as_str());
    let place = resolution.map_or(meta.name.place, |r| r.place);
    match value {
        "NONE" if endpoints.is_empty() => {
            let message = match resolution {
                Some(_) => {
                    "`resolution: NONE` sends to where the caller was going, which only a \
                            sidecar knows"
                }
                None => "this ServiceEntry has no `resolution`, so nothing says where it runs",
            };
            let hint = "write `resolution: STATIC` with `endpoints`, or `resolution: DNS`";
            report.error("no-resolution", place, message, hint);
        }
        "NONE" => {
            let message = "`endpoints` need a `resolution`, and Istio refuses them without one";
            let hint = "write `resolution: STATIC` for IP addresses, `DNS` for host names";
            report.warning("no-resolution", place, message, hint);
        }
        "STATIC" if endpoints.is_empty() => {
            let message = "`resolution: STATIC` needs `endpoints`";
            let hint = "write them, or `resolution: DNS` to look the host up";
            report.error("missing-field", place, message, hint);
        }
        "STATIC" => {
            let named = endpoints
                .iter()
                .filter_map(|e| e.text_of("address"))
                .find(|a| !names::is_ip(&a.value) && names::check(&a.value).is_ok());
            if let Some(address) = named {
                let message =
                    format!("`{}` is a host name, but the resolution is STATIC", address.value);
                let hint = "write `resolution: DNS`; Istio refuses this, here it is looked up";
                report.warning("static-host-name", address.place, message, hint);
            }
        }
        "DYNAMIC_DNS" => {
            let message = "`resolution: DYNAMIC_DNS` is not supported yet";
            report.error("not-yet", place, message, "write `resolution: DNS`");
        }
        _ => {}
    }
}

fn promised(metadata: &Node, report: &mut Report) -> Promised {
    let mut promise = |name: &str| {
        let text = metadata.get("annotations")?.text_of(name)?;
        match duration::parse(&text.value) {
            Ok(value) if !value.is_zero() => Some(At { value, place: text.place }),
            Ok(_) => {
                let message = format!("`{name}` is zero");
                report.error("bad-duration", text.place, message, "remove it if there is none");
                None
            }
            Err(_) => None,
        }
    };
    Promised {
        write_timeout: promise("rearguard.dev/write-timeout"),
        handler_deadline: promise("rearguard.dev/handler-deadline"),
        keep_alive: promise("rearguard.dev/keep-alive"),
    }
}
