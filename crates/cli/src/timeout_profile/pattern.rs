//! Where services show their profiles.

use std::{net::SocketAddr, str::FromStr};

use model::RequestRecord;

/// The port that Go services commonly keep for `net/http/pprof`.
const USUAL_PORT: u16 = 6060;

/// Where a service's goroutine profile is: `auto`, or a URL with `{host}`, `{port}` and `{service}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UrlPattern {
    /// The endpoint that the request went to, then port 6060 of its host.
    Auto,
    /// A base URL, `/debug/pprof` included where it is not at the root.
    Url(String),
}

impl FromStr for UrlPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Err(format!(
                "found {text:?}, expected auto or a URL such as http://{{host}}:6060/debug/pprof"
            ));
        }
        let known = ["{host}", "{port}", "{service}"];
        let rest = known.iter().fold(text.to_owned(), |rest, name| rest.replace(name, ""));
        if rest.contains(['{', '}']) {
            return Err(format!(
                "found a placeholder in {text:?}, expected only {}",
                known.join(", ")
            ));
        }
        Ok(Self::Url(text.trim_end_matches('/').to_owned()))
    }
}

impl UrlPattern {
    /// The base URLs to ask for a request's service, in this order.
    pub(super) fn bases(&self, record: &RequestRecord) -> Vec<String> {
        let at = |address: SocketAddr| format!("http://{address}/debug/pprof");
        match self {
            Self::Auto => record.endpoint.map_or_else(Vec::new, |endpoint| {
                vec![at(endpoint), at(SocketAddr::new(endpoint.ip(), USUAL_PORT))]
            }),
            Self::Url(url) => vec![url].into_iter().filter_map(|url| fill(url, record)).collect(),
        }
    }
}

/// The URL with its placeholders filled in; none where the request reached no endpoint to fill in.
fn fill(url: &str, record: &RequestRecord) -> Option<String> {
    let mut url = url.replace("{service}", &record.service);
    if url.contains("{host}") || url.contains("{port}") {
        let endpoint = record.endpoint?;
        let host = match endpoint {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        url = url.replace("{host}", &host).replace("{port}", &endpoint.port().to_string());
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fake::failure;

    #[test]
    fn placeholders_are_filled_in_from_the_request() {
        let record = failure(model::Cause::UpstreamResponseTimedOut, 0);
        for (pattern, expected) in [
            (
                "auto",
                vec!["http://127.0.0.1:3000/debug/pprof", "http://127.0.0.1:6060/debug/pprof"],
            ),
            ("http://{host}:7000/debug/pprof/", vec!["http://127.0.0.1:7000/debug/pprof"]),
            ("https://{service}:{port}/x", vec!["https://payment-service:3000/x"]),
        ] {
            assert_eq!(pattern.parse::<UrlPattern>().unwrap().bases(&record), expected);
        }
    }

    #[test]
    fn what_is_no_url_or_has_another_placeholder_is_refused_with_what_is_expected() {
        let error = "localhost:6060".parse::<UrlPattern>().unwrap_err();
        assert!(error.contains("expected auto or a URL"), "{error}");
        let error = "http://{pod}:6060".parse::<UrlPattern>().unwrap_err();
        assert!(error.contains("expected only {host}, {port}, {service}"), "{error}");
    }
}
