//! Which route is taken, and what it does with a request.

use config::routing::{
    Action, HostPattern, PathRewrite, Redirect, Rewrite, Route, RouteMatch, Routing, StringMatch,
};

use crate::support::{Rig, Service, destination, route, service_at, virtual_host, wait_for};

fn direct(name: &str) -> Route {
    route(name, Action::DirectResponse { status: 200, body: name.to_owned() })
}

/// A gateway with these hosts and routes, and no service that is needed.
fn rig_of(change: impl FnOnce(&mut Routing)) -> Rig {
    Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| {
        routing.virtual_hosts.clear();
        change(routing);
    })
}

#[test]
fn the_host_that_fits_best_is_taken() {
    let rig = rig_of(|routing| {
        for (name, pattern) in [
            ("any", HostPattern::Any),
            ("suffix", HostPattern::Suffix(".example.com".to_owned())),
            ("longer", HostPattern::Suffix(".shop.example.com".to_owned())),
            ("exact", HostPattern::Exact("pay.shop.example.com".to_owned())),
        ] {
            let mut host = virtual_host(vec![direct(name)]);
            host.hosts = vec![pattern];
            routing.virtual_hosts.push(host);
        }
    });
    let mut client = rig.client();
    for (host, expected) in [
        ("pay.shop.example.com", "exact"),
        ("PAY.shop.Example.com:8080", "exact"),
        ("x.shop.example.com", "longer"),
        ("shop.example.com", "suffix"),
        ("a.b.example.com", "suffix"),
        ("example.com", "any"),
        ("other", "any"),
        ("[::1]:80", "any"),
    ] {
        let answer = client.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).response();
        assert_eq!(answer.text(), expected, "{host}");
        let target = format!("GET http://{host}/ HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert_eq!(client.send(target).response().text(), expected, "{host}");
    }
}

#[test]
fn the_first_route_whose_match_holds_is_taken() {
    let exact = |text: &str| StringMatch::Exact(text.to_owned());
    let rig = rig_of(|routing| {
        let mut routes = Vec::new();
        let mut add = |name: &str, of: RouteMatch| {
            routes.push(Route { matches: vec![of], ..direct(name) });
        };
        let uri = |of| RouteMatch { uri: Some(of), ..RouteMatch::default() };
        add("exact", uri(exact("/exact")));
        add("prefix", uri(StringMatch::Prefix("/pre".to_owned())));
        add("regex", uri(StringMatch::Regex("/r[0-9]+".to_owned())));
        add("case", RouteMatch { ignore_uri_case: true, ..uri(exact("/CaSe")) });
        let method = Some(exact("DELETE"));
        add("method", RouteMatch { method, ..RouteMatch::default() });
        let headers = vec![("x-a".to_owned(), exact("1"))];
        add("header", RouteMatch { headers, ..RouteMatch::default() });
        let query_params = vec![("q".to_owned(), StringMatch::Present)];
        add("query", RouteMatch { query_params, ..RouteMatch::default() });
        add("port", RouteMatch { port: Some(1), ..RouteMatch::default() });
        let without_headers = vec![("x-b".to_owned(), StringMatch::Present)];
        add("without", RouteMatch { without_headers, ..RouteMatch::default() });
        routing.virtual_hosts.push(virtual_host(routes));
    });
    for (request, expected) in [
        ("GET /exact", "exact"),
        ("GET /exact?x=y", "exact"),
        ("GET /exact/", "without"),
        ("GET /prefix/x", "prefix"),
        ("GET /r12", "regex"),
        ("GET /r12x", "without"),
        ("GET /CASE", "case"),
        ("DELETE /", "method"),
        ("GET /?a=b&q", "query"),
    ] {
        let answer = rig.ask(format!("{request} HTTP/1.1\r\nhost: shop\r\n\r\n"));
        assert_eq!(answer.text(), expected, "{request}");
    }
    let with = |fields: &str| rig.ask(format!("GET / HTTP/1.1\r\nhost: shop\r\n{fields}\r\n"));
    assert_eq!(with("X-A: 1\r\n").text(), "header");
    assert_eq!(with("x-a: 2\r\n").text(), "without");
    assert_eq!(with("x-b: 2\r\n").status(), 404);
}

