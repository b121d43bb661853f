//! Causes that name the service.

use std::net::{SocketAddr, TcpListener, TcpStream};

use config::routing::UpstreamTls;

use crate::support::{Expect, Message, Rig, Service, ms, service_at, wait_for};

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 2\r\n\r\nhi";

const fn failed(cause: &'static str, status: u16, error: &'static str) -> Expect {
    Expect::new(cause, "failed", status).error(error)
}

/// An address of this machine at which nothing listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[test]
fn refused() {
    let expect = failed("upstream.connect_refused", 502, "connection_refused").flag("UF");
    let line = Rig::to(nobody()).check_ask(GET, expect);
    assert_eq!(line.get("connection"), None, "{line}");
    assert_eq!(line["tries"], 1, "{line}");
}

#[test]
fn refused_everywhere_is_tried_everywhere_once() {
    let (one, other) = (nobody(), nobody());
    let expect = failed("upstream.connect_refused", 502, "connection_refused").flag("UF");
    let rig = Rig::with(one, |_, routing| routing.services[0] = service_at("svc", &[one, other]));
    let line = rig.check_ask(POST, expect);
    assert_eq!(line["tries"], 2, "{line}");
}

#[test]
fn connect_timed_out() {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("it listens");
    let address = listener.local_addr().expect("bound").as_socket().expect("IPv4");
    // The queue of connections that nobody accepts is full once one more cannot be made.
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(100)) {
        queued.push(stream);
    }
    let rig = Rig::with(address, |_, routing| {
        routing.services[0].policy.connect_timeout = ms(150);
    });
    let expect = Expect::new("upstream.connect_timed_out", "timed_out", 504)
        .error("connection_timeout")
        .flag("UF");
    rig.check_ask(GET, expect);
}

#[test]
fn unreachable() {
    // The system itself refuses to connect to a broadcast address, so nothing leaves the machine.
    let rig = Rig::to(([255, 255, 255, 255], 80).into());
    rig.check_ask(GET, failed("upstream.unreachable", 502, "destination_ip_unroutable").flag("UF"));
}

#[test]
fn dns_failed_after_a_reload_to_a_name_that_does_not_resolve() {
    let service = Service::ok();
    let mut with_name = None;
    let rig = Rig::with(service.address, |_, routing| {
        let mut routing = routing.clone();
        // A label of more than 63 letters is no name: no resolver needs to be asked.
        routing.services[0].endpoints[0].host = format!("{}.invalid", "x".repeat(64));
        with_name = Some(routing);
    });
    assert_eq!(rig.get("/").status(), 200);
    let gateway = rig.gateway.as_ref().expect("it runs");
    gateway.reload(&with_name.expect("a routing")).expect("the rest is good");
    wait_for("the new configuration", || rig.get("/").status() == 503);
    wait_for("its failure", || !rig.handle.failures(0, 9).is_empty());
    rig.check_ask_again();
}

impl Rig {
    /// The first failure was only waited for; a second one shows the same.
    fn check_ask_again(mut self) {
        let answer = self.ask(GET);
        let record = self.failures(2)[0].clone();
        assert_eq!(answer.field("proxy-status"), Some(DNS));
        assert_eq!(record.cause.map(|cause| cause.code()), Some("upstream.dns_failed"));
        assert_eq!(record.outcome.as_str(), "failed");
        let metric = "rearguard_requests_total{service=\"svc\",route=\"all\",subset=\"\",\
                      outcome=\"failed\",cause=\"upstream.dns_failed\"}";
        assert_eq!(self.metric(metric), Some(2));
        self.settle();
        let log = self.log();
        assert_eq!(log.len(), 3, "{log:#?}");
        assert_eq!(log[2]["cause"], "upstream.dns_failed");
        assert_eq!(log[2]["envoy_flag"], "DF");
    }
}

const DNS: &str = "rearguard; error=dns_error; details=\"upstream.dns_failed\"";

#[test]
fn tls_failed_where_the_service_speaks_plain_http() {
    let service = Service::start(|with| {
        with.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        with.hold();
    });
    let rig = Rig::with(service.address, |_, routing| {
        let tls = UpstreamTls { skip_verification: true, ..UpstreamTls::default() };
        routing.services[0].policy.tls = Some(tls);
    });
    rig.check_ask(GET, failed("upstream.tls_failed", 502, "tls_protocol_error").flag("UF"));
}

const CLOSED: Expect =
    failed("upstream.closed_before_response", 502, "connection_terminated").flag("UC");

