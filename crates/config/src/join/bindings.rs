//! Which gateways a `VirtualService` is bound to.

use crate::{
    diagnostic::Severity,
    names,
    read::{Gateway, VirtualService},
    report::{Finding, Report},
    routing::HostPattern,
    schema::nearest,
    source::At,
};

/// The names of the gateways; empty: every listener. `mesh`, the sidecars of Istio, binds to
/// nothing here.
pub(super) fn bind(
    virtual_service: &VirtualService,
    gateways: &[Gateway],
    report: &mut Report,
) -> Vec<String> {
    let named: Vec<_> = virtual_service.gateways.iter().filter(|g| g.value != "mesh").collect();
    if named.is_empty() {
        return Vec::new();
    }
    if gateways.is_empty() {
        note_unbound(named[0], report);
        return Vec::new();
    }
    let mut bound: Vec<&Gateway> = Vec::new();
    for name in named {
        match find(&name.value, &virtual_service.meta.namespace, gateways) {
            Some(gateway) => bound.push(gateway),
            None => unknown(name, gateways, report),
        }
    }
    if !bound.is_empty() {
        check_hosts(virtual_service, &bound, report);
    }
    bound.into_iter().map(|gateway| gateway.meta.name.value.clone()).collect()
}

/// By `NAMESPACE/NAME`, or by name in the own namespace, or by name alone.
fn find<'a>(name: &str, namespace: &str, gateways: &'a [Gateway]) -> Option<&'a Gateway> {
    let (wanted, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    let named = || gateways.iter().filter(|g| g.meta.name.value == name);
    let within = |namespace: &str| named().find(|g| g.meta.namespace == namespace);
    match wanted {
        Some("." | "") | None => within(namespace).or_else(|| named().next()),
        Some(namespace) => within(namespace),
    }
}

fn note_unbound(name: &At<String>, report: &mut Report) {
    let message =
        format!("there is no Gateway `{}`: its routes are for every listener", name.value);
    let finding = Finding::new(Severity::Note, "unbound", message)
        .at(name.place)
        .hint("load the Gateway too if it is to say where to listen");
    report.push(finding);
}

fn unknown(name: &At<String>, gateways: &[Gateway], report: &mut Report) {
    let known = || gateways.iter().map(|g| g.meta.name.value.as_str());
    let hint = match nearest(&name.value, known()) {
        Some(near) if near != name.value => format!("did you mean `{near}`?"),
        _ => format!("the Gateways: {}", known().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("there is no Gateway `{}`", name.value);
    report.error("unknown-gateway", name.place, message, hint);
}

/// Warns about hosts that no server of the gateways answers for.
fn check_hosts(virtual_service: &VirtualService, bound: &[&Gateway], report: &mut Report) {
    let served = || bound.iter().flat_map(|g| &g.servers).flat_map(|s| &s.listener.hosts);
    if served().next().is_none() {
        return;
    }
    for host in &virtual_service.hosts {
        let Ok(pattern) = names::pattern(&host.value) else { continue };
        let candidates = match &pattern {
            HostPattern::Exact(name) => {
                let full = names::canonical(name, &virtual_service.meta.namespace);
                names::aliases(&full).into_iter().map(HostPattern::Exact).collect()
            }
            _ => vec![pattern],
        };
        if served().any(|s| candidates.iter().any(|c| overlap(s, c))) {
            continue;
        }
        let known: Vec<_> = served().map(|s| format!("`{}`", names::display(s))).collect();
        let message = format!("no server of its gateways answers for `{}`", host.value);
        let hint = format!("they answer for {}", known.join(", "));
        report.warning("host-not-served", host.place, message, hint);
    }
}

/// Whether some host matches both.
fn overlap(a: &HostPattern, b: &HostPattern) -> bool {
    use HostPattern::{Any, Exact, Suffix};
    match (a, b) {
        (Any, _) | (_, Any) => true,
        (Exact(a), Exact(b)) => a == b,
        (Exact(host), Suffix(suffix)) | (Suffix(suffix), Exact(host)) => {
            host.ends_with(suffix.as_str())
        }
        (Suffix(a), Suffix(b)) => a.ends_with(b.as_str()) || b.ends_with(a.as_str()),
    }
}