#[test]
fn every_form_of_a_target_reaches_the_service_as_a_path() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    for (line, expected) in [
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("GET http://shop HTTP/1.1", "GET / HTTP/1.1"),
        ("GET HTTP://shop?q=1 HTTP/1.1", "GET /?q=1 HTTP/1.1"),
        ("GET /a//b/%2f%2E/c?q=/../ HTTP/1.1", "GET /a//b/%2f%2E/c?q=/../ HTTP/1.1"),
        ("GET /a//b/%2e%2e/c?q=/../ HTTP/1.1", "GET /a//c?q=/../ HTTP/1.1"),
    ] {
        assert_eq!(rig.ask(format!("{line}\r\nhost: shop\r\n\r\n")).status(), 200, "{line}");
        assert_eq!(service.requests().pop().expect("a request").first_line, expected);
    }
}

#[test]
fn a_connection_to_the_service_carries_no_more_requests_than_it_may() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |_, routing| {
        routing.services[0].policy.max_requests_per_connection = 2;
    });
    let mut client = rig.client();
    for _ in 0..6 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(service.connections(), 3);
}

#[test]
fn paths_and_authorities_are_rewritten() {
    let service = Service::ok();
    let check = |uri: Option<StringMatch>, rewrite: PathRewrite, path: &str, expected: &str| {
        let rig = Rig::with(service.address, |_, routing| {
            let route = &mut routing.virtual_hosts[0].routes[0];
            route.matches = vec![RouteMatch { uri, ..RouteMatch::default() }];
            route.rewrite = Rewrite { uri: Some(rewrite), authority: Some("inside".to_owned()) };
        });
        assert_eq!(rig.get(path).status(), 200);
        let request = service.requests().pop().expect("a request");
        assert_eq!(request.first_line, format!("GET {expected} HTTP/1.1"));
        assert_eq!(request.field("host"), Some("inside"));
        assert_eq!(request.field("x-forwarded-host"), Some("shop"));
    };
    let prefix = || Some(StringMatch::Prefix("/api".to_owned()));
    let matched = |to: &str| PathRewrite::ReplaceMatched(to.to_owned());
    check(prefix(), matched("/v1"), "/api/x?q=1", "/v1/x?q=1");
    check(prefix(), matched("/"), "/api/x", "/x");
    check(prefix(), matched("/"), "/api", "/");
    check(Some(StringMatch::Exact("/api".to_owned())), matched("/v1"), "/api?q", "/v1?q");
    check(None, matched("/v1/"), "/x", "/v1/x");
    check(prefix(), PathRewrite::Replace("/all".to_owned()), "/api/x?q", "/all?q");
    let regex = PathRewrite::Regex {
        pattern: "^/api/([^/]+)/([^/]+)$".to_owned(),
        replacement: r"/\2/$\1".to_owned(),
    };
    check(prefix(), regex, "/api/a/b?q", "/b/$a?q");
}

#[test]
fn redirects_and_direct_responses_are_no_failures() {
    let redirect = Redirect {
        uri: Some(PathRewrite::Replace("/new".to_owned())),
        authority: Some("other".to_owned()),
        port: Some(8443),
        scheme: Some("https".to_owned()),
        status: 308,
    };
    let mut rig = rig_of(|routing| {
        let mut moved = route("moved", Action::Redirect(redirect));
        moved.matches = vec![RouteMatch {
            uri: Some(StringMatch::Prefix("/old".to_owned())),
            ..RouteMatch::default()
        }];
        let gone = route("gone", Action::DirectResponse { status: 503, body: "later".to_owned() });
        routing.virtual_hosts.push(virtual_host(vec![moved, gone]));
    });
    let mut client = rig.client();
    let answer = client.get("/old/x?q=1");
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.field("location"), Some("https://other:8443/new?q=1"));
    let answer = client.get("/");
    assert_eq!((answer.status(), answer.text().as_str()), (503, "later"));
    assert_eq!(answer.field("proxy-status"), None);
    // A body that nobody wants ends the connection rather than becoming the next request.
    let request = "POST /old HTTP/1.1\r\nhost: shop\r\ncontent-length: 33\r\n\r\n";
    client.send(format!("{request}GET /smuggled HTTP/1.1\r\nhost: x\r\n"));
    assert_eq!(client.response().field("connection"), Some("close"));
    assert!(client.is_closed());
    drop(client);
    rig.settle();
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
    let log = rig.log();
    let routes: Vec<_> = log.iter().map(|line| line["route"].as_str().expect("text")).collect();
    assert_eq!(routes, ["moved", "gone", "moved"]);
}

