//! Which fields are passed on, which are changed, which are added.

use config::routing::{HeaderChange, HeaderRules};
use gateway::Settings;

use crate::support::{Message, Rig, Service};

/// What the service got, and what the client got, for these fields both ways.
fn pass(
    change: impl FnOnce(&mut Settings, &mut config::routing::Routing),
    request: &str,
    answer: &str,
) -> (Message, Message) {
    let service =
        Service::answering(format!("HTTP/1.1 200 OK\r\n{answer}content-length: 2\r\n\r\nok"));
    let rig = Rig::with(service.address, change);
    let answer = rig.ask(format!("GET / HTTP/1.1\r\nhost: shop:80\r\n{request}\r\n"));
    (service.requests().remove(0), answer)
}

fn pass_plain(request: &str, answer: &str) -> (Message, Message) {
    pass(|_, _| {}, request, answer)
}

#[test]
fn fields_of_one_connection_end_there() {
    let fields = "connection: keep-alive, X-Mine\r\nconnection: x-other\r\nx-mine: 1\r\n\
                  X-OTHER: 2\r\nx-end: 3\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
                  te: trailers\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let (request, answer) = pass_plain(fields, fields);
    for message in [&request, &answer] {
        for gone in [
            "connection",
            "x-mine",
            "x-other",
            "keep-alive",
            "proxy-connection",
            "te",
            "upgrade",
            "http2-settings",
        ] {
            assert_eq!(message.all(gone), [""; 0], "{gone} in {message:?}");
        }
        assert_eq!(message.field("x-end"), Some("3"));
    }
}

#[test]
fn what_frames_or_traces_a_request_cannot_be_taken_away_by_naming_it() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let names = "connection: host, content-length, via, traceparent, x-forwarded-for, x-request-id";
    let request = format!("POST / HTTP/1.1\r\nhost: shop\r\n{names}\r\ncontent-length: 5\r\n\r\n");
    let mut client = rig.client();
    for _ in 0..2 {
        assert_eq!(client.send(format!("{request}hello")).response().status(), 200);
    }
    for got in service.requests() {
        assert_eq!((got.field("host"), got.text().as_str()), (Some("shop"), "hello"));
        for name in ["via", "traceparent", "x-forwarded-for", "x-request-id"] {
            assert!(got.field(name).is_some(), "{name} in {got:?}");
        }
    }
}

#[test]
fn an_upgrade_to_http_2_is_not_passed_on() {
    // It would be a way around the routes: what follows on the connection is not looked at.
    let (request, answer) = pass_plain(
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
        "",
    );
    assert_eq!((request.field("upgrade"), request.field("connection")), (None, None));
    assert_eq!(answer.status(), 200);
}

#[test]
fn other_fields_arrive_as_they_were_in_their_order() {
    let fields = "x-a: 1\r\nX-B:  spaced \t\r\nx-a: 2\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\
                  x-bytes: \u{e9}\r\nx-empty:\r\n";
    let (request, answer) = pass_plain(fields, fields);
    for message in [request, answer] {
        assert_eq!(message.all("x-a"), ["1", "2"]);
        assert_eq!(message.field("x-b"), Some("spaced"));
        assert_eq!(message.all("set-cookie"), ["a=b", "c=d"]);
        assert_eq!(message.field("x-bytes"), Some("\u{e9}"));
        assert_eq!(message.field("x-empty"), Some(""));
    }
}