#[test]
fn closed_before_a_byte_of_the_answer() {
    for request in [GET, POST] {
        let service = Service::start(|with| {
            with.request();
        });
        let line = Rig::to(service.address).check_ask(request, CLOSED);
        assert_eq!(line["connection"], "fresh", "{line}");
        // A fresh connection cannot have lost an idle race, so the request was sent once only.
        assert_eq!(service.connections(), 1);
    }
}

#[test]
fn closed_within_the_head_of_the_answer() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-le");
    });
    Rig::to(service.address).check_ask(GET, CLOSED);
}

#[test]
fn closed_after_an_interim_answer_only() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    });
    Rig::to(service.address).check_ask(GET, CLOSED);
}

#[test]
fn reset_instead_of_an_answer() {
    let service = Service::start(|with| {
        with.request();
        with.reset_at_end();
    });
    let expect = failed("upstream.reset", 502, "connection_terminated").flag("UC");
    Rig::to(service.address).check_ask(GET, expect);
}

/// Asks, checks that the answer is cut short after this much of its body, and the rest.
fn check_cut(rig: Rig, body: &str, expect: Expect) {
    let answer = rig.get("/");
    check_cut_answer(&answer, body);
    rig.check(expect);
}

fn check_cut_answer(answer: &Message, body: &str) {
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text(), body);
    assert!(!answer.whole, "{answer:?}");
}

#[test]
fn closed_or_reset_in_the_middle_of_the_answer() {
    let expect = Expect::new("upstream.closed_mid_response", "failed", 200).flag("UC");
    for (head, reset) in [
        ("content-length: 10\r\n\r\n12345", false),
        ("content-length: 10\r\n\r\n12345", true),
        ("transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n", false),
        ("transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n", false),
        ("transfer-encoding: chunked\r\n\r\nA\r\n12345", true),
        // Only a clean end is the end of a body that goes on until close.
        ("\r\n12345", true),
    ] {
        let service = Service::start(move |with| {
            with.request();
            with.say(format!("HTTP/1.1 200 OK\r\n{head}"));
            if reset {
                // So that the gateway has read what came before.
                std::thread::sleep(ms(30));
                with.reset_at_end();
            }
        });
        check_cut(Rig::to(service.address), "12345", expect);
    }
}

#[test]
fn no_status_line_in_time() {
    let expect = Expect::new("upstream.response_timed_out", "timed_out", 504)
        .error("http_response_timeout")
        .flag("UT");
    for (default, route) in [(ms(80), None), (ms(10_000), Some(ms(80)))] {
        for partial in ["", "HTTP/1.1 200 OK\r\n"] {
            let service = Service::start(move |with| {
                with.request();
                with.say(partial);
                with.hold();
            });
            let rig = Rig::with(service.address, |settings, routing| {
                settings.timeouts.response = default;
                routing.virtual_hosts[0].routes[0].timeout = route;
            });
            rig.check_ask(POST, expect);
            // The request was abandoned, and with it the connection.
            wait_for("the gateway to close the connection", || service.open() == 0);
        }
    }
}

#[test]
fn who_listens_for_a_cause_is_told_and_never_waited_for() {
    let service = Service::start(|with| {
        let request = with.request();
        if request.is_some_and(|request| request.first_line.contains("/late")) {
            with.hold();
        } else {
            with.say("not HTTP");
        }
    });
    let (sender, told) = std::sync::mpsc::sync_channel(1);
    let rig = Rig::with(service.address, |settings, _| {
        settings.timeouts.response = ms(80);
        let cause = model::Cause::UpstreamResponseTimedOut;
        settings.failure_listener = Some(gateway::FailureListener { cause, sender });
    });
    // Another cause, one that there is room for, and one that there is none for.
    for path in ["/else", "/late/1", "/late/2"] {
        rig.get(path);
    }
    wait_for("the second to be counted", || {
        rig.metric("rearguard_failures_untold_total") == Some(1)
    });
    assert_eq!(rig.failures(3).len(), 3);
    let paths: Vec<_> = told.try_iter().map(|record| record.path.clone()).collect();
    assert_eq!(paths, ["/late/1".into()]);
}

#[test]
fn the_name_of_grpc_takes_no_bound_off_a_request_over_http_1_1() {
    let service = Service::start(|with| {
        with.request();
        with.hold();
    });
    let rig = Rig::with(service.address, |settings, _| settings.timeouts.response = ms(80));
    let request = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
                   content-length: 0\r\n\r\n";
    // DEADLINE_EXCEEDED.
    assert_eq!(rig.ask(request).field("grpc-status"), Some("4"));
    let cause = rig.failures(1)[0].cause.map(|cause| cause.code());
    assert_eq!(cause, Some("upstream.response_timed_out"));
}

