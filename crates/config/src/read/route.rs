//! One item of `http`.

use std::time::Duration;

use super::{headers, matches, strings};
use crate::{
    diagnostic::Severity,
    names,
    report::{Finding, Report},
    routing::{HeaderRules, PathRewrite, Redirect, Rewrite, RouteMatch},
    source::{At, Place},
    yaml::Node,
};

/// A route whose destinations are not yet looked up.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    pub(crate) place: Place,
    pub(crate) name: Option<At<String>>,
    pub(crate) matches: Vec<RouteMatch>,
    /// Whether `matches` is all that was written: what could not be read must not become a route
    /// for everything.
    pub(crate) whole: bool,
    pub(crate) action: Option<RouteAction>,
    pub(crate) timeout: Option<At<Duration>>,
    pub(crate) retries: Option<Retries>,
    pub(crate) rewrite: Rewrite,
    pub(crate) headers: HeaderRules,
}

/// What `retries` says, as far as timeouts are concerned.
#[derive(Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) per_try_timeout: At<Duration>,
}

/// What is done with a request.
#[derive(Debug)]
pub(crate) enum RouteAction {
    Forward(Vec<Forward>),
    Redirect(Redirect),
    DirectResponse { status: u16, body: String },
}

/// A destination that is not yet looked up.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) host: At<String>,
    pub(crate) subset: Option<At<String>>,
    pub(crate) port: Option<At<u16>>,
    pub(crate) weight: u32,
    pub(crate) headers: HeaderRules,
}

pub(super) fn read(node: &Node, gateways: &[At<String>], report: &mut Report) -> HttpRoute {
    let alternatives = node.items_of("match");
    let matches: Vec<_> = alternatives.iter().filter_map(|m| matches::read(m, report)).collect();
    for alternative in alternatives {
        check_gateways(alternative, gateways, report);
    }
    let (name, timeout) = (node.text_of("name"), node.duration_of("timeout"));
    HttpRoute {
        place: name.as_ref().map_or_else(|| start(node), |name| name.place),
        whole: matches.len() == alternatives.len(),
        matches,
        action: action(node, report),
        retries: node.get("retries").and_then(retries),
        rewrite: node.get("rewrite").map_or_else(Rewrite::default, |r| rewrite(node, r, report)),
        headers: node
            .get("headers")
            .map_or_else(HeaderRules::default, |h| headers::read(h, report)),
        name,
        timeout,
    }
}

/// The first key of a route, so that a finding about it does not mark all of it.
fn start(node: &Node) -> Place {
    node.entries().first().map_or(node.place, |e| e.key.place)
}

/// A match for some of the gateways only would match more than it says if it were ignored.
fn check_gateways(node: &Node, all: &[At<String>], report: &mut Report) {
    let own = node.texts_of("gateways");
    if own.is_empty() || all.iter().all(|g| own.iter().any(|o| o.value == g.value)) {
        return;
    }
    let message = "a match for some of the gateways only is not supported yet";
    let hint = "write a VirtualService for each gateway";
    report.error("not-yet", node.key_place("gateways"), message, hint);
}

fn action(node: &Node, report: &mut Report) -> Option<RouteAction> {
    let written: Vec<_> = ["route", "redirect", "directResponse"]
        .into_iter()
        .filter_map(|key| node.entry(key).filter(|_| node.get(key).is_some()))
        .collect();
    match written.as_slice() {
        [] => {
            let has_other = node.get("delegate").is_some() || node.entry("route").is_some();
            if !has_other {
                let message = "this route has no `route`, `redirect` or `directResponse`";
                let hint = "write `route:` with a list of destinations";
                report.error("missing-field", start(node), message, hint);
            }
            None
        }
        [one] => match one.key.value.as_str() {
            "route" => Some(RouteAction::Forward(destinations(&one.value, report))),
            "redirect" => redirect(&one.value, report).map(RouteAction::Redirect),
            _ => direct_response(&one.value, report),
        },
        [first, second, ..] => {
            let message =
                format!("a route has `{}` or `{}`, not both", first.key.value, second.key.value);
            let finding = Finding::new(Severity::Error, "two-actions", message)
                .at(second.key.place)
                .related(first.key.place, "and this")
                .hint("keep one of them");
            report.push(finding);
            None
        }
    }
}

