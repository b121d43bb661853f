//! A routing in few lines, for snapshots.

use std::fmt::Write as _;

use config::routing::{
    Action, HeaderChange, HeaderRules, Route, RouteMatch, Routing, Service, StringMatch,
    TrafficPolicy,
};

/// Listeners, services and virtual hosts, without what has its default.
pub(crate) fn outline(routing: &Routing) -> String {
    let mut out = String::new();
    for l in &routing.listeners {
        let tls = l.tls.as_ref().map_or(String::new(), |tls| format!(" {tls:?}"));
        let redirect = if l.https_redirect { " https-redirect" } else { "" };
        let (address, port) = (l.address.map_or("-".into(), |a| a.to_string()), l.port);
        writeln!(out, "listener {} {address}:{port} {:?}{tls}{redirect}", l.name, l.hosts).unwrap();
    }
    for service in &routing.services {
        push_service(service, &mut out);
    }
    for v in &routing.virtual_hosts {
        writeln!(out, "virtual host {} {:?} gateways {:?}", v.name, v.hosts, v.gateways).unwrap();
        for route in &v.routes {
            push_route(route, &mut out);
        }
    }
    out
}

fn push_service(service: &Service, out: &mut String) {
    writeln!(out, "service {}", service.name).unwrap();
    for port in &service.ports {
        writeln!(out, "  port {} {} {:?}", port.number, port.name, port.protocol).unwrap();
    }
    for e in &service.endpoints {
        writeln!(out, "  endpoint {} {:?} {:?}", e.host, e.ports, e.labels).unwrap();
    }
    push_policy("  policy", &service.policy, out);
    for subset in &service.subsets {
        writeln!(out, "  subset {} {:?}", subset.name, subset.labels).unwrap();
        push_policy("    policy", &subset.policy, out);
    }
    if service.promises != Default::default() {
        writeln!(out, "  {:?}", service.promises).unwrap();
    }
}

fn push_policy(head: &str, policy: &TrafficPolicy, out: &mut String) {
    if *policy != TrafficPolicy::default() {
        writeln!(out, "{head} {policy:?}").unwrap();
    }
}

fn push_route(route: &Route, out: &mut String) {
    let timeout = route.timeout.map_or(String::new(), |t| format!(" timeout {t:?}"));
    writeln!(out, "  route {}{timeout}", route.name).unwrap();
    for m in &route.matches {
        writeln!(out, "    match{}", shown_match(m)).unwrap();
    }
    if route.rewrite != Default::default() {
        writeln!(out, "    {:?}", route.rewrite).unwrap();
    }
    push_headers("    ", &route.headers, out);
    match &route.action {
        Action::Forward(destinations) => {
            for d in destinations {
                let subset = d.subset.as_ref().map_or(String::new(), |s| format!("/{s}"));
                let port = d.port.map_or(String::new(), |p| format!(":{p}"));
                writeln!(out, "    to {}{subset}{port} weight {}", d.service, d.weight).unwrap();
                push_headers("      ", &d.headers, out);
            }
        }
        other => writeln!(out, "    {other:?}").unwrap(),
    }
}

fn push_headers(indent: &str, rules: &HeaderRules, out: &mut String) {
    for (name, change) in [("request", &rules.request), ("response", &rules.response)] {
        if *change != HeaderChange::default() {
            writeln!(out, "{indent}{name} {change:?}").unwrap();
        }
    }
}

fn shown_match(m: &RouteMatch) -> String {
    let mut out = String::new();
    let named: [(&str, &Option<StringMatch>); 4] = [
        ("uri", &m.uri),
        ("method", &m.method),
        ("authority", &m.authority),
        ("scheme", &m.scheme),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            write!(out, " {name} {value:?}").unwrap();
        }
    }
    if m.ignore_uri_case {
        out.push_str(" ignoring case");
    }
    let lists =
        [("headers", &m.headers), ("without", &m.without_headers), ("query", &m.query_params)];
    for (name, values) in lists {
        if !values.is_empty() {
            write!(out, " {name} {values:?}").unwrap();
        }
    }
    if let Some(port) = m.port {
        write!(out, " port {port}").unwrap();
    }
    out
}