#[test]
fn destinations_share_by_weight() {
    let (one, other, never) = (Service::ok(), Service::ok(), Service::ok());
    let rig = Rig::with(one.address, |_, routing| {
        routing.services.push(service_at("other", &[other.address]));
        routing.services.push(service_at("never", &[never.address]));
        let mut shares = vec![destination("svc"), destination("other"), destination("never")];
        (shares[0].weight, shares[1].weight, shares[2].weight) = (90, 10, 0);
        routing.virtual_hosts[0].routes[0].action = Action::Forward(shares);
    });
    let mut client = rig.client();
    for _ in 0..1000 {
        assert_eq!(client.get("/").status(), 200);
    }
    let got = other.requests().len();
    // 10 % of 1000, give or take seven standard deviations.
    assert!((30..=170).contains(&got), "{got}");
    assert_eq!((one.requests().len() + got, never.requests().len()), (1000, 0));
    let metric = |service: &str| {
        rig.metric(&format!(
            "rearguard_requests_total{{service=\"{service}\",route=\"all\",subset=\"\",\
             outcome=\"succeeded\",cause=\"\"}}"
        ))
    };
    wait_for("the counts", || metric("svc").unwrap_or(0) + metric("other").unwrap_or(0) == 1000);
    assert_eq!(metric("other"), Some(i64::try_from(got).expect("it is small")));
}

#[test]
fn an_endpoint_that_refuses_is_passed_over() {
    let service = Service::ok();
    let nobody = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.local_addr().expect("it is bound")
    };
    let rig = Rig::with(service.address, |_, routing| {
        routing.services[0] = service_at("svc", &[nobody, service.address]);
    });
    let mut client = rig.client();
    for _ in 0..20 {
        let request = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(client.send(request).response().status(), 200);
    }
    assert!(service.requests().iter().all(|request| request.text() == "hello"));
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}

#[test]
fn reloads_and_a_stop_under_load_fail_no_request() {
    let services = [Service::ok(), Service::ok()];
    let mut next = None;
    let mut rig = Rig::with(services[0].address, |settings, routing| {
        settings.workers = 2;
        next = Some(routing.clone());
    });
    let mut next = next.expect("a routing");
    let gateway = rig.gateway.take().expect("it runs");
    let answered = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = rig.client();
                // The stop may close the connection between two requests.
                while let Some(answer) =
                    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").try_response(false)
                {
                    assert_eq!((answer.status(), answer.whole), (200, true), "{answer:?}");
                    answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if answer.field("connection") == Some("close") {
                        break;
                    }
                }
            });
        }
        for round in 1..20 {
            let service = &services[round % 2];
            let before = service.requests().len();
            next.services[0] = service_at("svc", &[service.address]);
            gateway.reload(&next).expect("it is good");
            wait_for("requests to go there", || service.requests().len() > before + 10);
        }
        gateway.stop(|| false);
    });
    assert!(answered.into_inner() > 190);
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
    assert!(rig.log().iter().all(|line| line["outcome"] == "succeeded"));
}

#[test]
fn a_reload_holds_for_the_next_request_and_spares_the_one_in_flight() {
    let before = Service::start(|with| {
        while with.request().is_some() {
            std::thread::sleep(crate::support::ms(200));
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbefore");
        }
    });
    let after = Service::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nafter");
    let mut next = None;
    let rig = Rig::with(before.address, |_, routing| next = Some(routing.clone()));
    let mut next = next.expect("a routing");
    next.services[0] = service_at("svc", &[after.address]);
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
    wait_for("the request to arrive", || before.requests().len() == 1);
    let gateway = rig.gateway.as_ref().expect("it runs");
    gateway.reload(&next).expect("it is good");
    wait_for("the new configuration", || rig.get("/").text() == "after");
    assert_eq!(client.response().text(), "before");
    assert_eq!(client.get("/").text(), "after");
    // Nothing is kept to where nothing is sent any more.
    wait_for("the old connections to be closed", || before.open() == 0);
    // One that cannot be served is refused, and the old one stays.
    let mut bad = next.clone();
    bad.virtual_hosts[0].routes[0].matches =
        vec![RouteMatch { uri: Some(StringMatch::Regex("(".to_owned())), ..RouteMatch::default() }];
    assert!(gateway.reload(&bad).is_err());
    assert_eq!(client.get("/").text(), "after");
    drop(client);
    rig.settle();
}

#[test]
fn a_route_is_no_way_around_another_by_dot_segments() {
    let service = Service::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let rig = Rig::to(service.address);
    assert_eq!(rig.get("/public/../admin/%2e%2E/x?a=/../b").status(), 200);
    assert_eq!(service.requests()[0].first_line, "GET /x?a=/../b HTTP/1.1");
}