fn destinations(list: &Node, report: &mut Report) -> Vec<Forward> {
    let alone = list.items().len() == 1;
    let mut forwards = Vec::new();
    for item in list.items() {
        let Some(destination) = item.get("destination") else {
            let message = "this item of `route` has no `destination`";
            report.error("missing-field", item.place, message, "write it with `host` inside it");
            continue;
        };
        let Some(host) = destination.text_of("host") else {
            if destination.get("host").is_none() {
                let hint = "write the name of the service";
                report.error(
                    "missing-field",
                    destination.place,
                    "`destination` has no `host`",
                    hint,
                );
            }
            continue;
        };
        if let Err((message, hint)) = names::check(&host.value) {
            report.error("bad-host", host.place, message, hint);
            continue;
        }
        let weight = item.number_of::<u32>("weight");
        if weight.is_none() && !alone && item.get("weight").is_none() {
            let message = "one of several destinations without `weight` gets no requests";
            report.warning(
                "no-weight",
                host.place,
                message,
                "write `weight`, relative to the others'",
            );
        }
        forwards.push(Forward {
            subset: destination.text_of("subset"),
            port: destination.get("port").and_then(|port| port.number_of("number")),
            weight: if alone { 1 } else { weight.map_or(0, |weight| weight.value) },
            headers: item
                .get("headers")
                .map_or_else(HeaderRules::default, |h| headers::read(h, report)),
            host,
        });
    }
    let all_read = forwards.len() == list.items().len();
    if all_read && forwards.iter().all(|f| f.weight == 0) {
        let hint = "give at least one of them a weight above 0";
        report.error("no-weight", list.place, "no destination has a weight above 0", hint);
    }
    forwards
}

fn redirect(node: &Node, report: &mut Report) -> Option<Redirect> {
    let code = node.number_of::<u16>("redirectCode");
    let status = code.as_ref().map_or(301, |code| code.value);
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        let place = code.map_or(node.place, |code| code.place);
        let message = format!("{status} is not a status of a redirect");
        report.error("bad-status", place, message, "write 301, 302, 303, 307 or 308");
        return None;
    }
    let scheme = node.text_of("scheme");
    if let Some(scheme) = scheme.as_ref().filter(|s| !matches!(s.value.as_str(), "http" | "https"))
    {
        let message = format!("`{}` is not a scheme of HTTP", scheme.value);
        report.error("bad-scheme", scheme.place, message, "write `http` or `https`");
    }
    let scheme = scheme.map(|scheme| scheme.value);
    let uri = match (node.text_of("uri"), node.text_of("prefixRewrite")) {
        (Some(_), Some(prefix)) => {
            let message = "a redirect has `uri` or `prefixRewrite`, not both";
            report.error("two-actions", prefix.place, message, "keep one of them");
            None
        }
        (Some(uri), None) => Some(PathRewrite::Replace(in_one_word(uri, report))),
        (None, Some(prefix)) => Some(PathRewrite::ReplaceMatched(in_one_word(prefix, report))),
        (None, None) => None,
    };
    let authority = node.text_of("authority").map(|authority| in_one_word(authority, report));
    let port = redirect_port(node, scheme.as_deref(), report);
    Some(Redirect { uri, authority, port, scheme, status })
}

fn redirect_port(node: &Node, scheme: Option<&str>, report: &mut Report) -> Option<u16> {
    let written = node.number_of::<u16>("port").map(|port| port.value);
    let Some(derived) = node.text_of("derivePort") else { return written };
    match (written, derived.value.as_str(), scheme) {
        (Some(_), ..) => {
            let message = "a redirect has `port` or `derivePort`, not both";
            report.error("two-actions", derived.place, message, "keep one of them");
            written
        }
        (None, "FROM_PROTOCOL_DEFAULT", Some("https")) => Some(443),
        (None, "FROM_PROTOCOL_DEFAULT", Some(_)) => Some(80),
        (None, "FROM_PROTOCOL_DEFAULT", None) => {
            let message = "`FROM_PROTOCOL_DEFAULT` without `scheme` is not supported yet";
            report.error("not-yet", derived.place, message, "write `scheme: https` beside it");
            None
        }
        _ => None,
    }
}

