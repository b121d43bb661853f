//! Which kind a document is of, and who reads it.

use super::{
    DestinationRule, Gateway, ServiceEntry, VirtualService, destination_rule, gateway,
    service_entry, virtual_service,
};
use crate::{
    diagnostic::Severity,
    names::DEFAULT_NAMESPACE,
    report::{Finding, Report},
    schema::{self, Field, nearest},
    source::{At, Place},
    yaml::{Node, Value},
};

const GROUP: &str = "networking.istio.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha3"];
const KINDS: [(&str, &[Field]); 4] = [
    ("Gateway", schema::GATEWAY),
    ("ServiceEntry", schema::SERVICE_ENTRY),
    ("DestinationRule", schema::DESTINATION_RULE),
    ("VirtualService", schema::VIRTUAL_SERVICE),
];

/// The other kinds of the group, which say how Istio's own proxies work.
const OTHER_KINDS: [&str; 5] =
    ["EnvoyFilter", "ProxyConfig", "Sidecar", "WorkloadEntry", "WorkloadGroup"];

/// All documents that were read, in the order in which they stand.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) service_entries: Vec<ServiceEntry>,
    pub(crate) destination_rules: Vec<DestinationRule>,
    pub(crate) virtual_services: Vec<VirtualService>,
}

/// A document's name and namespace.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) name: At<String>,
    pub(crate) namespace: String,
}

/// Reads one document into `documents`.
pub(crate) fn read(node: &Node, documents: &mut Documents, report: &mut Report) {
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("a document must be a mapping, but this is {}", node.describe());
        let hint = "it begins with `apiVersion: networking.istio.io/v1` and `kind:`";
        report.error("not-a-document", node.place, message, hint);
        return;
    }
    let (Some(api_version), Some(kind)) = (node.text_of("apiVersion"), node.text_of("kind")) else {
        missing_head(node, report);
        return;
    };
    if kind.value == "List" || (kind.value.ends_with("List") && node.get("items").is_some()) {
        for item in node.items_of("items") {
            read(item, documents, report);
        }
        return;
    }
    if api_version.value.starts_with("openslo") {
        // Read by `load_objectives`.
        return;
    }
    let (group, version) = api_version.value.split_once('/').unwrap_or(("", &api_version.value));
    let known = KINDS.iter().find(|(name, _)| *name == kind.value);
    if group != GROUP {
        foreign(&api_version, &kind, known.is_some(), report);
        return;
    }
    let Some((name, fields)) = known else {
        unknown_kind(&kind, report);
        return;
    };
    if !VERSIONS.contains(&version) {
        let message = format!("`{}` is not a version of Istio's API", api_version.value);
        let hint = format!("write `{GROUP}/` and one of {}", VERSIONS.join(", "));
        report.error("unknown-version", api_version.place, message, hint);
    }
    istio(name, fields, node, documents, report);
}

/// A document of one of the four kinds.
fn istio(
    kind: &str,
    fields: &'static [Field],
    node: &Node,
    documents: &mut Documents,
    report: &mut Report,
) {
    let empty = Node { place: node.place, value: Value::Map(Vec::new()) };
    let metadata = node.get("metadata").unwrap_or(&empty);
    let name = metadata.text_of("name").filter(|name| !name.value.is_empty());
    let title = match &name {
        Some(name) => format!("in {kind} `{}`", name.value),
        None => format!("in this {kind}"),
    };
    schema::check(&title, node, fields, report);
    let name = name.unwrap_or_else(|| {
        let place =
            node.key_place(if node.entry("metadata").is_some() { "metadata" } else { "kind" });
        if metadata.get("name").is_none_or(|name| name.text().is_some()) {
            let message = format!("this {kind} has no name");
            let hint = "write `metadata:` with `name:` inside it";
            report.error("missing-field", place, message, hint);
        }
        At { value: "unnamed".to_owned(), place }
    });
    let namespace = metadata.text_of("namespace").map(|n| n.value);
    let meta = Meta { name, namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()) };
    annotations(kind, metadata, report);
    let Some(spec) = node.get("spec") else {
        let place = node.key_place(if node.entry("spec").is_some() { "spec" } else { "kind" });
        let message = format!("{kind} `{}` has no `spec`", meta.name.value);
        report.error("missing-field", place, message, "write `spec:` with its fields inside it");
        return;
    };
    match kind {
        "Gateway" => documents.gateways.push(gateway::read(meta, spec, report)),
        "ServiceEntry" => {
            documents.service_entries.push(service_entry::read(meta, metadata, spec, report));
        }
        "DestinationRule" => {
            documents.destination_rules.extend(destination_rule::read(meta, spec, report));
        }
        _ => documents.virtual_services.push(virtual_service::read(meta, spec, report)),
    }
}

