use crate::{ENTRY, file, routing_with, say};

#[test]
fn ports_endpoints_and_resolution_become_services() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: a
  annotations: {rearguard.dev/keep-alive: 5s, rearguard.dev/handler-deadline: 1m30s}
spec:
  hosts: [a, A.example.com]
  ports:
  - {number: 80, name: http, protocol: HTTP, targetPort: 8080}
  - {number: 9000, name: grpc, protocol: GRPC}
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, ports: {grpc: 9001}, labels: {zone: north}}
  - {address: 'fd00::1'}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [b.example.com]
  ports:
  - {number: 80, name: http, protocol: HTTP}
  resolution: DNS
";
    insta::assert_snapshot!(routing_with(text, &[]), @r#"
    service a
      port 80 http Http1
      port 9000 grpc Http2
      endpoint 10.0.0.1 {"grpc": 9001, "http": 8080} {"zone": "north"}
      endpoint fd00::1 {"http": 8080} {}
      Promises { write_timeout: None, handler_deadline: Some(90s), keep_alive: Some(5s) }
    service a.example.com
      port 80 http Http1
      port 9000 grpc Http2
      endpoint 10.0.0.1 {"grpc": 9001, "http": 8080} {"zone": "north"}
      endpoint fd00::1 {"http": 8080} {}
      Promises { write_timeout: None, handler_deadline: Some(90s), keep_alive: Some(5s) }
    service b.example.com
      port 80 http Http1
      endpoint b.example.com {} {}
    "#);
}

#[test]
fn what_is_wrong_with_a_service_is_said() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec:
  hosts: [http://a, '*.b', c]
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 80, name: again, protocol: HTTP}
  - {number: 81, name: x, protocol: HTTP3}
  - {number: 82, name: tcp, protocol: TCP}
  resolution: STATIC
  location: MESH_EXTERNAL
  endpoints:
  - {address: '10.0.0.1:8080'}
  - {address: localhost, ports: {htp: 3001}, weight: 5}
  - {ports: {http: 3001}}
  - {address: 'unix:///tmp/a.sock'}
