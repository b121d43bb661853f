use crate::{routing_with, say, with_routes};

/// What the routes become, without the service.
fn routes(http: &str) -> String {
    let text = with_routes(http);
    let shown = routing_with(&text, &[]);
    shown.split_once("virtual host").map(|(_, rest)| rest.to_owned()).unwrap_or(shown)
}

#[test]
fn matches_of_all_kinds_are_read() {
    insta::assert_snapshot!(routes("
  - match:
    - uri: {prefix: /pay}
      ignoreUriCase: true
      method: {exact: POST}
      scheme: {exact: https}
      authority: {regex: 'pay.*'}
      headers: {X-User: {exact: a}, cookie: {regex: '.*b=1.*'}, x-any: {}}
      withoutHeaders: {X-Internal: {}}
      queryParams: {page: {regex: '[0-9]+'}}
      port: 8080
      name: first
    - uri: {exact: /refund}
    route: [{destination: {host: payment-service, subset: v1, port: {number: 80}}}]
"), @r#"
    payment [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
     route payment[0]
       match uri Prefix("/pay") method Exact("POST") authority Regex("pay.*") scheme Exact("https") ignoring case headers [("x-user", Exact("a")), ("cookie", Regex(".*b=1.*")), ("x-any", Present)] without [("x-internal", Present)] query [("page", Regex("[0-9]+"))] port 8080
       match uri Exact("/refund")
       to payment-service/v1:80 weight 1
    "#);
}

#[test]
fn actions_and_changes_of_all_kinds_are_read() {
    insta::assert_snapshot!(routes("
  - name: regex-rewrite
    match: [{uri: {prefix: /a}}]
    rewrite: {uriRegexRewrite: {match: '^/a/(.*)$', rewrite: '/b/\\1'}, authority: b.example}
    timeout: 1.5s
    headers: {request: {set: {X-A: a}, add: {x-b: b}, remove: [X-C]}}
    route:
    - {destination: {host: payment-service, subset: v1}, weight: 3}
    - destination: {host: payment-service, subset: v2}
      weight: 1
      headers: {response: {set: {x-version: v2}}}
  - name: moved
    match: [{uri: {prefix: /old}}]
    redirect: {prefixRewrite: /new, authority: shop.example, scheme: https, derivePort: FROM_PROTOCOL_DEFAULT, redirectCode: 308}
  - name: moved-wholly
    match: [{uri: {exact: /one}}]
    redirect: {uri: /two, port: 8080}
  - name: teapot
    match: [{uri: {exact: /tea}}]
    directResponse: {status: 418, body: {bytes: c2hvcnQgYW5kIHN0b3V0}}
  - name: rest
    rewrite: {uri: /}
    route: [{destination: {host: payment-service}, weight: 0}]
"), @r#"
    payment [Exact("payment-service"), Exact("payment-service.default"), Exact("payment-service.default.svc"), Exact("payment-service.default.svc.cluster.local")] gateways []
     route regex-rewrite timeout 1.5s
       match uri Prefix("/a")
       Rewrite { uri: Some(Regex { pattern: "^/a/(.*)$", replacement: "/b/\\1" }), authority: Some("b.example") }
       request HeaderChange { set: [("x-a", "a")], add: [("x-b", "b")], remove: ["x-c"] }
       to payment-service/v1 weight 3
       to payment-service/v2 weight 1
         response HeaderChange { set: [("x-version", "v2")], add: [], remove: [] }
     route moved
       match uri Prefix("/old")
       Redirect(Redirect { uri: Some(ReplaceMatched("/new")), authority: Some("shop.example"), port: Some(443), scheme: Some("https"), status: 308 })
     route moved-wholly
       match uri Exact("/one")
       Redirect(Redirect { uri: Some(Replace("/two")), authority: None, port: Some(8080), scheme: None, status: 301 })
     route teapot
       match uri Exact("/tea")
       DirectResponse { status: 418, body: "short and stout" }
     route rest
       Rewrite { uri: Some(ReplaceMatched("/")), authority: None }
       to payment-service weight 1
    "#);
}

#[test]
fn unknown_fields_get_the_nearest_known_one() {
    insta::assert_snapshot!(say(&with_routes("
  - mach: [{uri: {prefix: /a}}]
    rout:
    - destination: {host: payment-service, subset: v1}
    timeOut: 5s
    retrys: 3
    favourite_colour: blue
    route: [{destination: {host: payment-service}}]
")), @r#"
    error[unknown-field]: unknown field `spec.http[0].mach`
     --> shop.yaml:9:5
      |
    9 |   - mach: [{uri: {prefix: /a}}]
      |     ^^^^
      |
      = help: did you mean `match`?

    error[unknown-field]: unknown field `spec.http[0].rout`
      --> shop.yaml:10:5
       |
    10 |     rout:
       |     ^^^^
       |
       = help: did you mean `route`?

    error[unknown-field]: unknown field `spec.http[0].timeOut`
      --> shop.yaml:12:5
       |
    12 |     timeOut: 5s
       |     ^^^^^^^
       |
       = help: did you mean `timeout`?

    error[unknown-field]: unknown field `spec.http[0].retrys`
      --> shop.yaml:13:5
       |
    13 |     retrys: 3
       |     ^^^^^^
       |
       = help: did you mean `retries`?

    error[unknown-field]: unknown field `spec.http[0].favourite_colour`
      --> shop.yaml:14:5
       |
    14 |     favourite_colour: blue
       |     ^^^^^^^^^^^^^^^^
       |
       = help: known here: name, match, route, redirect, directResponse, rewrite, timeout, headers, retries, fault, mirror, mirrors, mirrorPercentage, mirrorPercent, mirror_percent, corsPolicy, delegate
    "#);
}

#[test]
fn what_is_not_here_yet_is_refused_by_field_and_still_checked() {
    insta::assert_snapshot!(say(&with_routes("
  - route: [{destination: {host: payment-service}}]
    retries: {attempts: 3, perTryTimeout: 2}
    fault: {abort: {httpStatus: 600, percentage: {value: 10}}}
    mirror: {host: payment-service, subst: v2}
    corsPolicy: {allowOrigins: [{exact: '*'}]}
")), @r#"
    error[not-yet]: `spec.http[0].retries` is not supported yet
      --> shop.yaml:10:5
       |
    10 |     retries: {attempts: 3, perTryTimeout: 2}
       |     ^^^^^^^
       |
       = help: remove it for now

    error[bad-duration]: `spec.http[0].retries.perTryTimeout`: `2` has no unit
      --> shop.yaml:10:43
       |
    10 |     retries: {attempts: 3, perTryTimeout: 2}
       |                                           ^
       |
       = help: did you mean `2s`?

    error[not-yet]: `spec.http[0].fault` is not supported yet
      --> shop.yaml:11:5
       |
    11 |     fault: {abort: {httpStatus: 600, percentage: {value: 10}}}
       |     ^^^^^
       |
       = help: remove it for now

    error[wrong-type]: `spec.http[0].fault.abort.httpStatus` is the number `600`, expected a whole number from 200 to 599
      --> shop.yaml:11:33
       |
    11 |     fault: {abort: {httpStatus: 600, percentage: {value: 10}}}
       |                                 ^^^

    error[not-yet]: `spec.http[0].mirror` is not supported yet
      --> shop.yaml:12:5
       |
    12 |     mirror: {host: payment-service, subst: v2}
       |     ^^^^^^
       |
       = help: remove it for now

    error[unknown-field]: unknown field `spec.http[0].mirror.subst`
      --> shop.yaml:12:37
       |
    12 |     mirror: {host: payment-service, subst: v2}
       |                                     ^^^^^
       |
       = help: did you mean `subset`?

    error[not-yet]: `spec.http[0].corsPolicy` is not supported yet
      --> shop.yaml:13:5
       |
    13 |     corsPolicy: {allowOrigins: [{exact: '*'}]}
       |     ^^^^^^^^^^
       |
       = help: remove it for now
    "#);
}

#[test]
fn a_retry_of_none_is_what_happens_anyway() {
    assert_eq!(
        say(&with_routes(
            "  - route: [{destination: {host: payment-service}}]\n    retries: {attempts: 0}\n"
        )),
        ""
    );
}

#[test]
fn matches_that_mean_nothing_are_said() {
    insta::assert_snapshot!(say(&with_routes("
  - match:
    - uri: {prefix: pay}
      method: {exact: get}
    - uri: {exact: '/a?b=c'}
    - uri: {exact: /a, prefix: /b}
    - uri: {}
    - uri: {regex: '/a(b'}
    - uri: {regex: '/(?=a)'}
    - uri: {regex: '((a{1000}){1000}){1000}'}
    - headers: {method: {exact: GET}, 'a b': {exact: c}}
    - gateways: [other]
    route: [{destination: {host: payment-service}}]
")), @r#"
    warning[never-matches]: `pay` never matches: a path begins with `/`
      --> shop.yaml:10:21
       |
    10 |     - uri: {prefix: pay}
       |                     ^^^
       |
       = help: write `/pay`

    warning[never-matches]: `get` never matches: methods are compared with their case
      --> shop.yaml:11:23
       |
    11 |       method: {exact: get}
       |                       ^^^
       |
       = help: write `GET`

    warning[never-matches]: `/a?b=c` never matches: `uri` is the path without the query
      --> shop.yaml:12:20
       |
    12 |     - uri: {exact: '/a?b=c'}
       |                    ^^^^^^^^
       |
       = help: match the query by `queryParams`

    error[two-operators]: `exact` and `prefix` in one match
      --> shop.yaml:13:32
       |
    13 |     - uri: {exact: /a, prefix: /b}
       |                                ^^
       |
       = help: keep one; alternatives are items of `match` of their own

    error[empty-match]: this match has no `exact`, `prefix` or `regex`
      --> shop.yaml:14:7
       |
    14 |     - uri: {}
       |       ^^^
       |
       = help: write one of them inside it

    error[bad-regex]: this regular expression is not valid: unclosed group
      --> shop.yaml:15:20
       |
    15 |     - uri: {regex: '/a(b'}
       |                    ^^^^^^
       |
       = help: RE2 syntax; the expression must match the whole value, as in Istio

    error[bad-regex]: this regular expression is not valid: look-around, including look-ahead and look-behind, is not supported
      --> shop.yaml:16:20
       |
    16 |     - uri: {regex: '/(?=a)'}
       |                    ^^^^^^^^
       |
       = help: RE2 syntax has neither look-around nor back-references, as in Istio

    error[bad-regex]: this regular expression is not valid: it is too large once it is compiled
      --> shop.yaml:17:20
       |
    17 |     - uri: {regex: '((a{1000}){1000}){1000}'}
       |                    ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use smaller repetitions, or a prefix match

    error[not-a-header]: `method` is not matched as a header
      --> shop.yaml:18:17
       |
    18 |     - headers: {method: {exact: GET}, 'a b': {exact: c}}
       |                 ^^^^^^
       |
       = help: write `method:` in the match itself, beside `headers`

    error[bad-header]: `a b` is not the name of a header
      --> shop.yaml:18:39
       |
    18 |     - headers: {method: {exact: GET}, 'a b': {exact: c}}
       |                                       ^^^^^
       |
       = help: write it as in `content-type`
    "#);
}

#[test]
fn actions_that_do_not_fit_are_said() {
    insta::assert_snapshot!(say(&with_routes("
  - name: nothing
    match: [{uri: {exact: /a}}]
    timeout: 5s
  - name: both
    match: [{uri: {exact: /b}}]
    route: [{destination: {host: payment-service}}]
    redirect: {uri: /c}
  - match: [{uri: {exact: /c}}]
    redirect: {redirectCode: 200}
  - match: [{uri: {exact: /d}}]
    directResponse: {body: {string: a}}
  - match: [{uri: {exact: /e}}]
    directResponse: {status: 200, body: {bytes: '%'}}
  - match: [{uri: {exact: /f}}]
    rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}
    route: [{destination: {host: payment-service}}]
  - match: [{uri: {exact: /g}}]
    rewrite: {uriRegexRewrite: {match: (a), rewrite: '\\2'}}
    route: [{destination: {host: payment-service}}]
  - match: [{uri: {exact: /h}}]
    route: [{destination: {host: payment-service:80}}, {weight: 1}, {destination: {subset: v1}}]
  - match: [{uri: {exact: /i}}]
    route: [{destination: {host: payment-service}}, {destination: {host: payment-service, subset: v1}, weight: 0}]
  - match: [{uri: {exact: /j}}]
    headers: {request: {set: {Host: a, content-length: '1', x-ip: '%DOWNSTREAM_REMOTE_ADDRESS%', x-percent: 100%}}}
    route: [{destination: {host: payment-service}}]
")), @r#"
    error[missing-field]: this route has no `route`, `redirect` or `directResponse`
     --> shop.yaml:9:5
      |
    9 |   - name: nothing
      |     ^^^^
      |
      = help: write `route:` with a list of destinations

    error[two-actions]: a route has `route` or `redirect`, not both
      --> shop.yaml:15:5
       |
    14 |     route: [{destination: {host: payment-service}}]
       |     ----- and this
    15 |     redirect: {uri: /c}
       |     ^^^^^^^^
       |
       = help: keep one of them

    error[bad-status]: 200 is not a status of a redirect
      --> shop.yaml:17:30
       |
    17 |     redirect: {redirectCode: 200}
       |                              ^^^
       |
       = help: write 301, 302, 303, 307 or 308

    error[missing-field]: `directResponse` has no `status`
      --> shop.yaml:19:21
       |
    19 |     directResponse: {body: {string: a}}
       |                     ^^^^^^^^^^^^^^^^^^^
       |
       = help: write one, such as 503

    error[bad-base64]: `bytes` is not base64
      --> shop.yaml:21:49
       |
    21 |     directResponse: {status: 200, body: {bytes: '%'}}
       |                                                 ^^^
       |
       = help: write the text itself in `string`

    error[two-actions]: a rewrite has `uri` or `uriRegexRewrite`, not both
      --> shop.yaml:23:20
       |
    23 |     rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}
       |                    ^^
       |
       = help: keep one of them

    error[bad-regex]: `\2` is not a group of the expression, which has 1
      --> shop.yaml:26:54
       |
    26 |     rewrite: {uriRegexRewrite: {match: (a), rewrite: '\2'}}
       |                                                      ^^^^
       |
       = help: put the part in parentheses

    error[bad-host]: `payment-service:80` has a port, expected a host
      --> shop.yaml:29:34
       |
    29 |     route: [{destination: {host: payment-service:80}}, {weight: 1}, {destination: {subset: v1}}]
       |                                  ^^^^^^^^^^^^^^^^^^
       |
       = help: write `payment-service`

    error[missing-field]: this item of `route` has no `destination`
      --> shop.yaml:29:56
       |
    29 |     route: [{destination: {host: payment-service:80}}, {weight: 1}, {destination: {subset: v1}}]
       |                                                        ^^^^^^^^^^^
       |
       = help: write it with `host` inside it

    error[missing-field]: `destination` has no `host`
      --> shop.yaml:29:83
       |
    29 |     route: [{destination: {host: payment-service:80}}, {weight: 1}, {destination: {subset: v1}}]
       |                                                                                   ^^^^^^^^^^^^
       |
       = help: write the name of the service

    error[no-weight]: no destination has a weight above 0
      --> shop.yaml:31:12
       |
    31 |     route: [{destination: {host: payment-service}}, {destination: {host: payment-service, subset: v1}, weight: 0}]
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: give at least one of them a weight above 0

    warning[no-weight]: one of several destinations without `weight` gets no requests
      --> shop.yaml:31:34
       |
    31 |     route: [{destination: {host: payment-service}}, {destination: {host: payment-service, subset: v1}, weight: 0}]
       |                                  ^^^^^^^^^^^^^^^
       |
       = help: write `weight`, relative to the others'

    error[bad-header]: `Host` cannot be changed as a header
      --> shop.yaml:33:31
       |
    33 |     headers: {request: {set: {Host: a, content-length: '1', x-ip: '%DOWNSTREAM_REMOTE_ADDRESS%', x-percent: 100%}}}
       |                               ^^^^
       |
       = help: change it by `rewrite.authority`

    error[bad-header]: `content-length` cannot be changed as a header
      --> shop.yaml:33:40
       |
    33 |     headers: {request: {set: {Host: a, content-length: '1', x-ip: '%DOWNSTREAM_REMOTE_ADDRESS%', x-percent: 100%}}}
       |                                        ^^^^^^^^^^^^^^
       |
       = help: the gateway makes it itself, from how the message is carried

    error[bad-header]: Envoy's variables (`%NAME%`) are not supported yet
      --> shop.yaml:33:67
       |
    33 |     headers: {request: {set: {Host: a, content-length: '1', x-ip: '%DOWNSTREAM_REMOTE_ADDRESS%', x-percent: 100%}}}
       |                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write the value itself
    "#);
}
