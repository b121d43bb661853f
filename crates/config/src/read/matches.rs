//! `match` of an HTTP route.

use super::strings::{Presence, string_match};
use crate::{
    report::Report,
    routing::{RouteMatch, StringMatch},
    source::{At, Place},
    yaml::Node,
};

/// The match, or `None` when part of it could not be read.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<RouteMatch> {
    let mut whole = true;
    let mut one = |key: &str, report: &mut Report| {
        let value = node.get(key)?;
        let read = string_match(value, node.key_place(key), Presence::Refused, report);
        whole &= read.is_some();
        read
    };
    let uri = one("uri", report);
    let method = one("method", report);
    let authority = one("authority", report);
    let scheme = one("scheme", report);
    let headers = many(node, "headers", report);
    let without_headers = many(node, "withoutHeaders", report);
    let query_params = many(node, "queryParams", report);
    check_uri(node, uri.as_ref(), report);
    check_method(node, method.as_ref(), report);
    if !whole {
        return None;
    }
    Some(RouteMatch {
        uri,
        ignore_uri_case: node.is_set("ignoreUriCase"),
        method,
        authority,
        scheme,
        headers: lower_case(headers?),
        without_headers: lower_case(without_headers?),
        query_params: query_params?.into_iter().map(|(name, m)| (name.value, m)).collect(),
        port: node.number_of("port").map(|port: At<u16>| port.value),
    })
}

type Named = Vec<(At<String>, StringMatch)>;

fn many(node: &Node, key: &str, report: &mut Report) -> Option<Named> {
    let mut matches = Vec::new();
    for entry in node.get(key).map_or(&[][..], Node::entries) {
        let place = entry.key.place;
        if key != "queryParams" {
            check_header_name(&entry.key, report);
        }
        let read = match &entry.value.value {
            crate::yaml::Value::Null => StringMatch::Present,
            _ => string_match(&entry.value, place, Presence::Allowed, report)?,
        };
        matches.push((entry.key.clone(), read));
    }
    Some(matches)
}

fn lower_case(named: Named) -> Vec<(String, StringMatch)> {
    named.into_iter().map(|(name, m)| (name.value.to_ascii_lowercase(), m)).collect()
}

fn check_header_name(name: &At<String>, report: &mut Report) {
    let own_field = ["uri", "scheme", "method", "authority"]
        .into_iter()
        .find(|field| name.value.trim_start_matches(':').eq_ignore_ascii_case(field));
    if let Some(field) = own_field {
        let message = format!("`{}` is not matched as a header", name.value);
        let hint = format!("write `{field}:` in the match itself, beside `headers`");
        report.error("not-a-header", name.place, message, hint);
    } else if !super::headers::is_name(&name.value) {
        let message = format!("`{}` is not the name of a header", name.value);
        report.error("bad-header", name.place, message, "write it as in `content-type`");
    }
}

fn check_uri(node: &Node, uri: Option<&StringMatch>, report: &mut Report) {
    let place = operator_place(node, "uri");
    match uri {
        Some(StringMatch::Exact(path) | StringMatch::Prefix(path)) if !path.starts_with('/') => {
            let message = format!("`{path}` never matches: a path begins with `/`");
            report.warning("never-matches", place, message, format!("write `/{path}`"));
        }
        Some(StringMatch::Exact(path) | StringMatch::Prefix(path)) if path.contains('?') => {
            let message = format!("`{path}` never matches: `uri` is the path without the query");
            report.warning("never-matches", place, message, "match the query by `queryParams`");
        }
        _ => {}
    }
}

fn check_method(node: &Node, method: Option<&StringMatch>, report: &mut Report) {
    if let Some(StringMatch::Exact(method)) = method
        && method.chars().any(|c| c.is_ascii_lowercase())
    {
        let upper = method.to_ascii_uppercase();
        let message = format!("`{method}` never matches: methods are compared with their case");
        let hint = format!("write `{upper}`");
        report.warning("never-matches", operator_place(node, "method"), message, hint);
    }
}

/// Where the operand of the match under `key` stands.
fn operator_place(node: &Node, key: &str) -> Place {
    let value = node.get(key).and_then(|m| m.entries().first());
    value.map_or(node.key_place(key), |e| e.value.place)
}
