use crate::{ENTRY, RULE, file, routing_with, say};

fn rule(policy: &str) -> String {
    file(&[&RULE.replace("  subsets", &format!("  trafficPolicy:\n{policy}  subsets")), ENTRY])
}

#[test]
fn a_subsets_policy_replaces_the_services_part_by_part() {
    let text = rule(
        "
    loadBalancer: {simple: ROUND_ROBIN}
    connectionPool:
      tcp: {maxConnections: 10, connectTimeout: 3s, idleTimeout: 20s}
      http: {http2MaxRequests: 0, h2UpgradePolicy: UPGRADE}
    tls: {mode: MUTUAL, clientCertificate: a.pem, privateKey: a.key, caCertificates: system, sni: a}
",
    )
    .replace(
        "{name: v2, labels: {version: v2}}",
        "{name: v2, labels: {version: v2}, trafficPolicy: {tls: {mode: DISABLE}, connectionPool: {http: {maxRequestsPerConnection: 5}}}}",
    );
    insta::assert_snapshot!(routing_with(&text, &[]), @r#"
    service payment-service
      port 80 http Http2
      endpoint 127.0.0.1 {"http": 3001} {"version": "v1"}
      endpoint 127.0.0.1 {"http": 3002} {"version": "v2"}
      policy TrafficPolicy { load_balancer: RoundRobin, max_connections: 10, connect_timeout: 3s, max_pending_requests: 1024, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: Some(20s), tls: Some(UpstreamTls { server_name: Some("a"), authorities: None, client_certificate: Some("a.pem"), client_key: Some("a.key"), skip_verification: false }) }
      subset v1 {"version": "v1"}
        policy TrafficPolicy { load_balancer: RoundRobin, max_connections: 10, connect_timeout: 3s, max_pending_requests: 1024, max_requests: 1024, max_requests_per_connection: 0, idle_timeout: Some(20s), tls: Some(UpstreamTls { server_name: Some("a"), authorities: None, client_certificate: Some("a.pem"), client_key: Some("a.key"), skip_verification: false }) }
      subset v2 {"version": "v2"}
        policy TrafficPolicy { load_balancer: RoundRobin, max_connections: 1024, connect_timeout: 1s, max_pending_requests: 1024, max_requests: 1024, max_requests_per_connection: 5, idle_timeout: None, tls: None }
    "#);
}

#[test]
fn what_is_not_here_yet_is_said_by_field() {
    let text = rule(
        "
    loadBalancer: {consistentHash: {httpHeaderName: x-user}, warmupDurationSecs: 10s}
    connectionPool:
      tcp: {tcpKeepalive: {probes: 3}, connectTimeout: 0s}
      http: {maxRetries: 3, useClientProtocol: false}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s}
    portLevelSettings:
    - {port: {number: 80}, loadBalancer: {simple: RANDOM}}
    tls: {mode: ISTIO_MUTUAL}
",
    );
    insta::assert_snapshot!(say(&text), @r#"
    error[not-yet]: `spec.trafficPolicy.loadBalancer.consistentHash` is not supported yet
     --> shop.yaml:9:20
      |
    9 |     loadBalancer: {consistentHash: {httpHeaderName: x-user}, warmupDurationSecs: 10s}
      |                    ^^^^^^^^^^^^^^
      |
      = help: remove it for now

    warning[not-yet-in-effect]: `spec.trafficPolicy.loadBalancer.warmupDurationSecs` is not in effect yet
     --> shop.yaml:9:62
      |
    9 |     loadBalancer: {consistentHash: {httpHeaderName: x-user}, warmupDurationSecs: 10s}
      |                                                              ^^^^^^^^^^^^^^^^^^
      |
      = help: it is served without it

    warning[not-yet-in-effect]: `spec.trafficPolicy.connectionPool.tcp.tcpKeepalive` is not in effect yet
      --> shop.yaml:11:13
       |
    11 |       tcp: {tcpKeepalive: {probes: 3}, connectTimeout: 0s}
       |             ^^^^^^^^^^^^
       |
       = help: it is served without it

    error[bad-duration]: this timeout is zero
      --> shop.yaml:11:56
       |
    11 |       tcp: {tcpKeepalive: {probes: 3}, connectTimeout: 0s}
       |                                                        ^^
       |
       = help: remove it for the default, or write a duration

    warning[not-yet-in-effect]: `spec.trafficPolicy.connectionPool.http.maxRetries` is not in effect yet
      --> shop.yaml:12:14
       |
    12 |       http: {maxRetries: 3, useClientProtocol: false}
       |              ^^^^^^^^^^
       |
       = help: it is served without it

    warning[not-yet-in-effect]: `spec.trafficPolicy.outlierDetection` is not in effect yet
      --> shop.yaml:13:5
       |
    13 |     outlierDetection: {consecutive5xxErrors: 5, interval: 10s}
       |     ^^^^^^^^^^^^^^^^
       |
       = help: it is served without it

    error[not-yet]: `spec.trafficPolicy.portLevelSettings` is not supported yet
      --> shop.yaml:14:5
       |
    14 |     portLevelSettings:
       |     ^^^^^^^^^^^^^^^^^
       |
       = help: remove it for now

    error[not-here]: ISTIO_MUTUAL takes its certificates from a sidecar, which is not here
      --> shop.yaml:16:17
       |
    16 |     tls: {mode: ISTIO_MUTUAL}
       |                 ^^^^^^^^^^^^
       |
       = help: write `mode: MUTUAL` with `clientCertificate` and `privateKey`
    "#);
}

#[test]
fn tls_that_lacks_a_part_or_does_not_check_is_said() {
    let text = file(&[
        &rule("    tls: {mode: MUTUAL, credentialName: a}\n"),
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: b}\nspec: {host: b, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}, loadBalancer: {simple: PASSTHROUGH}}}\n",
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: c}\nspec: {host: '*.c', trafficPolicy: {tls: {sni: c}}}\n",
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[missing-field]: MUTUAL needs `clientCertificate` and `privateKey`, both paths of PEM files
     --> shop.yaml:8:10
      |
    8 |     tls: {mode: MUTUAL, credentialName: a}
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `credentialName` names a secret of Kubernetes, which is not read here

    note[kubernetes-only]: of use in Kubernetes only, without effect here: `spec.trafficPolicy.tls.credentialName`
     --> shop.yaml:8:25
      |
    8 |     tls: {mode: MUTUAL, credentialName: a}
      |                         ^^^^^^^^^^^^^^ in DestinationRule `payment-service`

    warning[unused-rule]: no ServiceEntry and no route names the service `b`
      --> shop.yaml:29:14
       |
    29 | spec: {host: b, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}, loadBalancer: {simple: PASSTHROUGH}}}
       |              ^
       |
       = help: write a ServiceEntry for it, or remove the rule

    warning[certificate-not-checked]: the service's certificate is not checked: anyone can pose as the service
      --> shop.yaml:29:53
       |
    29 | spec: {host: b, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}, loadBalancer: {simple: PASSTHROUGH}}}
       |                                                     ^^^^^^^^^^^^^^^^^^
       |
       = help: name its authority in `caCertificates` instead

    error[not-yet]: `PASSTHROUGH` is not supported yet
      --> shop.yaml:29:103
       |
    29 | spec: {host: b, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}, loadBalancer: {simple: PASSTHROUGH}}}
       |                                                                                                       ^^^^^^^^^^^
       |
       = help: write ROUND_ROBIN, LEAST_REQUEST or RANDOM

    error[not-yet]: a DestinationRule for several hosts is not supported yet
      --> shop.yaml:34:14
       |
    34 | spec: {host: '*.c', trafficPolicy: {tls: {sni: c}}}
       |              ^^^^^
       |
       = help: write one for each host
    "#);
}

