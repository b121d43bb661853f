//! The shop in Istio's words, so that it goes the same way as a user's own services.

use std::{fmt::Write as _, net::SocketAddr};

use super::connection::KEEP_ALIVE;

/// Where the services are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) front: SocketAddr,
    pub(super) payment_v1: SocketAddr,
    pub(super) payment_v2: SocketAddr,
    pub(super) inventory: SocketAddr,
    /// Where nothing listens.
    pub(super) gift: SocketAddr,
}

/// Every document of the shop.
pub(super) fn yaml(addresses: &Addresses) -> String {
    let mut out = String::new();
    service(&mut out, "shop", &[(addresses.front, "v1")]);
    service(
        &mut out,
        "payment-service",
        &[(addresses.payment_v1, "v1"), (addresses.payment_v2, "v2")],
    );
    service(&mut out, "inventory-service", &[(addresses.inventory, "v1")]);
    service(&mut out, "gift-service", &[(addresses.gift, "v1")]);
    out.push_str(PAYMENT_VERSIONS);
    out.push_str(ROUTES);
    out
}

/// A `ServiceEntry` with the endpoints of a service and their versions.
fn service(out: &mut String, name: &str, endpoints: &[(SocketAddr, &str)]) {
    // Writing to a string cannot fail.
    write!(
        out,
        "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: {name}
  annotations:
    rearguard.dev/keep-alive: {}s
spec:
  hosts:
  - {name}
  resolution: STATIC
  ports:
  - number: 80
    name: http
    protocol: HTTP
  endpoints:
",
        KEEP_ALIVE.as_secs()
    )
    .unwrap_or_default();
    for (address, version) in endpoints {
        write!(
            out,
            "  - address: {}\n    ports:\n      http: {}\n    labels:\n      version: {version}\n",
            address.ip(),
            address.port()
        )
        .unwrap_or_default();
    }
    out.push_str("---\n");
}

const PAYMENT_VERSIONS: &str = "\
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
  - name: v2
    labels:
      version: v2
---
";

/// The first match wins, so the payments that need a timeout of their own stand before the rest.
const ROUTES: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts:
  - \"*\"
  http:
  - name: pay-within-2s
    match:
    - uri:
        exact: /pay/stall
    - uri:
        exact: /pay/cleanup
    - uri:
        exact: /pay/slow
    timeout: 2s
    route:
    - destination:
        host: payment-service
        subset: v1
      weight: 90
    - destination:
        host: payment-service
        subset: v2
      weight: 10
  - name: pay
    match:
    - uri:
        prefix: /pay
    route:
    - destination:
        host: payment-service
        subset: v1
      weight: 90
    - destination:
        host: payment-service
        subset: v2
      weight: 10
  - name: stock
    match:
    - uri:
        prefix: /stock
    route:
    - destination:
        host: inventory-service
  - name: gift
    match:
    - uri:
        prefix: /gift
    route:
    - destination:
        host: gift-service
  - name: shop
    route:
    - destination:
        host: shop
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_their_address_port_and_version() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let text = yaml(&Addresses {
            front: address(4001),
            payment_v1: address(4002),
            payment_v2: address(4003),
            inventory: address(4004),
            gift: address(4005),
        });
        for (port, version) in
            [(4001, "v1"), (4002, "v1"), (4003, "v2"), (4004, "v1"), (4005, "v1")]
        {
            let endpoint = format!(
                "  - address: 127.0.0.1\n    ports:\n      http: {port}\n    \
                 labels:\n      version: {version}\n"
            );
            assert_eq!(text.matches(&endpoint).count(), 1, "{endpoint}{text}");
        }
    }
}
