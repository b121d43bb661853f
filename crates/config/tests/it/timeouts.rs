use crate::{ENTRY, RULE, file, say};

/// The service with these annotations and this pool, and a route to its v1 with these fields.
fn path(annotations: &str, pool: &str, route: &str) -> String {
    let entry = ENTRY.replace(
        "payment-service\nspec",
        &format!("payment-service\n  annotations: {{{annotations}}}\nspec"),
    );
    let rule = RULE.replace(
        "  subsets",
        &format!("  trafficPolicy: {{connectionPool: {{{pool}}}}}\n  subsets"),
    );
    let route = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: payment}}\nspec:\n  hosts: \
         [payment-service]\n  http:\n  - name: pay\n{route}    route: [{{destination: {{host: payment-service, subset: v1}}}}]\n"
    );
    file(&[&route, &entry, &rule])
}

#[test]
fn timeouts_that_agree_are_passed_over() {
    let text = path(
        "rearguard.dev/handler-deadline: 4s, rearguard.dev/write-timeout: 8s, rearguard.dev/keep-alive: 75s",
        "tcp: {connectTimeout: 1s}, http: {idleTimeout: 60s}",
        "    timeout: 5s\n",
    );
    assert_eq!(say(&text), "");
}

#[test]
fn a_timeout_below_the_handler_deadline_is_warned_of() {
    let annotation = "rearguard.dev/handler-deadline: 30s";
    insta::assert_snapshot!(say(&path(annotation, "", "    timeout: 2s\n")), @r#"
    warning[timeout-below-deadline]: the timeout of 2s of route `pay` is below the handler deadline of 30s of `payment-service`: the caller gets 504 while the work goes on
      --> shop.yaml:8:14
       |
     8 |     timeout: 2s
       |              ^^
    ...
    15 |   annotations: {rearguard.dev/handler-deadline: 30s}
       |                                                 --- declared here
       |
       = help: raise the route's timeout above it, such as `timeout: 31s`
       = help: or lower the deadline in the service, so that it stops first
    "#);
    insta::assert_snapshot!(say(&path(annotation, "", "")), @r#"
    warning[timeout-below-deadline]: the default timeout of 10s is below the handler deadline of 30s of `payment-service`: the caller gets 504 while the work goes on
      --> shop.yaml:14:49
       |
    14 |   annotations: {rearguard.dev/handler-deadline: 30s}
       |                                                 ^^^ declared here
       |
       = help: raise the route's timeout above it, such as `timeout: 31s`
       = help: or lower the deadline in the service, so that it stops first
    "#);
}

#[test]
fn a_write_timeout_that_fires_first_is_named() {
    let annotations = "rearguard.dev/handler-deadline: 3s, rearguard.dev/write-timeout: 1s";
    insta::assert_snapshot!(say(&path(annotations, "", "    timeout: 5s\n")), @r#"
    warning[write-timeout-below-deadline]: the write timeout of 1s of `payment-service` is below its handler deadline of 3s: an answer that takes longer is cut off without a status line
      --> shop.yaml:15:82
       |
    15 |   annotations: {rearguard.dev/handler-deadline: 3s, rearguard.dev/write-timeout: 1s}
       |                                                 -- the handler deadline          ^^
       |
       = help: raise the write timeout above the deadline (Go: http.Server.WriteTimeout; its default is none)

    note[write-timeout-below-timeout]: `payment-service` closes the connection after 1s, before the timeout of 5s of route `pay`: the close has no status line and looks like a panic
      --> shop.yaml:15:82
       |
    15 |   annotations: {rearguard.dev/handler-deadline: 3s, rearguard.dev/write-timeout: 1s}
       |                                                                                  ^^
       |
       = help: a close about 1s after the request is this write timeout, not a panic
       = help: or set the route's timeout below it, so that the caller gets 504
    "#);
}

#[test]
fn an_idle_time_above_the_services_keep_alive_is_the_idle_race() {
    let text = path("rearguard.dev/keep-alive: 5s", "http: {idleTimeout: 60s}", "");
    insta::assert_snapshot!(say(&text), @r#"
    warning[idle-race]: the pool would keep idle connections for 1m, but `payment-service` closes them after 5s: a request that goes out as it closes fails
      --> shop.yaml:30:56
       |
    14 |   annotations: {rearguard.dev/keep-alive: 5s}
       |                                           -- declared here
    ...
    30 |   trafficPolicy: {connectionPool: {http: {idleTimeout: 60s}}}
       |                                                        ^^^
       |
       = help: write an `idleTimeout` below the service's keep-alive, or remove it
       = help: the gateway keeps to the declared keep-alive less a margin; other clients may not
    "#);
}

#[test]
fn a_keep_alive_below_the_default_idle_time_is_kept_to() {
    insta::assert_snapshot!(say(&path("rearguard.dev/keep-alive: 2s", "", "")), @r#"
    note[short-keep-alive]: `payment-service` closes idle connections after 2s, before the default of 4s in the pool: they are closed earlier here
      --> shop.yaml:14:43
       |
    14 |   annotations: {rearguard.dev/keep-alive: 2s}
       |                                           ^^
       |
       = help: nothing needs to be done: the gateway keeps to it, less a margin
       = help: a longer keep-alive in the service saves connections (Go: http.Server.IdleTimeout)
    "#);
}

#[test]
fn a_connect_timeout_that_never_fires_is_warned_of() {
    let text = path("", "tcp: {connectTimeout: 10s}", "    timeout: 5s\n");
    insta::assert_snapshot!(say(&text), @r#"
    warning[connect-timeout-above-timeout]: the connect timeout of 10s to `payment-service` is not below the timeout of 5s of route `pay`: it never fires
      --> shop.yaml:31:58
       |
     8 |     timeout: 5s
       |              -- the route's timeout
    ...
    31 |   trafficPolicy: {connectionPool: {tcp: {connectTimeout: 10s}}}
       |                                                          ^^^
       |
       = help: a connection that cannot be made is then told as a slow response: lower it by `connectTimeout`
    "#);
    insta::assert_snapshot!(say(&path("", "", "    timeout: 500ms\n")), @r#"
    warning[connect-timeout-above-timeout]: the connect timeout of 1s to `payment-service` is not below the timeout of 500ms of route `pay`: it never fires
     --> shop.yaml:8:14
      |
    8 |     timeout: 500ms
      |              ^^^^^
      |
      = help: a connection that cannot be made is then told as a slow response: lower it by `connectTimeout`
    "#);
}

#[test]
fn a_path_without_any_timeout_is_an_error() {
    insta::assert_snapshot!(say(&path("", "", "    timeout: 0s\n")), @r#"
    error[no-timeout]: nothing limits a request by route `pay` to `payment-service`: one that hangs holds its connections for ever
     --> shop.yaml:8:14
      |
    8 |     timeout: 0s
      |              ^^
      |
      = help: write a timeout, such as `timeout: 10s`, or remove it for the default
      = help: or declare the service's own, by the annotation rearguard.dev/handler-deadline or rearguard.dev/write-timeout on its ServiceEntry; Go's http.Server has none unless it is set, nginx waits 60s by default
    "#);
    assert_eq!(say(&path("rearguard.dev/handler-deadline: 30s", "", "    timeout: 0s\n")), "");
}

#[test]
fn tries_that_the_timeout_cuts_off_are_warned_of() {
    let text = path("", "", "    timeout: 5s\n    retries: {attempts: 3, perTryTimeout: 2s}\n");
    insta::assert_snapshot!(say(&text), @r#"
    error[not-yet]: `spec.http[0].retries` is not supported yet
     --> shop.yaml:9:5
      |
    9 |     retries: {attempts: 3, perTryTimeout: 2s}
      |     ^^^^^^^
      |
      = help: remove it for now

    warning[tries-above-timeout]: 4 tries of 2s take up to 8s, but the timeout of 5s of route `pay` ends them before: the last never happens
     --> shop.yaml:9:43
      |
    9 |     retries: {attempts: 3, perTryTimeout: 2s}
      |                                           ^^
      |
      = help: lower `attempts` or `perTryTimeout`, or raise `timeout`
    "#);
}
