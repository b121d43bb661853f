use crate::{routing_with, say};

fn gateway(servers: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: shop\nspec:\n  servers:\n{servers}"
    )
}

#[test]
fn servers_become_listeners() {
    let text = gateway(
        "
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop/shop.example, '*.shop.example']
    tls: {httpsRedirect: true}
  - port: {number: 443, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: SIMPLE, serverCertificate: /tls/shop.pem, privateKey: /tls/shop.key}
  - port: {number: 8443, protocol: HTTPS}
    bind: '::1'
    hosts: ['*']
    tls: {mode: MUTUAL, serverCertificate: a.pem, privateKey: a.key, caCertificates: ca.pem}
",
    );
    insta::assert_snapshot!(routing_with(&text, &[]), @r#"
    listener shop/http -:80 [Exact("shop.example"), Suffix(".shop.example")] https-redirect
    listener shop/https 127.0.0.1:443 [Any] ListenerTls { certificate: "/tls/shop.pem", private_key: "/tls/shop.key", client_authorities: None }
    listener shop/8443 ::1:8443 [Any] ListenerTls { certificate: "a.pem", private_key: "a.key", client_authorities: Some("ca.pem") }
    "#);
}

#[test]
fn what_cannot_be_listened_on_is_refused() {
    let text = gateway(
        "
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
  - port: {number: 80, name: again, protocol: HTTP}
    hosts: [a.example]
    tls: {httpsRedirect: true}
  - port: {number: 81, name: http, protocol: TCP}
    hosts: ['*']
  - port: {number: 82, name: http, protocol: HTPS}
    hosts: ['*']
  - port: {number: 83, name: https, protocol: HTTPS}
    hosts: ['*']
  - port: {number: 84, name: https, protocol: HTTPS}
    hosts: ['*']
    tls: {mode: SIMPLE, credentialName: shop-cert}
  - port: {number: 85, name: https, protocol: HTTPS}
    hosts: ['*']
    tls: {mode: PASSTHROUGH}
  - port: {number: 86, name: http, protocol: HTTP}
    bind: localhost
    hosts: ['a*b']
    tls: {mode: SIMPLE}
  - port: {number: 99999, protocol: HTTP}
    hosts: ['*']
  - hosts: ['*']
  - port: {protocol: HTTP}
    hosts: ['*']
  - port: {number: 87, protocol: HTTP}
",
    );
    insta::assert_snapshot!(say(&text), @r#"
    error[duplicate-port]: port 80 is taken twice
      --> shop.yaml:10:20
       |
     8 |   - port: {number: 80, name: http, protocol: HTTP}
       |                    -- the first one
     9 |     hosts: ['*']
    10 |   - port: {number: 80, name: again, protocol: HTTP}
       |                    ^^
       |
       = help: choose another port or `bind`
       = help: servers of one Gateway may share a port when only their hosts differ

    error[not-yet]: a listener for TCP is not supported yet
      --> shop.yaml:13:46
       |
    13 |   - port: {number: 81, name: http, protocol: TCP}
       |                                              ^^^
       |
       = help: HTTP, HTTP2, GRPC and HTTPS are

    error[unknown-protocol]: unknown protocol `HTPS`
      --> shop.yaml:15:46
       |
    15 |   - port: {number: 82, name: http, protocol: HTPS}
       |                                              ^^^^
       |
       = help: did you mean `HTTPS`?

    error[missing-field]: a server for HTTPS needs `tls`
      --> shop.yaml:17:37
       |
    17 |   - port: {number: 83, name: https, protocol: HTTPS}
       |                                     ^^^^^^^^
       |
       = help: write `tls:` with `mode: SIMPLE`, `serverCertificate` and `privateKey`

    error[missing-field]: TLS needs `serverCertificate` and `privateKey`, both paths of PEM files
      --> shop.yaml:21:10
       |
    21 |     tls: {mode: SIMPLE, credentialName: shop-cert}
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: `credentialName` names a secret of Kubernetes, which is not read here

    note[kubernetes-only]: of use in Kubernetes only, without effect here: `spec.servers[5].tls.credentialName`
      --> shop.yaml:21:25
       |
    21 |     tls: {mode: SIMPLE, credentialName: shop-cert}
       |                         ^^^^^^^^^^^^^^ in Gateway `shop`

    error[not-yet]: this mode of TLS is not supported here
      --> shop.yaml:24:17
       |
    24 |     tls: {mode: PASSTHROUGH}
       |                 ^^^^^^^^^^^
       |
       = help: SIMPLE and MUTUAL are, with files

    error[bad-address]: `localhost` is not an IP address
      --> shop.yaml:26:11
       |
    26 |     bind: localhost
       |           ^^^^^^^^^
       |
       = help: write `127.0.0.1` for this machine only, `0.0.0.0` or `::` for everyone

    error[bad-host]: `a*b` has a `*` elsewhere than at its start
      --> shop.yaml:27:13
       |
    27 |     hosts: ['a*b']
       |             ^^^^^
       |
       = help: write `*.suffix` or `*`

    error[tls-without-https]: TLS on a port that is not HTTPS
      --> shop.yaml:28:11
       |
    28 |     tls: {mode: SIMPLE}
       |           ^^^^
       |
       = help: write `protocol: HTTPS`, or leave only `httpsRedirect`

    error[wrong-type]: `spec.servers[8].port.number` is the number `99999`, expected a whole number from 1 to 65535
      --> shop.yaml:29:20
       |
    29 |   - port: {number: 99999, protocol: HTTP}
       |                    ^^^^^

    error[missing-field]: this server has no `port`
      --> shop.yaml:31:5
       |
    31 |   - hosts: ['*']
       |     ^^^^^^^^^^^^
       |
       = help: write `port:` with `number`, `name` and `protocol`

    error[missing-field]: this port has no `number`
      --> shop.yaml:32:11
       |
    32 |   - port: {protocol: HTTP}
       |           ^^^^^^^^^^^^^^^^
       |
       = help: write one

    error[missing-field]: this server has no `hosts`
      --> shop.yaml:34:5
       |
    34 |   - port: {number: 87, protocol: HTTP}
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write `hosts: ["*"]` for all
    "#);
}

#[test]
fn servers_that_differ_in_their_hosts_alone_are_one_listener() {
    let text = gateway(
        "
  - port: {number: 80, name: a, protocol: HTTP}
    hosts: [a.example]
  - port: {number: 80, name: b, protocol: HTTP}
    hosts: [b.example]
",
    );
    insta::assert_snapshot!(routing_with(&text, &[]), @r#"listener shop/a -:80 [Exact("a.example"), Exact("b.example")]"#);
}

#[test]
fn virtual_services_are_bound_to_gateways() {
    let text = gateway(
        "
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*.example']
",
    );
    let service = |name: &str, host: &str, gateways: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  \
             hosts: [{host}]\n  gateways: [{gateways}]\n  http:\n  - directResponse: {{status: 200}}\n"
        )
    };
    let good = text.clone()
        + &service("a", "a.example", "mesh")
        + &service("b", "b.example", "mesh, shop")
        + &service("c", "c.example", "default/shop");
    insta::assert_snapshot!(routing_with(&good, &[]), @r#"
    listener shop/http -:80 [Suffix(".example")]
    virtual host a [Exact("a.example")] gateways []
      route a[0]
        DirectResponse { status: 200, body: "" }
    virtual host b [Exact("b.example")] gateways ["shop"]
      route b[0]
        DirectResponse { status: 200, body: "" }
    virtual host c [Exact("c.example")] gateways ["shop"]
      route c[0]
        DirectResponse { status: 200, body: "" }
    "#);
    let bad = text + &service("d", "d.example", "shpo") + &service("e", "e.other", "shop");
    insta::assert_snapshot!(say(&bad), @r#"
    error[unknown-gateway]: there is no Gateway `shpo`
      --> shop.yaml:16:14
       |
    16 |   gateways: [shpo]
       |              ^^^^
       |
       = help: did you mean `shop`?

    warning[host-not-served]: no server of its gateways answers for `e.other`
      --> shop.yaml:24:11
       |
    24 |   hosts: [e.other]
       |           ^^^^^^^
       |
       = help: they answer for `*.example`
    "#);
    insta::assert_snapshot!(say(&service("f", "f.example", "shop")), @r#"
    note[unbound]: there is no Gateway `shop`: its routes are for every listener
     --> shop.yaml:7:14
      |
    7 |   gateways: [shop]
      |              ^^^^
      |
      = help: load the Gateway too if it is to say where to listen
    "#);
}
