use crate::{load_with, routing_with, shown};

const VIRTUAL_SERVICE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment
spec:
  hosts:
  - payment-service
  http:
  - route:
    - destination:
        host: payment-service
        subset: v1
        port:
          number: 8080
      weight: 90
    - destination:
        host: payment-service
        subset: v2
      weight: 10
";

#[test]
fn a_url_alone_is_a_service_for_everything() {
    insta::assert_snapshot!(routing_with("", &["http://localhost:3000"]), @r#"
    service localhost:3000
      port 3000 http Http1
      endpoint localhost {"http": 3000} {}
    virtual host localhost:3000 [Any] gateways []
      route localhost:3000
        to localhost:3000 weight 1
    "#);
}

#[test]
fn a_named_upstream_is_a_service_and_its_host() {
    insta::assert_snapshot!(routing_with("", &["shop=grpcs://10.0.0.1:50051"]), @r#"
    service shop
      port 50051 http Http2
      endpoint 10.0.0.1 {"http": 50051} {}
      policy TrafficPolicy { load_balancer: LeastRequest, max_connections: 1024, connect_timeout: 1s, max_pending_requests: 1024, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: None, tls: Some(UpstreamTls { server_name: None, authorities: None, client_certificate: None, client_key: None, skip_verification: false }) }
    virtual host shop [Exact("shop")] gateways []
      route shop
        to shop weight 1
    "#);
}

#[test]
fn two_urls_of_one_name_are_two_endpoints() {
    insta::assert_snapshot!(routing_with("", &["shop=http://a:1", "shop=http://b:2"]), @r#"
    service shop
      port 1 http Http1
      endpoint a {"http": 1} {}
      endpoint b {"http": 2} {}
    virtual host shop [Exact("shop")] gateways []
      route shop
        to shop weight 1
    "#);
}

#[test]
fn subsets_without_a_document_share_the_requests() {
    insta::assert_snapshot!(routing_with("", &["shop/v1=http://a:1", "shop/v2=http://b:2"]), @r#"
    service shop
      port 1 http Http1
      endpoint a {"http": 1} {"version": "v1"}
      endpoint b {"http": 2} {"version": "v2"}
      subset v1 {"version": "v1"}
      subset v2 {"version": "v2"}
    virtual host shop [Exact("shop")] gateways []
      route shop
        to shop/v1 weight 1
        to shop/v2 weight 1
    "#);
}

#[test]
fn a_virtual_service_is_completed_by_upstreams() {
    let upstreams =
        ["payment-service/v1=http://127.0.0.1:3001", "payment-service/v2=http://[::1]:3002"];
    insta::assert_snapshot!(routing_with(VIRTUAL_SERVICE, &upstreams), @r#"
    service payment-service
      port 8080 http Http1
      endpoint 127.0.0.1 {"http": 3001} {"version": "v1"}
      endpoint ::1 {"http": 3002} {"version": "v2"}
      subset v1 {"version": "v1"}
      subset v2 {"version": "v2"}
    virtual host payment [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
      route payment[0]
        to payment-service/v1:8080 weight 90
        to payment-service/v2 weight 10
    "#);
}

#[test]
fn an_upstream_of_one_subset_leaves_the_other_missing() {
    let loaded = load_with(VIRTUAL_SERVICE, &["payment-service/v1=http://127.0.0.1:3001"]);
    insta::assert_snapshot!(shown(VIRTUAL_SERVICE, &loaded), @r#"
    error[unknown-subset]: `payment-service` has no subset `v2`
      --> shop.yaml:18:17
       |
    18 |         subset: v2
       |                 ^^
       |
       = help: give --upstream payment-service/v2=http://127.0.0.1:PORT
    "#);
}

#[test]
fn a_url_for_everything_serves_what_no_document_routes() {
    let upstreams =
        ["payment-service/v1=http://a", "payment-service/v2=http://b", "http://localhost:3000"];
    insta::assert_snapshot!(routing_with(VIRTUAL_SERVICE, &upstreams), @r#"
    service payment-service
      port 8080 http Http1
      endpoint a {"http": 80} {"version": "v1"}
      endpoint b {"http": 80} {"version": "v2"}
      subset v1 {"version": "v1"}
      subset v2 {"version": "v2"}
    service localhost:3000
      port 3000 http Http1
      endpoint localhost {"http": 3000} {}
    virtual host payment [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
      route payment[0]
        to payment-service/v1:8080 weight 90
        to payment-service/v2 weight 10
    virtual host localhost:3000 [Any] gateways []
      route localhost:3000
        to localhost:3000 weight 1
    "#);
}

#[test]
fn upstreams_that_contradict_are_refused() {
    for (upstreams, said) in [
        (
            &["http://a", "http://b"][..],
            "error[upstream-without-host]: `http://a:80` and `http://b:80` are both for everything",
        ),
        (
            &["a=http://b", "a=h2c://b"],
            "error[upstream-scheme]: `a`: the scheme differs from that of the others",
        ),
    ] {
        let loaded = load_with("", upstreams);
        let all: Vec<_> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(all, [said]);
    }
}