/// Annotations of ours are checked; those of others are none of our business.
fn annotations(kind: &str, metadata: &Node, report: &mut Report) {
    const OURS: &str = "rearguard.dev/";
    let Some(annotations) = metadata.get("annotations") else { return };
    for entry in annotations.entries().iter().filter(|e| e.key.value.starts_with(OURS)) {
        let name = entry.key.value.as_str();
        if !schema::PROMISES.contains(&name) {
            let finding = Finding::new(
                Severity::Error,
                "unknown-annotation",
                format!("unknown annotation `{name}`"),
            );
            let hint = match nearest(name, schema::PROMISES) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known: {}", schema::PROMISES.join(", ")),
            };
            report.push(finding.at(entry.key.place).hint(hint));
        } else if kind != "ServiceEntry" {
            let message = format!("`{name}` has no effect on a {kind}");
            let hint = "write it on the ServiceEntry of the service that promises it";
            report.warning("annotation-without-effect", entry.key.place, message, hint);
        }
    }
}

fn missing_head(node: &Node, report: &mut Report) {
    let place = first_key(node);
    let missing: Vec<_> = ["apiVersion", "kind"]
        .into_iter()
        .filter(|key| node.text_of(key).is_none())
        .map(|key| format!("`{key}`"))
        .collect();
    let message = format!("this document has no {}", missing.join(" and no "));
    let finding = Finding::new(Severity::Error, "not-a-document", message).at(place);
    let slip = node.entries().iter().find_map(|e| {
        let near = nearest(&e.key.value, ["apiVersion", "kind"])?;
        (near != e.key.value).then(|| format!("did you mean `{near}` by `{}`?", e.key.value))
    });
    let hint = slip.unwrap_or_else(|| {
        format!("begin it with `apiVersion: {GROUP}/v1` and `kind:`, one of {}", kinds())
    });
    report.push(finding.hint(hint));
}

/// A document of another API: ignored, unless it looks like a slip.
fn foreign(api_version: &At<String>, kind: &At<String>, ours: bool, report: &mut Report) {
    let (group, version) = api_version.value.split_once('/').unwrap_or(("", ""));
    if nearest(group, [GROUP]).is_some() || (ours && !group.contains("gateway.networking")) {
        let message = format!("`{}` is not an API that has a {}", api_version.value, kind.value);
        let version = if VERSIONS.contains(&version) { version } else { "v1" };
        let hint = format!("did you mean `{GROUP}/{version}`?");
        report.error("unknown-api", api_version.place, message, hint);
        return;
    }
    let message = format!("{} of `{}` is ignored", kind.value, api_version.value);
    let finding = Finding::new(Severity::Note, "ignored-kind", message)
        .at(kind.place)
        .hint(format!("read are {} of {GROUP}", kinds()));
    report.push(finding);
}

fn unknown_kind(kind: &At<String>, report: &mut Report) {
    if OTHER_KINDS.contains(&kind.value.as_str()) {
        let message = format!("{} is not supported", kind.value);
        let hint = format!("leave it out; supported kinds of {GROUP}: {}", kinds());
        report.error("unsupported-kind", kind.place, message, hint);
        return;
    }
    let finding =
        Finding::new(Severity::Error, "unknown-kind", format!("unknown kind `{}`", kind.value))
            .at(kind.place);
    let near = nearest(&kind.value, KINDS.iter().map(|(name, _)| *name));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("supported kinds of {GROUP}: {}", kinds()),
    };
    report.push(finding.hint(hint));
}

fn kinds() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

fn first_key(node: &Node) -> Place {
    node.entries().first().map_or(node.place, |e| e.key.place)
}
