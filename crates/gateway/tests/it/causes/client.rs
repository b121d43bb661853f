//! Causes that name the client.

use crate::support::{Expect, Rig, Service, ms, wait_for};

const BAD: Expect = Expect::new("client.bad_request", "failed", 400)
    .error("http_request_error")
    .flag("DPE")
    .unrouted();

/// Asks with what must not reach the service, which is then closed.
fn check_refused(request: impl AsRef<[u8]>, expect: Expect) {
    let request = request.as_ref();
    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    let answer = client.send(request).response();
    assert_eq!(answer.status(), expect.status, "{shown:?}: {answer:?}");
    rig.check_answer(&answer, expect);
    assert_eq!(answer.field("connection"), Some("close"), "{shown:?}");
    assert!(client.is_closed());
    drop(client);
    rig.check(expect);
    assert_eq!(service.connections(), 0, "{shown:?} reached the service");
}

#[test]
fn what_two_readers_might_understand_differently_reaches_no_service() {
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "content-length: 5, 5\r\n\r\nhello",
        "content-length: +5\r\n\r\nhello",
        "content-length: 0x5\r\n\r\nhello",
        "content-length: -1\r\n\r\n",
        "content-length: 99999999999999999999\r\n\r\n",
        "content-length:\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "x: a\r\n folded: b\r\n\r\n",
        "x: a\nx-smuggled: b\r\n\r\n",
        "x: a\rx-smuggled: b\r\n\r\n",
        "x: a\0b\r\n\r\n",
        "x y: a\r\n\r\n",
        ": a\r\n\r\n",
        "host: other\r\n\r\n",
    ] {
        check_refused(format!("POST / HTTP/1.1\r\nhost: shop\r\n{fields}"), BAD);
    }
}

#[test]
fn first_lines_and_hosts_that_break_the_rules_reach_no_service() {
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: shop/x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@shop\r\n\r\n",
        "GET / HTTP/1.1\nhost: shop\n\n",
        "GET / HTTP/1.2\r\nhost: shop\r\n\r\n",
        "GET / HTTP/3.0\r\nhost: shop\r\n\r\n",
        "GET /\r\nhost: shop\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: shop\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: shop\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nhost: shop\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nhost: shop\r\n\r\n",
        "GET shop HTTP/1.1\r\nhost: shop\r\n\r\n",
        "GET http://other/ HTTP/1.1\r\nhost: shop\r\n\r\n",
        "CONNECT shop:443 HTTP/1.1\r\nhost: shop:443\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: shop\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
        "POST / HTTP/1.0\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        check_refused(head, BAD);
    }
}

#[test]
fn an_unknown_transfer_coding_is_not_implemented() {
    for coding in
        ["gzip", "gzip, chunked", "chunked, chunked", "xchunked", "chunked;q=1", "\tchunked\u{b}"]
    {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n"
        );
        let status = if coding.contains('\u{b}') { 400 } else { 501 };
        check_refused(request, Expect { status, ..BAD });
    }
}

#[test]
fn chunks_that_break_the_rules_never_become_a_whole_request() {
    for chunks in [
        "zz\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nbare: lf\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "10000000000000000\r\nhello\r\n",
        "5;\nhello\r\n0\r\n\r\n",
    ] {
        let service = Service::start(|with| {
            with.request();
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            with.hold();
        });
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n");
        // Only chunks that come later are met while the request is being sent on.
        wait_for("the head to arrive", || service.connections() == 1);
        let answer = client.send(chunks).response();
        let expect = Expect { routed: true, ..BAD };
        assert_eq!(answer.status(), 400, "{chunks:?}: {answer:?}");
        rig.check_answer(&answer, expect);
        assert!(client.is_closed());
        drop(client);
        rig.check(expect);
        wait_for("the gateway to close the connection", || service.open() == 0);
        for request in service.requests() {
            assert!(!request.whole, "{chunks:?} became {request:?}");
        }
    }
}