#[test]
fn subsets_that_do_not_fit_are_said() {
    let text = RULE.replace(
        "{name: v2, labels: {version: v2}}",
        "{name: v2, labels: {version: v22}}\n  - {name: v1}\n  - {labels: {a: b}}",
    );
    insta::assert_snapshot!(say(&file(&[&text, ENTRY])), @r#"
    warning[empty-subset]: the subset `v2` selects no endpoint of `payment-service`: none has version=v22
     --> shop.yaml:9:12
      |
    9 |   - {name: v2, labels: {version: v22}}
      |            ^^
      |
      = help: its endpoints have: version=v1; version=v2
      = help: or give --upstream payment-service/v2=URL

    error[duplicate-subset]: the subset `v1` is defined twice
      --> shop.yaml:10:12
       |
     8 |   - {name: v1, labels: {version: v1}}
       |            -- first here
     9 |   - {name: v2, labels: {version: v22}}
    10 |   - {name: v1}
       |            ^^
       |
       = help: rename one of them

    error[missing-field]: this subset has no `name`
      --> shop.yaml:11:5
       |
    11 |   - {labels: {a: b}}
       |     ^^^^^^^^^^^^^^^^
       |
       = help: write one
    "#);
}

#[test]
fn a_rule_must_be_for_a_service_that_is_known_once() {
    let slip = RULE.replace("host: payment-service", "host: paymnt-service");
    insta::assert_snapshot!(say(&file(&[&slip, ENTRY])), @r#"
    warning[unused-rule]: no ServiceEntry and no route names the service `paymnt-service`
     --> shop.yaml:6:9
      |
    6 |   host: paymnt-service
      |         ^^^^^^^^^^^^^^
      |
      = help: did you mean `payment-service`?
    "#);
    insta::assert_snapshot!(say(&file(&[RULE, &RULE.replace("name: payment-service", "name: b"), ENTRY])), @r#"
    error[duplicate-rule]: two DestinationRules are for `payment-service`
      --> shop.yaml:16:9
       |
     6 |   host: payment-service
       |         --------------- the first one
    ...
    16 |   host: payment-service
       |         ^^^^^^^^^^^^^^^
       |
       = help: write all subsets into one of them
    "#);
}

#[test]
fn full_names_and_short_ones_are_the_same_service() {
    let text = file(&[
        &RULE.replace("host: payment-service", "host: payment-service.shop.svc.cluster.local"),
        &ENTRY.replace(
            "name: payment-service\nspec",
            "name: payment-service\n  namespace: shop\nspec",
        ),
    ]);
    insta::assert_snapshot!(routing_with(&text, &[]), @r#"
    service payment-service
      port 80 http Http1
      endpoint 127.0.0.1 {"http": 3001} {"version": "v1"}
      endpoint 127.0.0.1 {"http": 3002} {"version": "v2"}
      subset v1 {"version": "v1"}
      subset v2 {"version": "v2"}
    "#);
}
