//! Servers of `Gateway`s to listeners.

use crate::{
    diagnostic::Severity,
    read::{Gateway, Server},
    report::{Finding, Report},
    routing::Listener,
};

/// The listeners, without those whose port another one has.
pub(super) fn join(gateways: &[Gateway], report: &mut Report) -> Vec<Listener> {
    for (index, gateway) in gateways.iter().enumerate() {
        let twin = gateways[..index].iter().find(|g| {
            g.meta.name.value == gateway.meta.name.value
                && g.meta.namespace == gateway.meta.namespace
        });
        if let Some(twin) = twin {
            let message = format!("two Gateways are named `{}`", gateway.meta.name.value);
            let finding = Finding::new(Severity::Error, "duplicate-name", message)
                .at(gateway.meta.name.place)
                .related(twin.meta.name.place, "the first one")
                .hint("rename one of them, or write its servers into the other");
            report.push(finding);
        }
    }
    let mut kept: Vec<Server> = Vec::new();
    for server in gateways.iter().flat_map(|gateway| &gateway.servers) {
        match kept.iter_mut().find(|other| collides(&other.listener, &server.listener)) {
            Some(twin) if is_same_but_hosts(&twin.listener, &server.listener) => {
                twin.listener.hosts.extend(server.listener.hosts.iter().cloned());
            }
            Some(twin) => {
                let message = format!("port {} is taken twice", server.listener.port);
                let finding = Finding::new(Severity::Error, "duplicate-port", message)
                    .at(server.place)
                    .related(twin.place, "the first one")
                    .hint("choose another port or `bind`")
                    .hint("servers of one Gateway may share a port when only their hosts differ");
                report.push(finding);
            }
            None => kept.push(server.clone()),
        }
    }
    kept.into_iter().map(|server| server.listener).collect()
}

/// Whether both are one listener whose hosts are written in two servers.
fn is_same_but_hosts(a: &Listener, b: &Listener) -> bool {
    a.gateway == b.gateway
        && a.address == b.address
        && a.tls == b.tls
        && a.https_redirect == b.https_redirect
}

/// Whether both cannot listen: the same port on the same address, or one of them on all addresses.
fn collides(a: &Listener, b: &Listener) -> bool {
    let all = |l: &Listener| l.address.is_some_and(|address| address.is_unspecified());
    a.port == b.port && (a.address == b.address || all(a) || all(b))
}