#[test]
fn the_answer_not_whole_in_time() {
    let expect = Expect::new("upstream.body_timed_out", "timed_out", 200).flag("UT");
    for (stall, route) in [(ms(80), None), (ms(10_000), Some(ms(80)))] {
        let service = Service::start(|with| {
            with.request();
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
            with.hold();
        });
        let rig = Rig::with(service.address, |settings, routing| {
            settings.timeouts.response_stall = stall;
            routing.virtual_hosts[0].routes[0].timeout = route;
        });
        check_cut(rig, "12345", expect);
        wait_for("the gateway to close the connection", || service.open() == 0);
    }
}

#[test]
fn not_http() {
    let expect = failed("upstream.protocol_error", 502, "http_protocol_error").flag("UPE");
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}F",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\rset-cookie: c=d\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        let service = Service::start(move |with| {
            with.request();
            with.say(answer);
            with.hold();
        });
        Rig::to(service.address).check_ask(GET, expect);
    }
}

#[test]
fn a_head_over_the_limit_is_not_waited_for() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\n");
        while with.say(format!("x: {}\r\n", "y".repeat(1000))) {}
    });
    let expect = failed("upstream.protocol_error", 502, "http_protocol_error").flag("UPE");
    Rig::to(service.address).check_ask(GET, expect);
}

#[test]
fn chunks_that_break_the_rules_in_the_middle_of_the_answer() {
    let expect = Expect::new("upstream.protocol_error", "failed", 200).flag("UPE");
    for rest in ["zz\r\n", "5 \r\nhello\r\n0\r\n\r\n", "-1\r\n", "5\nhello\r\n", "3\r\nlonger\r\n"]
    {
        let service = Service::start(move |with| {
            with.request();
            with.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n");
            // So that the good part has gone out before the bad one comes.
            std::thread::sleep(ms(20));
            with.say(rest);
            with.hold();
        });
        let rig = Rig::to(service.address);
        let answer = rig.get("/");
        assert_eq!(answer.status(), 200);
        assert!(answer.text().starts_with("12345"), "{rest:?}: {answer:?}");
        assert!(!answer.whole, "{rest:?}: {answer:?}");
        rig.check(expect);
    }
}

#[test]
fn the_service_answered_a_failure_itself() {
    let service = Service::answering("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy");
    let rig = Rig::to(service.address);
    let answer = rig.get("/");
    assert_eq!((answer.status(), answer.text().as_str()), (503, "busy"));
    let expected = "rearguard; received-status=503; details=\"upstream.failed\"";
    assert_eq!(answer.field("proxy-status"), Some(expected));
    let trace = rig.failures(1)[0].trace_id.to_string();
    assert_eq!(answer.field("x-request-id"), Some(trace.as_str()));
    // That is no reason to throw the connection away.
    wait_for("the connection to be kept", || rig.pool("idle") == 1);
    rig.check(Expect::new("upstream.failed", "failed", 503).flag("via_upstream"));
}

#[test]
fn the_service_reported_a_panic() {
    for (status, trailers) in [(500, false), (200, true)] {
        let answer = if trailers {
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\
             rearguard-outcome: panicked\r\n\r\n"
        } else {
            "HTTP/1.1 500 Oh\r\nrearguard-outcome: panicked\r\ncontent-length: 0\r\n\r\n"
        };
        let service = Service::answering(answer);
        let rig = Rig::to(service.address);
        let answer = rig.get("/");
        assert_eq!(answer.status(), status);
        assert_eq!(answer.field("rearguard-outcome"), None);
        assert_eq!(answer.trailers, []);
        if status == 500 {
            let expected = "rearguard; received-status=500; details=\"upstream.panicked\"";
            assert_eq!(answer.field("proxy-status"), Some(expected));
        }
        rig.check(Expect::new("upstream.panicked", "panicked", status));
    }
}

#[test]
fn cleanup_overran_the_deadline_that_the_work_had_kept() {
    let service = Service::answering(
        "HTTP/1.1 200 OK\r\nserver-timing: work;dur=80, cleanup;dur=30.5\r\n\
         content-length: 2\r\n\r\nok",
    );
    let rig = Rig::with(service.address, |_, routing| {
        routing.services[0].promises.handler_deadline = Some(ms(100));
    });
    assert_eq!(rig.get("/").status(), 200);
    let expect = Expect::new("upstream.cleanup_overran", "timed_out", 200).flag("UT");
    let line = rig.check(expect);
    assert_eq!((&line["work_ms"], &line["cleanup_ms"]), (&80.into(), &30.5.into()), "{line}");
}
