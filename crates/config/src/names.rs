//! Host names: as patterns, and as Kubernetes writes them.

use crate::routing::HostPattern;

/// The namespace of a document that names none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

const CLUSTER_SUFFIX: &str = ".svc.cluster.local";

/// The full name of a host that a document in `namespace` names: `payment-service` is
/// `payment-service.NAMESPACE.svc.cluster.local`, as in Istio. Names with a dot stay as they are,
/// except `NAME.NAMESPACE.svc`.
pub(crate) fn canonical(host: &str, namespace: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if is_ip(&host) || host.contains(['*', '[']) {
        return host;
    }
    if !host.contains('.') {
        return format!("{host}.{namespace}{CLUSTER_SUFFIX}");
    }
    match host.strip_suffix(".svc") {
        Some(name) if name.contains('.') => format!("{name}{CLUSTER_SUFFIX}"),
        _ => host,
    }
}

/// The names by which a client may call the host with this full name: for a service of a cluster
/// `a`, `a.ns`, `a.ns.svc` and the full name; otherwise the name alone.
pub(crate) fn aliases(canonical: &str) -> Vec<String> {
    let Some((name, namespace)) =
        canonical.strip_suffix(CLUSTER_SUFFIX).and_then(|name| name.split_once('.'))
    else {
        return vec![canonical.to_owned()];
    };
    vec![
        name.to_owned(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        canonical.to_owned(),
    ]
}

/// The first label of a cluster's full name: `payment-service`; other names as they are.
pub(crate) fn short(canonical: &str) -> &str {
    match canonical.strip_suffix(CLUSTER_SUFFIX).and_then(|name| name.split_once('.')) {
        Some((name, _)) => name,
        None => canonical,
    }
}

/// Why a host cannot be used.
pub(crate) type BadHost = (String, String);

/// Reads `host`, `*.suffix` or `*`.
pub(crate) fn pattern(host: &str) -> Result<HostPattern, BadHost> {
    if host == "*" {
        return Ok(HostPattern::Any);
    }
    if let Some(suffix) = host.strip_prefix("*.") {
        check(suffix)?;
        return Ok(HostPattern::Suffix(format!(".{}", suffix.to_ascii_lowercase())));
    }
    // As in a `Host` header, whatever the way it is written.
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<std::net::Ipv6Addr>() {
        return Ok(HostPattern::Exact(format!("[{address}]")));
    }
    check(host)?;
    Ok(HostPattern::Exact(host.trim_end_matches('.').to_ascii_lowercase()))
}

/// Whether this is a host name or an IP address, and nothing more.
pub(crate) fn check(host: &str) -> Result<(), BadHost> {
    let bad = |what: &str, hint: &str| Err((format!("`{host}` {what}"), hint.to_owned()));
    if host.is_empty() {
        return Err(("the host is empty".to_owned(), "write a name such as `shop.example`".into()));
    }
    if host.contains("://") {
        return bad("is a URL, expected a host", "write the host alone, without scheme and path");
    }
    if host.contains('/') {
        return bad("has a path or a namespace", "write the host alone");
    }
    if is_ip(host) {
        return Ok(());
    }
    if host.contains('*') {
        return bad("has a `*` elsewhere than at its start", "write `*.suffix` or `*`");
    }
    if let Some((name, port)) = host.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return bad("has a port, expected a host", &format!("write `{name}`"));
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(wrong) = host.chars().find(|c| !letters(*c)) {
        return bad(
            &format!("has the character {wrong:?}, which no host name has"),
            "write letters, digits, `-` and `.`; other alphabets in their `xn--` form",
        );
    }
    let name = host.trim_end_matches('.');
    if host.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return bad("is not a host name", "labels have 1 to 63 characters, the whole at most 253");
    }
    Ok(())
}

/// Whether this is an IP address.
pub(crate) fn is_ip(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// How a pattern is written.
pub(crate) fn display(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => "*".to_owned(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
        HostPattern::Exact(host) => host.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed_with_the_namespace_as_in_istio() {
        let cases = [
            ("payment-service", "payment-service.shop.svc.cluster.local"),
            ("payment-service.shop.svc", "payment-service.shop.svc.cluster.local"),
            ("a.other.svc.cluster.local", "a.other.svc.cluster.local"),
            ("API.Example.COM", "api.example.com"),
            ("10.0.0.1", "10.0.0.1"),
            ("::1", "::1"),
            ("*.example.com", "*.example.com"),
        ];
        for (host, full) in cases {
            assert_eq!(canonical(host, "shop"), full);
        }
    }

    #[test]
    fn an_ipv6_address_is_a_host_as_in_a_host_header() {
        for host in ["::1", "[::1]", "0:0::1"] {
            assert_eq!(pattern(host), Ok(HostPattern::Exact("[::1]".to_owned())));
        }
        assert_eq!(canonical("[::1]", "shop"), "[::1]");
    }

    #[test]
    fn what_is_more_than_a_host_is_refused() {
        for host in ["http://a", "a/b", "a:80", "a*b", "", "a..b", "käse.example", "a b"] {
            assert!(pattern(host).is_err(), "{host}");
        }
    }
}