#[test]
fn what_a_peer_says_about_others_is_believed_by_the_trust_rule_only() {
    let fields = "x-forwarded-for: 1.2.3.4\r\nx-forwarded-proto: https\r\n\
                  x-forwarded-host: outside\r\nforwarded: for=1.2.3.4\r\n";
    let (trusted, _) = pass_plain(fields, "");
    assert_eq!(trusted.field("x-forwarded-for"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(trusted.field("x-forwarded-proto"), Some("https"));
    assert_eq!(trusted.field("x-forwarded-host"), Some("outside"));
    assert_eq!(trusted.field("forwarded"), Some("for=1.2.3.4"));
    let nobody = |settings: &mut Settings, _: &mut _| settings.trust = gateway::Trust::Nobody;
    let (strange, _) = pass(nobody, fields, "");
    assert_eq!(strange.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(strange.field("x-forwarded-proto"), Some("http"));
    assert_eq!(strange.field("x-forwarded-host"), Some("shop:80"));
    assert_eq!(strange.field("forwarded"), None);
    let (none, _) = pass_plain("", "");
    assert_eq!(none.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(none.field("x-forwarded-proto"), Some("http"));
    assert_eq!(none.field("x-forwarded-host"), Some("shop:80"));
    assert_eq!(none.field("host"), Some("shop:80"));
}

#[test]
fn via_is_appended_to() {
    let (request, _) = pass_plain("via: 1.0 fred\r\nvia: 1.1 p.example.net (x)\r\n", "");
    let via = request.field("via").expect("via");
    assert!(via.starts_with("1.0 fred, 1.1 p.example.net (x), 1.1 rearguard-"), "{via}");
}

#[test]
fn a_trace_is_continued_or_begun() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let (request, _) = pass_plain(&format!("traceparent: {parent}\r\ntracestate: a=b\r\n"), "");
    let passed = request.field("traceparent").expect("a trace");
    assert_eq!((&passed[..36], &passed[52..]), (&parent[..36], "-00"));
    assert_ne!(&passed[36..52], &parent[36..52], "the span is the gateway's own");
    assert_eq!(request.field("tracestate"), Some("a=b"));
    assert_eq!(request.field("x-request-id"), Some("0af7651916cd43dd8448eb211c80319c"));
    for broken in [
        "",
        "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n",
        "traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\r\n",
        "traceparent: rubbish\r\n",
    ] {
        let (request, _) = pass_plain(&format!("{broken}tracestate: a=b\r\n"), "");
        let made = request.field("traceparent").expect("a trace");
        assert!(made.len() == 55 && made.starts_with("00-") && made.ends_with("-03"), "{made}");
        assert!(!broken.contains(&made[3..35]), "{made}");
        // It belongs to the trace that was not understood.
        assert_eq!(request.field("tracestate"), None);
        assert_eq!(request.field("x-request-id"), Some(&made[3..35]));
    }
}

#[test]
fn a_request_id_of_the_client_is_kept() {
    let (request, _) = pass_plain("x-request-id: mine\r\n", "");
    assert_eq!(request.field("x-request-id"), Some("mine"));
    let rig = Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| routing.services.clear());
    let answer = rig.ask("GET / HTTP/1.1\r\nhost: shop\r\nx-request-id: mine\r\n\r\n");
    assert_eq!(answer.field("x-request-id"), Some("mine"));
    assert_eq!(rig.failures(1)[0].request_id.as_deref(), Some("mine"));
}

#[test]
fn the_answer_of_the_gateway_is_json_for_who_asks_for_it() {
    for (accept, json) in [
        ("application/json", true),
        ("text/html, application/problem+json;q=0.5", true),
        ("*/*", false),
        ("text/plain", false),
    ] {
        let rig = Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| routing.services.clear());
        let answer = rig.ask(format!("GET / HTTP/1.1\r\nhost: shop\r\naccept: {accept}\r\n\r\n"));
        let read = serde_json::from_slice::<serde_json::Value>(&answer.body);
        assert_eq!(read.is_ok(), json, "{accept}: {}", answer.text());
        if let Ok(read) = read {
            assert_eq!(answer.field("content-type"), Some("application/json"));
            assert_eq!(
                (&read["status"], &read["cause"]),
                (&503.into(), &"gateway.no_upstream".into())
            );
            assert_eq!(read["trace_id"], rig.failures(1)[0].trace_id.to_string());
        }
    }
}

fn change(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> HeaderChange {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    HeaderChange {
        set: pairs(set),
        add: pairs(add),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn rules_remove_set_and_add_fields_both_ways() {
    let fields = "x-set: old\r\nX-Remove: old\r\nx-add: old\r\nx-both: old\r\n";
    let rules =
        || change(&[("x-set", "new"), ("x-both", "route")], &[("x-add", "new")], &["x-remove"]);
    let of_destination = || change(&[("x-both", "destination")], &[], &[]);
    let (request, answer) = pass(
        |_, routing| {
            let route = &mut routing.virtual_hosts[0].routes[0];
            route.headers = HeaderRules { request: rules(), response: rules() };
            let config::routing::Action::Forward(destinations) = &mut route.action else { return };
            destinations[0].headers =
                HeaderRules { request: of_destination(), response: of_destination() };
        },
        fields,
        fields,
    );
    for message in [request, answer] {
        assert_eq!(message.field("x-set"), Some("new"));
        assert_eq!(message.all("x-remove"), [""; 0]);
        assert_eq!(message.all("x-add"), ["old", "new"]);
        assert_eq!(message.field("x-both"), Some("destination"));
    }
}

#[test]
fn rules_have_the_last_word_on_what_the_gateway_adds() {
    let (request, _) = pass(
        |_, routing| {
            routing.virtual_hosts[0].routes[0].headers.request = change(
                &[("x-request-id", "mine"), ("x-forwarded-proto", "https")],
                &[],
                &["x-forwarded-for"],
            );
        },
        "x-request-id: theirs\r\n",
        "",
    );
    assert_eq!(request.field("x-request-id"), Some("mine"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert_eq!(request.field("x-forwarded-for"), None);
}

#[test]
fn a_deadline_is_handed_down_with_what_is_left_of_it() {
    let (request, _) = pass_plain("x-envoy-expected-rq-timeout-ms: 5000\r\n", "");
    let left = request.field("x-envoy-expected-rq-timeout-ms").expect("a deadline");
    assert!((1..=5000).contains(&left.parse::<u32>().expect("a number")), "{left}");
    let (request, _) = pass(
        |_, routing| {
            routing.virtual_hosts[0].routes[0].timeout = Some(crate::support::ms(300));
        },
        "x-envoy-expected-rq-timeout-ms: 5000\r\n",
        "",
    );
    let left = request.field("x-envoy-expected-rq-timeout-ms").expect("a deadline");
    assert!((1..=300).contains(&left.parse::<u32>().expect("a number")), "{left}");
}

#[test]
fn a_strangers_deadline_is_no_bound_and_is_not_handed_down_as_the_gateways_word() {
    let (request, answer) = pass(
        |settings, _| settings.trust = gateway::Trust::Nobody,
        "x-envoy-expected-rq-timeout-ms: 0\r\ngrpc-timeout: 1n\r\n",
        "",
    );
    assert_eq!(answer.status(), 200);
    assert_eq!(request.field("x-envoy-expected-rq-timeout-ms"), None);
    assert_eq!(request.field("grpc-timeout"), Some("1n"));
}
