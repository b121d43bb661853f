use crate::{ENTRY, RULE, file, load_with, routing_with, say};

#[test]
fn a_list_is_unwrapped() {
    let indented = |text: &str| text.replace('\n', "\n  ");
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n",
        indented(ENTRY.trim_end()),
        indented(RULE.trim_end())
    );
    assert_eq!(routing_with(&text, &[]), routing_with(&file(&[ENTRY, RULE]), &[]));
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
        "metadata": {"name": "a"}, "spec": {"hosts": ["a"], "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "127.0.0.1"}]}}"#;
    insta::assert_snapshot!(routing_with(text, &[]), @r#"
    service a
      port 80 http Http1
      endpoint 127.0.0.1 {} {}
    "#);
}

#[test]
fn kinds_of_other_apis_are_ignored_with_a_note() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n";
    insta::assert_snapshot!(say(text), @r#"
    note[ignored-kind]: Deployment of `apps/v1` is ignored
     --> shop.yaml:2:7
      |
    2 | kind: Deployment
      |       ^^^^^^^^^^
      |
      = help: read are Gateway, ServiceEntry, DestinationRule, VirtualService of networking.istio.io
    "#);
}

#[test]
fn a_slip_in_api_version_or_kind_is_an_error() {
    let text = file(&[
        "apiVersion: networking.istio.io/v1\nkind: VirtualServce\n",
        "apiVersion: networking.istio.io/v1\nkind: EnvoyFilter\n",
        "apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}\nspec: {servers: [{hosts: ['*'], port: {number: 80, protocol: HTTP}}]}\n",
        "apiVersion: networking.istoi.io/v1beta1\nkind: Gateway\n",
        "apiVersion: v1\nkind: ServiceEntry\n",
        "apiversion: networking.istio.io/v1\nkind: ServiceEntry\n",
        "- just\n- a list\n",
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[unknown-kind]: unknown kind `VirtualServce`
     --> shop.yaml:2:7
      |
    2 | kind: VirtualServce
      |       ^^^^^^^^^^^^^
      |
      = help: did you mean `VirtualService`?

    error[unsupported-kind]: EnvoyFilter is not supported
     --> shop.yaml:5:7
      |
    5 | kind: EnvoyFilter
      |       ^^^^^^^^^^^
      |
      = help: leave it out; supported kinds of networking.istio.io: Gateway, ServiceEntry, DestinationRule, VirtualService

    error[unknown-version]: `networking.istio.io/v2` is not a version of Istio's API
     --> shop.yaml:7:13
      |
    7 | apiVersion: networking.istio.io/v2
      |             ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `networking.istio.io/` and one of v1, v1beta1, v1alpha3

    error[unknown-api]: `networking.istoi.io/v1beta1` is not an API that has a Gateway
      --> shop.yaml:12:13
       |
    12 | apiVersion: networking.istoi.io/v1beta1
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean `networking.istio.io/v1beta1`?

    error[unknown-api]: `v1` is not an API that has a ServiceEntry
      --> shop.yaml:15:13
       |
    15 | apiVersion: v1
       |             ^^
       |
       = help: did you mean `networking.istio.io/v1`?

    error[not-a-document]: this document has no `apiVersion`
      --> shop.yaml:18:1
       |
    18 | apiversion: networking.istio.io/v1
       | ^^^^^^^^^^
       |
       = help: did you mean `apiVersion` by `apiversion`?

    error[not-a-document]: a document must be a mapping, but this is a list
      --> shop.yaml:21:1
       |
    21 | - just
       | ^^^^^^
       |
       = help: it begins with `apiVersion: networking.istio.io/v1` and `kind:`
    "#);
}

#[test]
fn what_every_document_needs_is_asked_for() {
    let text = file(&[
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nspec: {servers: [{hosts: ['*'], port: {number: 80, protocol: HTTP}}]}\n",
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\n",
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[missing-field]: this Gateway has no name
     --> shop.yaml:2:1
      |
    2 | kind: Gateway
      | ^^^^
      |
      = help: write `metadata:` with `name:` inside it

    error[missing-field]: DestinationRule `a` has no `spec`
     --> shop.yaml:6:1
      |
    6 | kind: DestinationRule
      | ^^^^
      |
      = help: write `spec:` with its fields inside it
    "#);
}

#[test]
fn fields_of_kubernetes_are_named_in_one_note() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: a
  labels: {app: a}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: x}
  creationTimestamp: null
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
status: {}
";
    insta::assert_snapshot!(say(text), @r#"
    note[kubernetes-only]: of use in Kubernetes only, without effect here: `metadata.labels`, `metadata.creationTimestamp`, `spec.selector`, `status`
     --> shop.yaml:5:3
      |
    5 |   labels: {app: a}
      |   ^^^^^^ in Gateway `a`
    "#);
}

#[test]
fn wrong_types_say_what_was_found_and_expected() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: [a]
spec:
  host: payment-service
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBN
    connectionPool:
      tcp:
        maxConnections: \"100\"
        connectTimeout: 10
      http:
        http1MaxPendingRequests: many
        http2MaxRequests: -1
        idleTimeout: 3 minutes
    tls:
      mode: SIMPLE
      insecureSkipVerify: yes
    outlierDetection:
      maxEjectionPercent: 200
  subsets:
    name: v1
    labels: {version: v1}
";
    insta::assert_snapshot!(say(&file(&[text, ENTRY])), @r#"
    error[wrong-type]: `metadata.name` is a list, expected text
     --> shop.yaml:4:9
      |
    4 |   name: [a]
      |         ^^^

    error[wrong-type]: `spec.trafficPolicy.loadBalancer.simple` is the text `ROUND_ROBN`, expected one of ROUND_ROBIN, LEAST_REQUEST, LEAST_CONN, RANDOM, PASSTHROUGH, UNSPECIFIED
     --> shop.yaml:9:15
      |
    9 |       simple: ROUND_ROBN
      |               ^^^^^^^^^^
      |
      = help: did you mean `ROUND_ROBIN`?

    error[wrong-type]: `spec.trafficPolicy.connectionPool.tcp.maxConnections` is the text `100`, expected a whole number from 0 to 4294967295
      --> shop.yaml:12:25
       |
    12 |         maxConnections: "100"
       |                         ^^^^^
       |
       = help: remove the quotes: 100

    error[bad-duration]: `spec.trafficPolicy.connectionPool.tcp.connectTimeout`: `10` has no unit
      --> shop.yaml:13:25
       |
    13 |         connectTimeout: 10
       |                         ^^
       |
       = help: did you mean `10s`?

    error[wrong-type]: `spec.trafficPolicy.connectionPool.http.http1MaxPendingRequests` is the text `many`, expected a whole number from 0 to 4294967295
      --> shop.yaml:15:34
       |
    15 |         http1MaxPendingRequests: many
       |                                  ^^^^

    error[wrong-type]: `spec.trafficPolicy.connectionPool.http.http2MaxRequests` is the number `-1`, expected a whole number from 0 to 4294967295
      --> shop.yaml:16:27
       |
    16 |         http2MaxRequests: -1
       |                           ^^

    error[bad-duration]: `spec.trafficPolicy.connectionPool.http.idleTimeout`: ` minutes` in `3 minutes` is not a unit
      --> shop.yaml:17:22
       |
    17 |         idleTimeout: 3 minutes
       |                      ^^^^^^^^^
       |
       = help: the unit of minutes is `m`

    error[wrong-type]: `spec.trafficPolicy.tls.insecureSkipVerify` is the text `yes`, expected `true` or `false`
      --> shop.yaml:20:27
       |
    20 |       insecureSkipVerify: yes
       |                           ^^^
       |
       = help: write `true`

    warning[not-yet-in-effect]: `spec.trafficPolicy.outlierDetection` is not in effect yet
      --> shop.yaml:21:5
       |
    21 |     outlierDetection:
       |     ^^^^^^^^^^^^^^^^
       |
       = help: it is served without it

    error[wrong-type]: `spec.trafficPolicy.outlierDetection.maxEjectionPercent` is the number `200`, expected a number from 0 to 100
      --> shop.yaml:22:27
       |
    22 |       maxEjectionPercent: 200
       |                           ^^^

    error[wrong-type]: `spec.subsets` is a mapping, expected a list
      --> shop.yaml:24:5
       |
    24 |     name: v1
       |     ^^^^^^^^
       |
       = help: a list has one item a line, each after `- `
    "#);
}

#[test]
fn what_yaml_would_take_for_a_number_must_be_quoted_where_text_is_expected() {
    let text =
        RULE.replace("{version: v1}", "{version: 1}").replace("{version: v2}", "{version: true}");
    insta::assert_snapshot!(say(&file(&[&text, &ENTRY.replace("v1}", "'1'}").replace("v2}", "'true'}")])), @r#"
    error[wrong-type]: `spec.subsets[0].labels[version]` is the number `1`, expected text
     --> shop.yaml:8:34
      |
    8 |   - {name: v1, labels: {version: 1}}
      |                                  ^
      |
      = help: put it in quotes: "1"

    error[wrong-type]: `spec.subsets[1].labels[version]` is the boolean `true`, expected text
     --> shop.yaml:9:34
      |
    9 |   - {name: v2, labels: {version: true}}
      |                                  ^^^^
      |
      = help: put it in quotes: "true"
    "#);
}

#[test]
fn duplicate_keys_show_both_places() {
    insta::assert_snapshot!(say(&RULE.replace("spec:", "spec:\n  host: payment-service")), @r#"
    warning[unused-rule]: no ServiceEntry and no route names the service `payment-service`
     --> shop.yaml:6:9
      |
    6 |   host: payment-service
      |         ^^^^^^^^^^^^^^^
      |
      = help: write a ServiceEntry for it, or remove the rule

    error[duplicate-key]: `host` stands twice in one mapping
     --> shop.yaml:7:3
      |
    6 |   host: payment-service
      |   ---- first here
    7 |   host: payment-service
      |   ^^^^ again here
      |
      = help: keep one of them; did the second one lose its indentation, or its `- `?
    "#);
}

#[test]
fn a_syntax_error_does_not_hide_the_next_document() {
    let text = file(&[
        "apiVersion: networking.istio.io/v1\nkind: [Gateway\n",
        "a: b: c\n",
        "a:\n\tb: c\n",
        "kind: Gateway\n",
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[yaml-syntax]: not YAML: while parsing a flow sequence, expected ',' or ']'
     --> shop.yaml:3:1
      |
    3 | ---
      | ^
      |
      = help: check the indentation and the colons of this line and the one before it

    error[yaml-syntax]: not YAML: mapping values are not allowed in this context
     --> shop.yaml:4:5
      |
    4 | a: b: c
      |     ^
      |
      = help: check the indentation and the colons of this line and the one before it

    error[yaml-syntax]: not YAML: tabs disallowed within this context (block indentation)
     --> shop.yaml:7:2
      |
    7 |     b: c
      |     ^
      |
      = help: YAML is indented with spaces; this line begins with a tab

    error[not-a-document]: this document has no `apiVersion`
     --> shop.yaml:9:1
      |
    9 | kind: Gateway
      | ^^^^
      |
      = help: begin it with `apiVersion: networking.istio.io/v1` and `kind:`, one of Gateway, ServiceEntry, DestinationRule, VirtualService
    "#);
}

#[test]
fn yaml_beyond_what_configuration_needs_is_refused() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let laughs = (0..12).fold("a0: &a0 x\n".to_owned(), |text, i| {
        let items = vec![format!("*a{i}"); 10].join(", ");
        format!("{text}a{}: &a{} [{items}]\n", i + 1, i + 1)
    });
    for (text, code) in [
        (deep.as_str(), "yaml-too-deep"),
        (laughs.as_str(), "yaml-too-large"),
        ("a: &a {b: c}\nd: {<<: *a}\n", "yaml-merge-key"),
        ("a: !include b.yaml\n", "yaml-tag"),
        ("{a: b}: c\n", "yaml-key"),
        ("&a [*a]\n", "yaml-alias"),
        ("a: *b\n", "yaml-syntax"),
    ] {
        let loaded = load_with(text, &[]);
        let codes: Vec<_> = loaded.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, [code], "{text}");
    }
}

#[test]
fn anchors_and_aliases_within_bounds_are_filled_in() {
    let text = ENTRY
        .replace(
            "address: 127.0.0.1, ports: {http: 3001}",
            "address: &a 127.0.0.1, ports: {http: 3001}",
        )
        .replace("address: 127.0.0.1, ports: {http: 3002}", "address: *a, ports: {http: 3002}");
    assert_eq!(routing_with(&text, &[]), routing_with(ENTRY, &[]));
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let text = "#".repeat(config::MAX_FILE_BYTES + 1);
    let loaded = load_with(&text, &[]);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.diagnostics[0].code, "file-too-large");
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let text = "a: b\n---\n".repeat(config::MAX_DIAGNOSTICS + 5);
    let loaded = load_with(&text, &[]);
    assert_eq!(loaded.diagnostics.len(), config::MAX_DIAGNOSTICS + 1);
    let last = loaded.diagnostics.last().map(ToString::to_string);
    assert_eq!(last.as_deref(), Some("error[too-many-findings]: 5 more findings are not shown"));
}

#[test]
fn places_count_characters_and_survive_a_byte_order_mark() {
    let text = "\u{feff}apiVersion: networking.istio.io/v1\r\nkind: Gateway\r\nmetadata:\r\n  name: \"käse\" # ü\r\n  nmespace: \"ß\"\r\n";
    let loaded = load_with(text, &[]);
    let location = loaded.diagnostics[1].location.clone();
    let location = location.map(|l| (l.line, l.column, text[l.span].to_owned()));
    assert_eq!(location, Some((5, 3, "nmespace".to_owned())));
}

#[test]
fn annotations_of_ours_are_checked() {
    let annotated = |annotations: &str| {
        ENTRY.replace(
            "name: payment-service\nspec",
            &format!("name: payment-service\n  annotations: {annotations}\nspec"),
        )
    };
    let text = file(&[
        &annotated(
            "{rearguard.dev/handler-deadlin: 5s, rearguard.dev/keep-alive: 75, rearguard.dev/write-timeout: 0s, other.dev/a: b}",
        ),
        &RULE.replace(
            "name: payment-service\n",
            "name: payment-service\n  annotations: {rearguard.dev/keep-alive: 5s}\n",
        ),
    ]);
    insta::assert_snapshot!(say(&text), @r#"
    error[unknown-annotation]: unknown annotation `rearguard.dev/handler-deadlin`
     --> shop.yaml:5:17
      |
    5 |   annotations: {rearguard.dev/handler-deadlin: 5s, rearguard.dev/keep-alive: 75, rearguard.dev/write-timeout: 0s, other.dev/a: b}
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `rearguard.dev/handler-deadline`?

    error[bad-duration]: `metadata.annotations[rearguard.dev/keep-alive]`: `75` has no unit
     --> shop.yaml:5:78
      |
    5 |   annotations: {rearguard.dev/handler-deadlin: 5s, rearguard.dev/keep-alive: 75, rearguard.dev/write-timeout: 0s, other.dev/a: b}
      |                                                                              ^^
      |
      = help: did you mean `75s`?

    error[bad-duration]: `rearguard.dev/write-timeout` is zero
     --> shop.yaml:5:111
      |
    5 |   annotations: {rearguard.dev/handler-deadlin: 5s, rearguard.dev/keep-alive: 75, rearguard.dev/write-timeout: 0s, other.dev/a: b}
      |                                                                                                               ^^
      |
      = help: remove it if there is none

    warning[annotation-without-effect]: `rearguard.dev/keep-alive` has no effect on a DestinationRule
      --> shop.yaml:19:17
       |
    19 |   annotations: {rearguard.dev/keep-alive: 5s}
       |                 ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write it on the ServiceEntry of the service that promises it
    "#);
}
