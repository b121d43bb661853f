//! `Gateway`: where to listen.

use std::{net::IpAddr, path::PathBuf};

use super::{document::Meta, service_entry::protocol_hint};
use crate::{
    names,
    report::Report,
    routing::{HostPattern, Listener, ListenerTls},
    source::{At, Place},
    yaml::Node,
};

/// A `Gateway` document.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) meta: Meta,
    pub(crate) servers: Vec<Server>,
}

/// One of its servers.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listener: Listener,
    /// Where its port is written.
    pub(crate) place: Place,
}

pub(super) fn read(meta: Meta, spec: &Node, report: &mut Report) -> Gateway {
    let servers = spec.items_of("servers");
    if servers.is_empty() {
        let message = format!("Gateway `{}` has no servers", meta.name.value);
        let hint = "write `servers:` with `port` and `hosts`";
        report.error("missing-field", meta.name.place, message, hint);
    }
    let servers = servers.iter().filter_map(|s| server(&meta, s, report)).collect();
    Gateway { meta, servers }
}

fn server(meta: &Meta, node: &Node, report: &mut Report) -> Option<Server> {
    let Some(port) = node.get("port") else {
        let hint = "write `port:` with `number`, `name` and `protocol`";
        report.error("missing-field", node.place, "this server has no `port`", hint);
        return None;
    };
    let Some(number) = port.number_of::<u16>("number") else {
        if port.get("number").is_none() {
            report.error("missing-field", port.place, "this port has no `number`", "write one");
        }
        return None;
    };
    let secure = is_secure(port, report)?;
    let tls = node.get("tls");
    if secure && tls.is_none() {
        let hint = "write `tls:` with `mode: SIMPLE`, `serverCertificate` and `privateKey`";
        let place = port.key_place("protocol");
        report.error("missing-field", place, "a server for HTTPS needs `tls`", hint);
    }
    let port_name = port.text_of("name").map(|name| name.value);
    let name = match &port_name {
        Some(name) => format!("{}/{name}", meta.name.value),
        None => format!("{}/{number}", meta.name.value, number = number.value),
    };
    let listener = Listener {
        name,
        gateway: meta.name.value.clone(),
        address: node.text_of("bind").and_then(|bind| address(&bind, report)),
        port: number.value,
        hosts: hosts(node, report),
        tls: tls.filter(|_| secure).and_then(|tls| certificates(tls, report)),
        https_redirect: tls.is_some_and(|tls| tls.is_set("httpsRedirect")),
    };
    if let Some(tls) = tls.filter(|tls| !secure && tls.get("mode").is_some()) {
        let hint = "write `protocol: HTTPS`, or leave only `httpsRedirect`";
        let place = tls.key_place("mode");
        report.error("tls-without-https", place, "TLS on a port that is not HTTPS", hint);
    }
    Some(Server { listener, place: number.place })
}

/// Whether the port speaks TLS; `None` when it cannot be served.
fn is_secure(port: &Node, report: &mut Report) -> Option<bool> {
    let Some(protocol) = port.text_of("protocol") else {
        if port.get("protocol").is_none() {
            let hint = "write `protocol: HTTP` or `protocol: HTTPS`";
            report.error("missing-field", port.place, "this port has no `protocol`", hint);
        }
        return Some(false);
    };
    match protocol.value.to_ascii_uppercase().as_str() {
        "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => Some(false),
        "HTTPS" => Some(true),
        "TLS" | "TCP" | "MONGO" | "MYSQL" | "REDIS" | "UDP" => {
            let message = format!("a listener for {} is not supported yet", protocol.value);
            report.error("not-yet", protocol.place, message, "HTTP, HTTP2, GRPC and HTTPS are");
            None
        }
        other => {
            let message = format!("unknown protocol `{}`", protocol.value);
            let hint = protocol_hint(other);
            report.error("unknown-protocol", protocol.place, message, hint);
            None
        }
    }
}

fn address(bind: &At<String>, report: &mut Report) -> Option<IpAddr> {
    let parsed = bind.value.parse().ok();
    if parsed.is_none() {
        let message = format!("`{}` is not an IP address", bind.value);
        let hint = "write `127.0.0.1` for this machine only, `0.0.0.0` or `::` for everyone";
        report.error("bad-address", bind.place, message, hint);
    }
    parsed
}

/// The hosts of a server, whose namespaces (`ns/host`) mean nothing here.
fn hosts(node: &Node, report: &mut Report) -> Vec<HostPattern> {
    let hosts = node.texts_of("hosts");
    if hosts.is_empty() && node.get("hosts").is_none_or(|hosts| hosts.items().is_empty()) {
        let message = "this server has no `hosts`";
        report.error("missing-field", node.place, message, "write `hosts: [\"*\"]` for all");
    }
    let mut patterns = Vec::new();
    for host in hosts {
        let name = host.value.split_once('/').map_or(host.value.as_str(), |(_, name)| name);
        match names::pattern(name) {
            Ok(pattern) => patterns.push(pattern),
            Err((message, hint)) => report.error("bad-host", host.place, message, hint),
        }
    }
    patterns
}

fn certificates(tls: &Node, report: &mut Report) -> Option<ListenerTls> {
    let path = |key| tls.text_of(key).map(|path: At<String>| PathBuf::from(path.value));
    let mode = tls.text_of("mode");
    let mutual = match mode.as_ref().map(|mode| mode.value.as_str()) {
        Some("SIMPLE") => false,
        Some("MUTUAL") => true,
        Some("PASSTHROUGH" | "AUTO_PASSTHROUGH" | "ISTIO_MUTUAL" | "OPTIONAL_MUTUAL") => {
            let place = mode.map_or(tls.place, |mode| mode.place);
            let message = "this mode of TLS is not supported here";
            report.error("not-yet", place, message, "SIMPLE and MUTUAL are, with files");
            return None;
        }
        Some(_) => return None,
        None => {
            let message = "`tls` has no `mode`";
            report.error("missing-field", tls.place, message, "write `mode: SIMPLE`");
            return None;
        }
    };
    let (Some(certificate), Some(private_key)) = (path("serverCertificate"), path("privateKey"))
    else {
        let message = "TLS needs `serverCertificate` and `privateKey`, both paths of PEM files";
        let hint = if tls.get("credentialName").is_some() {
            "`credentialName` names a secret of Kubernetes, which is not read here"
        } else {
            "write both"
        };
        report.error("missing-field", tls.place, message, hint);
        return None;
    };
    let client_authorities = path("caCertificates").filter(|_| mutual);
    if mutual && client_authorities.is_none() {
        let message = "MUTUAL needs `caCertificates`, the authorities of client certificates";
        report.error("missing-field", tls.place, message, "write the path of a PEM file");
    }
    Some(ListenerTls { certificate, private_key, client_authorities })
}