fn direct_response(node: &Node, report: &mut Report) -> Option<RouteAction> {
    let Some(status) = node.number_of::<u16>("status") else {
        if node.get("status").is_none() {
            let message = "`directResponse` has no `status`";
            report.error("missing-field", node.place, message, "write one, such as 503");
        }
        return None;
    };
    let body = match node.get("body") {
        None => String::new(),
        Some(body) => match (body.text_of("string"), body.text_of("bytes")) {
            (Some(_), Some(bytes)) => {
                let message = "a body has `string` or `bytes`, not both";
                report.error("two-actions", bytes.place, message, "keep one of them");
                return None;
            }
            (Some(text), None) => text.value,
            (None, Some(bytes)) => decode(&bytes, report)?,
            (None, None) => String::new(),
        },
    };
    Some(RouteAction::DirectResponse { status: status.value, body })
}

fn decode(bytes: &At<String>, report: &mut Report) -> Option<String> {
    let Some(decoded) = crate::base64::decode(&bytes.value) else {
        let message = "`bytes` is not base64";
        report.error("bad-base64", bytes.place, message, "write the text itself in `string`");
        return None;
    };
    let text = String::from_utf8(decoded).ok();
    if text.is_none() {
        let message = "a body that is not UTF-8 is not supported yet";
        report.error("not-yet", bytes.place, message, "serve it from a service");
    }
    text
}

fn rewrite(route: &Node, node: &Node, report: &mut Report) -> Rewrite {
    let regex = node.get("uriRegexRewrite");
    let uri = match (node.text_of("uri"), regex) {
        (Some(uri), Some(_)) => {
            let message = "a rewrite has `uri` or `uriRegexRewrite`, not both";
            report.error("two-actions", uri.place, message, "keep one of them");
            None
        }
        (Some(uri), None) => Some(PathRewrite::ReplaceMatched(in_one_word(uri, report))),
        (None, Some(regex)) => regex_rewrite(regex, report),
        (None, None) => None,
    };
    if route.get("redirect").is_some() || route.get("directResponse").is_some() {
        let place = route.key_place("rewrite");
        let hint = "a redirect has its own `uri` and `authority`";
        report.error("two-actions", place, "a rewrite needs a `route`", hint);
    }
    let authority = node.text_of("authority").map(|authority| in_one_word(authority, report));
    Rewrite { uri, authority }
}

/// Text of a request line or of a URL: a blank or a line break would end it there, and what follows
/// would be read as something else (RFC 9112 section 3).
fn in_one_word(text: At<String>, report: &mut Report) -> String {
    if !text.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        let message = "this holds a blank, `#` or another character that no URL has as it is";
        report.error("bad-target", text.place, message, "write it percent-encoded, such as `%20`");
    }
    text.value
}

fn regex_rewrite(node: &Node, report: &mut Report) -> Option<PathRewrite> {
    let (Some(pattern), Some(replacement)) = (node.text_of("match"), node.text_of("rewrite"))
    else {
        let message = "`uriRegexRewrite` needs `match` and `rewrite`";
        report.error("missing-field", node.place, message, "write both");
        return None;
    };
    let groups = strings::check_regex(&pattern, report)?;
    let mut bytes = replacement.value.bytes();
    while let Some(byte) = bytes.next() {
        let group = if byte == b'\\' { bytes.next() } else { None };
        if let Some(digit) = group.filter(u8::is_ascii_digit)
            && usize::from(digit - b'0') > groups
        {
            let message = format!(
                "`\\{}` is not a group of the expression, which has {groups}",
                char::from(digit)
            );
            report.error("bad-regex", replacement.place, message, "put the part in parentheses");
            return None;
        }
    }
    Some(PathRewrite::Regex {
        pattern: pattern.value,
        replacement: in_one_word(replacement, report),
    })
}

fn retries(node: &Node) -> Option<Retries> {
    Some(Retries {
        attempts: node.number_of::<u32>("attempts")?.value,
        per_try_timeout: node.duration_of("perTryTimeout")?,
    })
}