const TOO_LARGE: Expect =
    Expect::new("client.too_large", "failed", 413).error("http_request_error").flag("DPE");

#[test]
fn a_body_target_or_head_over_its_limit() {
    let unrouted = TOO_LARGE.unrouted();
    let target = "x".repeat(8 * 1024);
    check_refused(
        format!("GET /{target} HTTP/1.1\r\nhost: shop\r\n\r\n"),
        Expect { status: 414, ..unrouted },
    );
    let huge = "x".repeat(40_000);
    check_refused(format!("GET /{huge}"), Expect { status: 414, ..unrouted });
    let expect = Expect { status: 431, ..unrouted };
    check_refused(format!("GET / HTTP/1.1\r\nhost: shop\r\nx: {huge}\r\n\r\n"), expect);
    for count in [100, 128, 3000] {
        let fields = "x: y\r\n".repeat(count);
        check_refused(format!("GET / HTTP/1.1\r\nhost: shop\r\n{fields}\r\n"), expect);
    }
    let body = "content-length: 1073741825\r\n\r\nhello";
    check_refused(format!("POST / HTTP/1.1\r\nhost: shop\r\n{body}"), unrouted);
}

#[test]
fn a_chunked_body_over_its_limit_never_becomes_a_whole_request() {
    let service = Service::start(|with| {
        with.request();
        with.hold();
    });
    let rig = Rig::with(service.address, |settings, _| settings.limits.request_body_bytes = 1000);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(format!("1f4\r\n{}\r\n", "x".repeat(500)));
    client.send(format!("1f5\r\n{}\r\n0\r\n\r\n", "x".repeat(501)));
    let answer = client.response();
    rig.check_answer(&answer, TOO_LARGE);
    drop(client);
    rig.check(TOO_LARGE);
    wait_for("the gateway to close the connection", || service.open() == 0);
    assert!(service.requests().iter().all(|request| !request.whole));
}

const TOO_SLOW: Expect =
    Expect::new("client.too_slow", "timed_out", 408).error("http_request_error").flag("SI");

#[test]
fn a_head_that_does_not_arrive_in_time() {
    for part in ["G", "GET / HTTP/1.1\r\nhost: sh", "\r\n"] {
        let service = Service::ok();
        let rig = Rig::with(service.address, |settings, _| settings.timeouts.head = ms(80));
        let mut client = rig.client();
        let answer = client.send(part).response();
        rig.check_answer(&answer, TOO_SLOW.unrouted());
        assert!(client.is_closed());
        drop(client);
        rig.check(TOO_SLOW.unrouted());
        assert_eq!(service.connections(), 0);
    }
}

#[test]
fn a_body_that_does_not_arrive_in_time() {
    for head in [
        "content-length: 5\r\n\r\nhe",
        "transfer-encoding: chunked\r\n\r\n5\r\nhe",
        // Without waiting for 100 Continue, which it may do.
        "content-length: 5\r\nexpect: 100-continue\r\n\r\nhe",
    ] {
        let service = Service::start(|with| {
            with.request();
            with.hold();
        });
        let rig = Rig::with(service.address, |settings, _| {
            settings.timeouts.request_stall = ms(80);
            settings.timeouts.response = ms(500);
        });
        let mut client = rig.client();
        let answer = client.send(format!("POST / HTTP/1.1\r\nhost: shop\r\n{head}")).response();
        rig.check_answer(&answer, TOO_SLOW);
        assert!(client.is_closed());
        drop(client);
        rig.check(TOO_SLOW);
        wait_for("the gateway to close the connection", || service.open() == 0);
    }
}

const DEADLINE: Expect =
    Expect::new("client.deadline_passed", "timed_out", 504).error("http_request_denied").flag("UT");

