//! `VirtualService`: hosts and their routes.

use super::{
    document::Meta,
    route::{self, HttpRoute},
};
use crate::{names, report::Report, source::At, yaml::Node};

/// A `VirtualService` document.
#[derive(Debug)]
pub(crate) struct VirtualService {
    pub(crate) meta: Meta,
    pub(crate) hosts: Vec<At<String>>,
    /// The gateways it names, `mesh` among them.
    pub(crate) gateways: Vec<At<String>>,
    pub(crate) routes: Vec<HttpRoute>,
}

pub(super) fn read(meta: Meta, spec: &Node, report: &mut Report) -> VirtualService {
    let hosts = spec.texts_of("hosts");
    if hosts.is_empty() && spec.items_of("hosts").is_empty() {
        let message = format!("VirtualService `{}` has no `hosts`", meta.name.value);
        let hint = "write `hosts:` with the names that clients call, or `\"*\"` for all";
        report.error("missing-field", meta.name.place, message, hint);
    }
    let hosts = hosts.into_iter().filter(|host| is_pattern(host, report)).collect();
    let routes = spec.items_of("http");
    let other = ["tcp", "tls"].into_iter().any(|key| spec.get(key).is_some());
    if routes.is_empty() && !other && spec.get("http").is_none_or(|h| h.items().is_empty()) {
        let message = format!("VirtualService `{}` has no routes", meta.name.value);
        let hint = "write `http:` with a list of routes";
        report.error("missing-field", meta.name.place, message, hint);
    }
    let gateways = spec.texts_of("gateways");
    let routes = routes.iter().map(|node| route::read(node, &gateways, report)).collect();
    VirtualService { meta, hosts, gateways, routes }
}

fn is_pattern(host: &At<String>, report: &mut Report) -> bool {
    match names::pattern(&host.value) {
        Ok(_) => true,
        Err((message, hint)) => {
            report.error("bad-host", host.place, message, hint);
            false
        }
    }
}