";
    insta::assert_snapshot!(say(text), @r#"
    error[bad-host]: `http://a` is a URL, expected a host
     --> shop.yaml:5:11
      |
    5 |   hosts: [http://a, '*.b', c]
      |           ^^^^^^^^
      |
      = help: write the host alone, without scheme and path

    error[not-yet]: a service for `*.b` is not supported yet
     --> shop.yaml:5:21
      |
    5 |   hosts: [http://a, '*.b', c]
      |                     ^^^^^
      |
      = help: write each host as a ServiceEntry of its own

    error[duplicate-port]: two ports have the same number or the same name
     --> shop.yaml:8:14
      |
    7 |   - {number: 80, name: http, protocol: HTTP}
      |              -- the first one
    8 |   - {number: 80, name: again, protocol: HTTP}
      |              ^^
      |
      = help: give each port a number and a name of its own

    error[unknown-protocol]: unknown protocol `HTTP3`
     --> shop.yaml:9:37
      |
    9 |   - {number: 81, name: x, protocol: HTTP3}
      |                                     ^^^^^
      |
      = help: did you mean `HTTP`?

    warning[protocol-not-carried]: a port for TCP is left out: only HTTP is carried
      --> shop.yaml:10:39
       |
    10 |   - {number: 82, name: tcp, protocol: TCP}
       |                                       ^^^
       |
       = help: remove it; HTTP, HTTP2, GRPC and HTTPS are carried

    note[kubernetes-only]: of use in Kubernetes only, without effect here: `spec.location`
      --> shop.yaml:12:3
       |
    12 |   location: MESH_EXTERNAL
       |   ^^^^^^^^ in ServiceEntry `a`

    error[bad-address]: `10.0.0.1:8080` has a port, expected a host
      --> shop.yaml:14:15
       |
    14 |   - {address: '10.0.0.1:8080'}
       |               ^^^^^^^^^^^^^^^
       |
       = help: write `address: 10.0.0.1` and `ports: {http: 8080}` with the port's name

    warning[static-host-name]: `localhost` is a host name, but the resolution is STATIC
      --> shop.yaml:15:15
       |
    15 |   - {address: localhost, ports: {htp: 3001}, weight: 5}
       |               ^^^^^^^^^
       |
       = help: write `resolution: DNS`; Istio refuses this, here it is looked up

    error[unknown-port]: no port of this ServiceEntry is named `htp`
      --> shop.yaml:15:34
       |
    15 |   - {address: localhost, ports: {htp: 3001}, weight: 5}
       |                                  ^^^
       |
       = help: did you mean `http`?

    warning[not-yet-in-effect]: `spec.endpoints[1].weight` is not in effect yet
      --> shop.yaml:15:46
       |
    15 |   - {address: localhost, ports: {htp: 3001}, weight: 5}
       |                                              ^^^^^^
       |
       = help: it is served without it

    error[missing-field]: this endpoint has no `address`
      --> shop.yaml:16:5
       |
    16 |   - {ports: {http: 3001}}
       |     ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write an IP address or a host name

    error[not-yet]: endpoints on UNIX sockets are not supported yet
      --> shop.yaml:17:15
       |
    17 |   - {address: 'unix:///tmp/a.sock'}
       |               ^^^^^^^^^^^^^^^^^^^^
       |
       = help: write an IP address or a host name
    "#);
}

#[test]
fn a_resolution_must_say_where_to_send() {
    let entry = |name: &str, rest: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
             hosts: [{name}]\n  ports: [{{number: 80, name: http}}]\n{rest}"
        )
    };
    let text = file(&[
        &entry("a", ""),
        &entry("b", "  endpoints: [{address: 127.0.0.1}]\n"),
        &entry("c", "  resolution: STATIC\n"),
        &entry("d", "  resolution: DYNAMIC_DNS\n"),
        &entry("a", "  resolution: DNS\n"),
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[no-resolution]: this ServiceEntry has no `resolution`, so nothing says where it runs
     --> shop.yaml:3:18
      |
    3 | metadata: {name: a}
      |                  ^
      |
      = help: write `resolution: STATIC` with `endpoints`, or `resolution: DNS`

    warning[no-resolution]: `endpoints` need a `resolution`, and Istio refuses them without one
      --> shop.yaml:10:18
       |
    10 | metadata: {name: b}
       |                  ^
       |
       = help: write `resolution: STATIC` for IP addresses, `DNS` for host names

    error[missing-field]: `resolution: STATIC` needs `endpoints`
      --> shop.yaml:22:15
       |
    22 |   resolution: STATIC
       |               ^^^^^^
       |
       = help: write them, or `resolution: DNS` to look the host up

    error[not-yet]: `resolution: DYNAMIC_DNS` is not supported yet
      --> shop.yaml:30:15
       |
    30 |   resolution: DYNAMIC_DNS
       |               ^^^^^^^^^^^
       |
       = help: write `resolution: DNS`

    error[duplicate-service]: two ServiceEntries have the host `a`
      --> shop.yaml:36:11
       |
     5 |   hosts: [a]
       |           - the first one
    ...
    36 |   hosts: [a]
       |           ^
       |
       = help: write all endpoints into one of them
    "#);
}

#[test]
fn https_ports_mean_tls_unless_a_rule_says_otherwise() {
    let text = ENTRY.replace("HTTP}", "HTTPS}");
    insta::assert_snapshot!(say(&text), @r#"
    note[tls-by-port]: TLS is spoken to `payment-service`, as its port is HTTPS
     --> shop.yaml:8:14
      |
    8 |   - {number: 80, name: http, protocol: HTTPS}
      |              ^^
      |
      = help: Istio needs a DestinationRule with `tls: {mode: SIMPLE}` for this; write one to say so, or to choose the authorities
    "#);
    let mixed =
        text.replace("  resolution", "  - {number: 81, name: plain, protocol: HTTP}\n  resolution");
    insta::assert_snapshot!(say(&mixed), @r#"
    error[not-yet]: a service with ports for HTTP and for HTTPS is not supported yet
     --> shop.yaml:8:14
      |
    8 |   - {number: 80, name: http, protocol: HTTPS}
      |              ^^
      |
      = help: write a ServiceEntry for each, or `tls` in a DestinationRule
    "#);
}