#[test]
fn a_deadline_that_has_passed_reaches_no_service() {
    let service = Service::ok();
    let request = "GET / HTTP/1.1\r\nhost: shop\r\nx-envoy-expected-rq-timeout-ms: 0\r\n\r\n";
    Rig::to(service.address).check_ask(request, DEADLINE);
    assert_eq!(service.connections(), 0);
}

#[test]
fn a_deadline_that_passes_in_the_queue_reaches_no_service() {
    let service = Service::start(|with| {
        with.request();
        std::thread::sleep(ms(150));
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    });
    let rig = Rig::with(service.address, |_, routing| {
        routing.services[0].policy.max_connections = 1;
    });
    let mut first = rig.client();
    first.send("GET /first HTTP/1.1\r\nhost: shop\r\n\r\n");
    wait_for("the first to arrive", || service.requests().len() == 1);
    let request = "GET / HTTP/1.1\r\nhost: shop\r\nx-envoy-expected-rq-timeout-ms: 20\r\n\r\n";
    let answer = rig.ask(request);
    assert_eq!(first.response().status(), 200);
    drop(first);
    rig.check_answer(&answer, DEADLINE);
    rig.check(DEADLINE);
    assert_eq!(service.requests().len(), 1);
}

const LEFT: Expect = Expect::new("client.disconnected", "cancelled", 499).flag("DC");

#[test]
fn left_before_the_answer() {
    for (request, reset) in [
        ("GET / HTTP/1.1\r\nhost: shop\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nhost: shop\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhe", false),
        ("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhe", true),
        ("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe", false),
    ] {
        let service = Service::start(|with| {
            with.head();
            with.hold();
        });
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        client.send(request);
        wait_for("the request to arrive", || service.requests().len() == 1);
        if reset {
            client.wire.reset();
        } else {
            drop(client);
        }
        rig.check(LEFT);
        // The service is told by the end of its connection.
        wait_for("the gateway to close the connection", || service.open() == 0);
    }
}

#[test]
fn left_while_waiting_for_a_place_reaches_no_service() {
    let service = Service::start(|with| {
        with.request();
        with.hold();
    });
    let rig = Rig::with(service.address, |settings, routing| {
        routing.services[0].policy.max_connections = 1;
        settings.timeouts.queue = ms(9000);
    });
    let mut first = rig.client();
    first.send("GET /first HTTP/1.1\r\nhost: shop\r\n\r\n");
    wait_for("the first to arrive", || service.requests().len() == 1);
    let mut second = rig.client();
    second.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n\r\n");
    let waiting = "rearguard_pool_waiting{service=\"svc\",subset=\"\"}";
    wait_for("the second to wait", || rig.metric(waiting) == Some(1));
    drop(second);
    wait_for("its place in the queue to be free", || rig.metric(waiting) == Some(0));
    let record = rig.failures(1)[0].clone();
    assert_eq!(record.cause.map(|cause| cause.code()), Some(LEFT.cause));
    assert_eq!((record.status, record.tries), (499, 0));
    drop(first);
    rig.settle();
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn left_in_the_middle_of_the_answer() {
    for reset in [false, true] {
        let service = Service::start(|with| {
            with.request();
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
            with.hold();
        });
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
        assert_eq!(client.wire.head().expect("a head").status(), 200);
        if reset {
            client.wire.reset();
        } else {
            drop(client);
        }
        rig.check(Expect { status: 200, ..LEFT });
        wait_for("the gateway to close the connection", || service.open() == 0);
    }
}

#[test]
fn left_without_reading_the_answer() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\n\r\n");
        while with.say([b'x'; 64 * 1024]) {}
    });
    let rig = Rig::with(service.address, |settings, _| settings.timeouts.client_stall = ms(200));
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
    assert_eq!(client.wire.head().expect("a head").status(), 200);
    rig.failures(1);
    drop(client);
    rig.check(Expect { status: 200, ..LEFT });
    wait_for("the gateway to close the connection", || service.open() == 0);
}
