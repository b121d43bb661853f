use config::{Color, Defaults, Source, load};

use crate::outline::outline;

/// The example files, which the documentation shows.
pub(crate) const EXAMPLES: [(&str, &str); 3] = [
    ("payment-canary.yaml", include_str!("../../../../examples/istio/payment-canary.yaml")),
    ("bookshop.yaml", include_str!("../../../../examples/istio/bookshop.yaml")),
    ("external-api.yaml", include_str!("../../../../examples/istio/external-api.yaml")),
];

#[test]
fn the_examples_load_without_a_word() {
    for (name, text) in EXAMPLES {
        let sources = [Source::new(name, text)];
        let loaded = load(&sources, &[], &Defaults::default());
        let said: String =
            loaded.diagnostics.iter().map(|d| d.render(&sources, Color::Never)).collect();
        assert_eq!(said, "", "{name}");
        assert!(!loaded.routing.virtual_hosts.is_empty(), "{name}");
    }
}

#[test]
fn the_examples_load_together() {
    let sources = EXAMPLES.map(|(name, text)| Source::new(name, text));
    let loaded = load(&sources, &[], &Defaults::default());
    assert_eq!(loaded.diagnostics, []);
}

#[test]
fn the_canary_becomes_a_service_with_two_subsets_and_a_weighted_route() {
    let (name, text) = EXAMPLES[0];
    let loaded = load(&[Source::new(name, text)], &[], &Defaults::default());
    insta::assert_snapshot!(outline(&loaded.routing), @r#"
    service payment-service
      port 80 http Http1
      endpoint 127.0.0.1 {"http": 3001} {"version": "v1"}
      endpoint 127.0.0.1 {"http": 3002} {"version": "v2"}
      policy TrafficPolicy { load_balancer: LeastRequest, max_connections: 100, connect_timeout: 500ms, max_pending_requests: 200, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: Some(90s), tls: None }
      subset v1 {"version": "v1"}
        policy TrafficPolicy { load_balancer: LeastRequest, max_connections: 100, connect_timeout: 500ms, max_pending_requests: 200, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: Some(90s), tls: None }
      subset v2 {"version": "v2"}
        policy TrafficPolicy { load_balancer: LeastRequest, max_connections: 100, connect_timeout: 500ms, max_pending_requests: 200, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: Some(90s), tls: None }
      Promises { write_timeout: Some(8s), handler_deadline: Some(4s), keep_alive: Some(120s) }
    virtual host payment-service [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
      route payment-canary timeout 5s
        to payment-service/v1 weight 90
        to payment-service/v2 weight 10
    "#);
}
