use crate::{ENTRY, RULE, file, load_with, outline::outline, say, with_routes};

#[test]
fn destinations_must_be_defined() {
    insta::assert_snapshot!(say(&with_routes("
  - route:
    - {destination: {host: payment-service, subset: v3}, weight: 1}
    - {destination: {host: payment-service, subset: stable}, weight: 1}
    - {destination: {host: payment-service, port: {number: 81}}, weight: 1}
    - {destination: {host: paymnt-service}, weight: 1}
")), @r#"
    error[unknown-subset]: `payment-service` has no subset `v3`
      --> shop.yaml:10:53
       |
    10 |     - {destination: {host: payment-service, subset: v3}, weight: 1}
       |                                                     ^^
    ...
    33 |   host: payment-service
       |         --------------- its DestinationRule
       |
       = help: its subsets: v1, v2

    error[unknown-subset]: `payment-service` has no subset `stable`
      --> shop.yaml:11:53
       |
    11 |     - {destination: {host: payment-service, subset: stable}, weight: 1}
       |                                                     ^^^^^^
    ...
    33 |   host: payment-service
       |         --------------- its DestinationRule
       |
       = help: its subsets: v1, v2

    error[unknown-port]: `payment-service` has no port 81
      --> shop.yaml:12:60
       |
    12 |     - {destination: {host: payment-service, port: {number: 81}}, weight: 1}
       |                                                            ^^
    ...
    20 |   hosts: [payment-service]
       |           --------------- its ServiceEntry
       |
       = help: its ports: 80

    warning[missing-endpoints]: VirtualService `payment` routes to `paymnt-service`, but nothing says where to find it: these requests are answered 503 (gateway.no_upstream)
      --> shop.yaml:13:28
       |
    13 |     - {destination: {host: paymnt-service}, weight: 1}
       |                            ^^^^^^^^^^^^^^
       |
       = help: did you mean `payment-service`?
       = help: give --upstream paymnt-service=http://127.0.0.1:PORT
       = help: or add these documents, with the addresses and ports edited:

    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata:
      name: paymnt-service
    spec:
      hosts:
      - paymnt-service
      ports:
      - number: 80
        name: http
        protocol: HTTP
      resolution: STATIC
      endpoints:
      - address: 127.0.0.1    # edit: where the service runs
        ports:
          http: 3001          # edit: its port
    "#);
}

#[test]
fn a_subset_without_a_rule_gets_the_rule_to_paste() {
    let text = with_routes("  - route: [{destination: {host: payment-service, subset: v1}}]\n")
        .replace(RULE, "")
        .replace("---\n---", "---");
    insta::assert_snapshot!(say(&text), @r#"
    error[unknown-subset]: `payment-service` has no subset `v1`
     --> shop.yaml:8:59
      |
    8 |   - route: [{destination: {host: payment-service, subset: v1}}]
      |                                                           ^^
      |
      = help: subsets are defined by a DestinationRule; this one is missing:

    ---
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata:
      name: payment-service
    spec:
      host: payment-service
      subsets:
      - name: v1
        labels:
          version: v1
    "#);
}

#[test]
fn missing_endpoints_get_the_documents_to_paste() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment
  namespace: shop
spec:
  hosts: [payment-service]
  http:
  - route:
    - {destination: {host: payment-service, subset: v1, port: {number: 8080}}, weight: 90}
    - {destination: {host: payment-service, subset: '2'}, weight: 10}
    - {destination: {host: audit.example.com}, weight: 1}
";
    insta::assert_snapshot!(say(text), @r#"
    warning[missing-endpoints]: VirtualService `shop/payment` routes to `payment-service`, `audit.example.com`, but nothing says where to find it: these requests are answered 503 (gateway.no_upstream)
      --> shop.yaml:10:28
       |
    10 |     - {destination: {host: payment-service, subset: v1, port: {number: 8080}}, weight: 90}
       |                            ^^^^^^^^^^^^^^^
       |
       = help: give --upstream payment-service/v1=http://127.0.0.1:PORT --upstream payment-service/2=http://127.0.0.1:PORT --upstream audit.example.com=http://127.0.0.1:PORT
       = help: or add these documents, with the addresses and ports edited:

    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata:
      name: payment-service
      namespace: shop
    spec:
      hosts:
      - payment-service
      ports:
      - number: 8080
        name: http
        protocol: HTTP
      resolution: STATIC
      endpoints:
      - address: 127.0.0.1    # edit: where v1 runs
        ports:
          http: 3001          # edit: its port
        labels:
          version: v1
      - address: 127.0.0.1    # edit: where 2 runs
        ports:
          http: 3002          # edit: its port
        labels:
          version: '2'
    ---
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata:
      name: payment-service
      namespace: shop
    spec:
      host: payment-service
      subsets:
      - name: v1
        labels:
          version: v1
      - name: '2'
        labels:
          version: '2'
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata:
      name: audit.example.com
      namespace: shop
    spec:
      hosts:
      - audit.example.com
      ports:
      - number: 80
        name: http
        protocol: HTTP
      resolution: STATIC
      endpoints:
      - address: 127.0.0.1    # edit: where the service runs
        ports:
          http: 3001          # edit: its port
    "#);
}

#[test]
fn the_documents_that_are_given_to_paste_complete_the_routes() {
    let text = with_routes(
        "
  - route:
    - {destination: {host: payment-service, subset: v1, port: {number: 8080}}, weight: 90}
    - {destination: {host: payment-service, subset: '2'}, weight: 10}
    - {destination: {host: audit.example.com}, weight: 1}
",
    );
    let alone = text.split("---\n").next().unwrap_or_default();
    let loaded = load_with(alone, &[]);
    let paste = loaded.diagnostics[0].paste.clone().unwrap_or_default();
    let completed = load_with(&format!("{alone}{paste}"), &[]);
    assert_eq!(completed.diagnostics, []);
    insta::assert_snapshot!(outline(&completed.routing), @r#"
    service payment-service
      port 8080 http Http1
      endpoint 127.0.0.1 {"http": 3001} {"version": "v1"}
      endpoint 127.0.0.1 {"http": 3002} {"version": "2"}
      subset v1 {"version": "v1"}
      subset 2 {"version": "2"}
    service audit.example.com
      port 80 http Http1
      endpoint 127.0.0.1 {"http": 3001} {}
    virtual host payment [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
      route payment[0]
        to payment-service/v1:8080 weight 90
        to payment-service/2 weight 10
        to audit.example.com weight 1
    "#);
}

#[test]
fn an_existing_rule_lends_its_labels_to_the_missing_entry() {
    let route = with_routes("  - route: [{destination: {host: payment-service, subset: v1}}]\n");
    let text = route
        .replace(ENTRY, "")
        .replace("---\n---", "---")
        .replace("{version: v1}", "{track: stable}");
    insta::assert_snapshot!(say(&text), @r#"
    warning[missing-endpoints]: VirtualService `payment` routes to `payment-service`, but nothing says where to find it: these requests are answered 503 (gateway.no_upstream)
     --> shop.yaml:8:34
      |
    8 |   - route: [{destination: {host: payment-service, subset: v1}}]
      |                                  ^^^^^^^^^^^^^^^
      |
      = help: give --upstream payment-service/v1=http://127.0.0.1:PORT
      = help: or add these documents, with the addresses and ports edited:

    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata:
      name: payment-service
    spec:
      hosts:
      - payment-service
      ports:
      - number: 80
        name: http
        protocol: HTTP
      resolution: STATIC
      endpoints:
      - address: 127.0.0.1    # edit: where v1 runs
        ports:
          http: 3001          # edit: its port
        labels:
          track: stable
    "#);
}

#[test]
fn routes_that_an_earlier_one_takes_are_said() {
    let route = "route: [{destination: {host: payment-service}}]";
    let text = with_routes(&format!(
        "
  - name: pay
    match: [{{uri: {{prefix: /pay}}}}]
    {route}
  - name: pay-get
    match: [{{uri: {{exact: /pay/1}}, method: {{exact: GET}}}}]
    {route}
  - name: pay-or-other
    match: [{{uri: {{exact: /pay/2}}}}, {{uri: {{exact: /other}}}}]
    {route}
  - name: all
    match: [{{uri: {{prefix: /}}}}]
    {route}
  - name: rest
    {route}
"
    ));
    insta::assert_snapshot!(say(&text), @r#"
    warning[route-never-matches]: route `pay-get` can never match: `pay` before it matches all that it would match
      --> shop.yaml:12:11
       |
     9 |   - name: pay
       |           --- this one matches first
    ...
    12 |   - name: pay-get
       |           ^^^^^^^
       |
       = help: the first route that matches is taken: write the narrower one first

    warning[route-never-matches]: route `rest` can never match: `all` before it matches every request
      --> shop.yaml:21:11
       |
    18 |   - name: all
       |           --- this one matches every request
    ...
    21 |   - name: rest
       |           ^^^^
       |
       = help: the first route that matches is taken: write the narrower one first
    "#);
}

#[test]
fn names_and_hosts_must_be_unique() {
    let second = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment-service.default.svc.cluster.local]
  http:
  - {name: all, directResponse: {status: 200}}
";
    let text = with_routes("  - {name: all, route: [{destination: {host: payment-service}}]}\n");
    insta::assert_snapshot!(say(&file(&[&text, second])), @r#"
    error[duplicate-name]: two VirtualServices are named `payment`
      --> shop.yaml:35:18
       |
     4 |   name: payment
       |         ------- the first one
    ...
    35 | metadata: {name: payment}
       |                  ^^^^^^^
       |
       = help: rename one of them

    error[duplicate-host]: the host `payment-service.default.svc.cluster.local` has routes in two places
      --> shop.yaml:37:11
       |
     6 |   hosts: [payment-service]
       |           --------------- the first one
    ...
    37 |   hosts: [payment-service.default.svc.cluster.local]
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write all its routes into one VirtualService: their order decides

    error[duplicate-route]: two routes are named `all`
      --> shop.yaml:39:12
       |
     8 |   - {name: all, route: [{destination: {host: payment-service}}]}
       |            --- the first one
    ...
    39 |   - {name: all, directResponse: {status: 200}}
       |            ^^^
       |
       = help: records and metrics tell routes apart by name: rename one of them
    "#);
}
