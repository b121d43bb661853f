//! `headers` of a route or a destination.

use crate::{
    report::Report,
    routing::{HeaderChange, HeaderRules},
    source::{At, Place},
    yaml::Node,
};

pub(super) fn read(node: &Node, report: &mut Report) -> HeaderRules {
    let mut change =
        |key| node.get(key).map_or_else(HeaderChange::default, |c| read_change(c, report));
    HeaderRules { request: change("request"), response: change("response") }
}

fn read_change(node: &Node, report: &mut Report) -> HeaderChange {
    let mut pairs = |key: &str| -> Vec<(String, String)> {
        let entries = node.get(key).map_or(&[][..], Node::entries);
        entries
            .iter()
            .filter_map(|entry| {
                let value = entry.value.text_at()?;
                let fine = check_name(&entry.key, report) & check_value(&value, report);
                fine.then(|| (entry.key.value.to_ascii_lowercase(), value.value))
            })
            .collect()
    };
    let (set, add) = (pairs("set"), pairs("add"));
    let remove = node
        .texts_of("remove")
        .into_iter()
        .filter(|name| check_name(name, report))
        .map(|name| name.value.to_ascii_lowercase())
        .collect();
    HeaderChange { set, add, remove }
}

/// Whether this is a token (RFC 9110 section 5.6.2), as names of headers must be.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn check_name(name: &At<String>, report: &mut Report) -> bool {
    let hint = match name.value.to_ascii_lowercase().as_str() {
        "host" | ":authority" => "change it by `rewrite.authority`",
        ":path" => "change it by `rewrite.uri`",
        "connection" | "content-length" | "keep-alive" | "te" | "trailer" | "transfer-encoding"
        | "upgrade" => "the gateway makes it itself, from how the message is carried",
        lower if is_name(lower) => return true,
        _ => "a name has letters, digits and `-`, as `x-version`",
    };
    let message = format!("`{}` cannot be changed as a header", name.value);
    report.error("bad-header", name.place, message, hint);
    false
}

fn check_value(value: &At<String>, report: &mut Report) -> bool {
    let refuse = |report: &mut Report, place: Place, message: &str, hint: &str| {
        report.error("bad-header", place, message, hint);
        false
    };
    if value.value.chars().any(|c| c.is_control() && c != '\t') {
        let hint = "write it on one line";
        return refuse(
            report,
            value.place,
            "the value has a line break or control character",
            hint,
        );
    }
    if has_operator(&value.value) {
        let message = "Envoy's variables (`%NAME%`) are not supported yet";
        return refuse(report, value.place, message, "write the value itself");
    }
    true
}

/// Whether there is a `%NAME%` or `%NAME(…)%`.
fn has_operator(value: &str) -> bool {
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let after = &rest[at + 1..];
        let name = after.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(after.len());
        if name > 2 && after[name..].starts_with(['%', '(']) {
            return true;
        }
        rest = after;
    }
    false
}
