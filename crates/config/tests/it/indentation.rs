use crate::{ENTRY, RULE, file, say};

#[test]
fn a_document_pasted_without_indentation_is_told_so() {
    let text = "\
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
weight: 90
";
    insta::assert_snapshot!(say(&file(&[RULE, text, ENTRY])), @r#"
    error[lost-indentation]: every line of this document begins at column 1, so nothing is inside anything
      --> shop.yaml:13:1
       |
    13 | metadata:
       | ^^^^^^^^^ what belongs here must be indented
       |
       = help: was it pasted without its indentation? copy it again, or indent it by two spaces a level
    "#);
}

#[test]
fn a_field_one_level_too_high_is_told_where_it_belongs() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
name: payment
spec:
  hosts:
  - payment-service
  http:
  - name: all
    match:
    - uri:
      prefix: /pay
  route:
  - destination:
      host: payment-service
";
    insta::assert_snapshot!(say(&file(&[text, ENTRY])), @r#"
    error[missing-field]: this VirtualService has no name
     --> shop.yaml:3:1
      |
    3 | metadata:
      | ^^^^^^^^
      |
      = help: write `metadata:` with `name:` inside it

    error[unknown-field]: unknown field `name`
     --> shop.yaml:4:1
      |
    4 | name: payment
      | ^^^^
      |
      = help: is its indentation lost? `name` belongs under `metadata`

    error[missing-field]: this route has no `route`, `redirect` or `directResponse`
     --> shop.yaml:9:5
      |
    9 |   - name: all
      |     ^^^^
      |
      = help: write `route:` with a list of destinations

    error[unknown-field]: unknown field `spec.http[0].match[0].prefix`
      --> shop.yaml:12:7
       |
    12 |       prefix: /pay
       |       ^^^^^^
       |
       = help: is its indentation lost? `prefix` belongs under `spec.http[0].match[0].uri`

    error[unknown-field]: unknown field `spec.route`
      --> shop.yaml:13:3
       |
    13 |   route:
       |   ^^^^^
       |
       = help: is its indentation lost? `route` belongs under `spec.http[]`
    "#);
}

#[test]
fn a_key_of_the_users_choice_is_suspected_in_the_empty_mapping_before_it() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payment-service
  labels:
  app: payment
spec:
  hosts: [payment-service]
  resolution: DNS
  ports:
  - {number: 80, name: http}
";
    insta::assert_snapshot!(say(text), @r#"
    warning[empty-field]: `metadata.labels` has no value
     --> shop.yaml:5:3
      |
    5 |   labels:
      |   ^^^^^^
      |
      = help: remove it; or is what follows not indented far enough to be inside it?

    note[kubernetes-only]: of use in Kubernetes only, without effect here: `metadata.labels`
     --> shop.yaml:5:3
      |
    5 |   labels:
      |   ^^^^^^ in ServiceEntry `payment-service`

    error[unknown-field]: unknown field `metadata.app`
     --> shop.yaml:6:3
      |
    6 |   app: payment
      |   ^^^
      |
      = help: is its indentation lost? it may belong under `metadata.labels`
    "#);
}

#[test]
fn a_field_one_level_too_deep_is_told_where_it_belongs() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment
  spec:
    hosts:
    - payment-service
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment-2
spec:
  hosts:
  - payment-service
  http:
  - route:
    - destination:
        host: payment-service
        weight: 90
        timeout: 5s
";
    insta::assert_snapshot!(say(&file(&[text, ENTRY])), @r#"
    error[missing-field]: VirtualService `payment` has no `spec`
     --> shop.yaml:2:1
      |
    2 | kind: VirtualService
      | ^^^^
      |
      = help: write `spec:` with its fields inside it

    error[unknown-field]: unknown field `metadata.spec`
     --> shop.yaml:5:3
      |
    5 |   spec:
      |   ^^^^
      |
      = help: is it indented too far? `spec` belongs at the top of the document

    error[unknown-field]: unknown field `spec.http[0].route[0].destination.weight`
      --> shop.yaml:20:9
       |
    20 |         weight: 90
       |         ^^^^^^
       |
       = help: is it indented too far? `weight` belongs under `spec.http[0].route[0]`

    error[unknown-field]: unknown field `spec.http[0].route[0].destination.timeout`
      --> shop.yaml:21:9
       |
    21 |         timeout: 5s
       |         ^^^^^^^
       |
       = help: is it indented too far? `timeout` belongs under `spec.http[0]`
    "#);
}
