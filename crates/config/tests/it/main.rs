//! Behaviour of the crate, from text to routing and rendered findings.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::too_many_lines, reason = "snapshots stand in their tests")]

mod destination_rule;
mod destinations;
mod docs;
mod documents;
mod examples;
mod gateway;
mod indentation;
mod never_panics;
mod openslo;
mod openslo_sources;
mod outline;
mod service_entry;
mod targets;
mod timeouts;
mod upstreams;
mod virtual_service;

use config::{Color, Defaults, Loaded, Source, Upstream, load};
use outline::outline;

/// Loads one file named `shop.yaml`, and `--upstream`s.
fn load_with(text: &str, upstreams: &[&str]) -> Loaded {
    let upstreams: Vec<Upstream> = upstreams.iter().map(|u| u.parse().unwrap()).collect();
    load(&[Source::new("shop.yaml", text)], &upstreams, &Defaults::default())
}

/// The findings as they are shown, one after the other.
fn shown(text: &str, loaded: &Loaded) -> String {
    let sources = [Source::new("shop.yaml", text)];
    let rendered: Vec<_> =
        loaded.diagnostics.iter().map(|d| d.render(&sources, Color::Never)).collect();
    rendered.join("\n")
}

/// What loading `text` says.
fn say(text: &str) -> String {
    shown(text, &load_with(text, &[]))
}

/// A service `payment-service` with endpoints for v1 and v2, without its DestinationRule.
const ENTRY: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payment-service
spec:
  hosts: [payment-service]
  ports:
  - {number: 80, name: http, protocol: HTTP}
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {http: 3001}, labels: {version: v1}}
  - {address: 127.0.0.1, ports: {http: 3002}, labels: {version: v2}}
";

/// The subsets of `payment-service`.
const RULE: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: payment-service
spec:
  host: payment-service
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
";

/// Several documents as one file.
fn file(documents: &[&str]) -> String {
    documents.join("---\n")
}

/// A VirtualService for `payment-service` whose `http` is `http`, indented as it is, and after it
/// the service.
fn with_routes(http: &str) -> String {
    let head = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment
spec:
  hosts: [payment-service]
  http:
";
    file(&[&format!("{head}{http}"), ENTRY, RULE])
}

/// What `text` and `--upstream`s become; they must load without a word.
fn routing_with(text: &str, upstreams: &[&str]) -> String {
    let loaded = load_with(text, upstreams);
    assert_eq!(shown(text, &loaded), "");
    outline(&loaded.routing)
}
