//! Interim and early answers, tunnels, large bodies and back-pressure.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
};

use crate::support::{Client, Rig, Service, ms, wait_for};

#[test]
fn a_client_that_asks_first_is_told_to_continue() {
    let service = Service::start(|with| {
        let mut request = with.head().expect("a head");
        assert_eq!(request.field("expect"), Some("100-continue"));
        with.say("HTTP/1.1 100 Continue\r\n\r\n");
        with.wire.body(&mut request, false);
        with.say(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", request.text()));
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client
        .send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.wire.head().expect("a head").status(), 100);
    let answer = client.send("hello").response();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "hello"));
}

#[test]
fn a_client_that_asks_first_may_be_turned_down() {
    let service = Service::start(|with| {
        with.head();
        with.say("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno");
        with.hold();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client
        .send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str()), (417, "no"));
    // The body that did not come must not be taken from what comes next.
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    wait_for("the service's connection to be closed", || service.open() == 0);
}

#[test]
fn early_hints_reach_clients_of_http_1_1_only() {
    let service = Service::answering(
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: x-hop\r\nx-hop: 1\r\n\
         content-length: 3\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
        let [hints, processing] = answer.interim.as_slice() else { panic!("{answer:?}") };
        assert_eq!((hints.status(), processing.status()), (103, 102));
        assert_eq!(hints.field("link"), Some("</a.css>"));
        assert_eq!((hints.field("x-hop"), hints.field("content-length")), (None, None));
    }
    let answer = rig.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status(), answer.interim.len()), (200, 0));
}

#[test]
fn interim_answers_without_end_are_a_fault() {
    // The client does not read, so that a gateway that gathers them would grow without bound; nor
    // has it sent all of its request, which must not make the wait endless.
    for request in [
        "GET / HTTP/1.1\r\nhost: shop\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhe",
    ] {
        let service = Service::start(|with| {
            with.head();
            while with.say("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)) {}
        });
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        client.send(request);
        wait_for("the gateway to give up", || rig.handle.failures(0, 9).len() == 1);
        let record = rig.failures(1)[0].clone();
        assert_eq!(record.cause.map(|cause| cause.code()), Some("upstream.protocol_error"));
        let answer = client.response();
        assert_eq!(answer.status(), 502);
        assert!(answer.interim.len() < 100, "{}", answer.interim.len());
        drop(client);
        wait_for("the service's connection to be closed", || service.open() == 0);
        rig.settle();
    }
}

#[test]
fn an_early_answer_arrives_while_the_request_is_still_being_sent() {
    let service = Service::start(|with| {
        with.head();
        with.say("HTTP/1.1 413 Too Much\r\ncontent-length: 4\r\nconnection: close\r\n\r\nstop");
        with.hold();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000000000\r\n\r\nsome of it");
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str(), answer.whole), (413, "stop", true));
    assert_eq!(answer.field("connection"), Some("close"));
    drop(client);
    wait_for("the service's connection to be closed", || service.open() == 0);
    rig.settle();
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}

#[test]
fn a_client_that_reads_only_after_sending_gets_the_early_answer_too() {
    let service = Service::start(|with| {
        with.head();
        with.say("HTTP/1.1 413 Too Much\r\ncontent-length: 4\r\nconnection: close\r\n\r\nstop");
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 20000000\r\n\r\n");
    for _ in 0..200 {
        client.send(vec![b'x'; 100_000]);
    }
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str()), (413, "stop"));
}

#[test]
fn an_answer_may_begin_before_the_request_ends() {
    // Both directions at once: each piece is answered before the next is sent.
    let service = Service::start(|with| {
        with.head();
        with.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        // Whatever comes goes back, the chunks' framing and the last of them included.
        while !with.wire.received.ends_with(b"0\r\n\r\n") && with.wire.fill() {
            let received = with.wire.received.clone();
            with.say(&received);
            if !received.ends_with(b"0\r\n\r\n") {
                with.wire.received.clear();
            }
        }
        with.hold();
    });
    let rig = Rig::with(service.address, |settings, _| {
        // Both are shorter than the whole takes: what moves either way keeps it alive.
        settings.timeouts.response_stall = ms(1000);
        settings.timeouts.request_stall = ms(1000);
    });
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(client.wire.head().expect("a head").status(), 200);
    for letter in ["a", "b", "c", "d", "e"] {
        std::thread::sleep(ms(250));
        let chunk = format!("1\r\n{letter}\r\n");
        client.send(&chunk);
        while client.wire.received.len() < chunk.len() {
            assert!(client.wire.fill(), "the answer to {letter}");
        }
        assert_eq!(std::mem::take(&mut client.wire.received), chunk.as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.wire.head().map(|end| end.first_line), Some("0".to_owned()));
    drop(client);
    rig.settle();
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}

#[test]
fn a_request_that_still_comes_in_keeps_its_answer_alive() {
    let service = Service::start(|with| {
        let mut request = with.head().expect("a head");
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
        with.wire.body(&mut request, false);
        with.say("ok");
    });
    let rig = Rig::with(service.address, |settings, _| {
        settings.timeouts.response_stall = ms(1000);
        settings.timeouts.request_stall = ms(1000);
    });
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 8\r\n\r\n");
    for _ in 0..8 {
        std::thread::sleep(ms(150));
        client.send("x");
    }
    assert_eq!(client.response().text(), "ok");
    // And where it stalls, it is not the service that is to blame.
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 8\r\n\r\nxx");
    assert!(!client.response().whole);
    let cause = rig.failures(1)[0].cause.map(|cause| cause.code());
    assert_eq!(cause, Some("client.too_slow"));
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: Upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-key: x\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                      upgrade: websocket\r\nsec-websocket-accept: y\r\n\r\n";

/// Sends back whatever comes, and says `bye` once the other end has finished.
fn tunnel() -> Service {
    Service::start(|with| {
        let request = with.head().expect("a head");
        assert_eq!(request.field("upgrade"), Some("websocket"));
        assert_eq!(request.field("connection"), Some("Upgrade"));
        with.say(format!("{SWITCH}hi"));
        loop {
            let received = std::mem::take(&mut with.wire.received);
            if !with.say(received) || !with.wire.fill() {
                break;
            }
        }
        with.say("bye");
    })
}

#[test]
fn an_upgraded_connection_is_a_tunnel_that_closes_half_by_half() {
    let service = tunnel();
    let mut rig = Rig::with(service.address, |settings, _| {
        // None of these is for tunnels.
        settings.timeouts.response_stall = ms(100);
        settings.timeouts.client_stall = ms(100);
    });
    let mut client = rig.client();
    // The first bytes for the service may come with the request.
    let switched = client.send(format!("{UPGRADE}one")).response();
    assert_eq!(switched.status(), 101);
    assert_eq!(switched.field("upgrade"), Some("websocket"));
    assert_eq!(switched.field("sec-websocket-accept"), Some("y"));
    let expect = |client: &mut Client, text: &str| {
        while client.wire.received.len() < text.len() {
            assert!(client.wire.fill(), "{text}");
        }
        assert_eq!(client.wire.received.drain(..text.len()).as_slice(), text.as_bytes());
    };
    expect(&mut client, "hione");
    std::thread::sleep(ms(300));
    client.send("GET / HTTP/1.1\r\n\0");
    expect(&mut client, "GET / HTTP/1.1\r\n\0");
    client.half_close();
    assert_eq!(client.wire.rest(), b"bye");
    drop(client);
    rig.settle();
    wait_for("the service's connection to be closed", || service.open() == 0);
    assert_eq!(rig.pool("idle"), 0);
    let log = rig.log();
    assert_eq!((&log[0]["status"], &log[0]["outcome"]), (&101.into(), &"succeeded".into()));
    assert_eq!((&log[0]["request_bytes"], &log[0]["response_bytes"]), (&20.into(), &25.into()));
}

#[test]
fn a_tunnel_ends_with_either_end_and_with_the_gateway() {
    // The client breaks off.
    let service = tunnel();
    let mut rig = Rig::to(service.address);
    let mut client = rig.client();
    assert_eq!(client.send(UPGRADE).response().status(), 101);
    client.wire.reset();
    wait_for("the service's connection to be closed", || service.open() == 0);
    rig.settle();
    // The gateway stops.
    let mut client = rig.client();
    assert_eq!(client.send(UPGRADE).response().status(), 101);
    rig.gateway = None;
    assert!(client.is_closed());
    wait_for("the service's connection to be closed", || service.open() == 0);
}

#[test]
fn a_change_of_protocol_is_waited_for_no_longer_than_any_answer() {
    let service = Service::start(|with| {
        with.head();
        with.hold();
    });
    for route in [None, Some(ms(80))] {
        let rig = Rig::with(service.address, |settings, routing| {
            settings.timeouts.response = ms(100);
            routing.virtual_hosts[0].routes[0].timeout = route;
        });
        assert_eq!(rig.ask(UPGRADE).status(), 504);
    }
}

#[test]
fn a_service_may_decline_to_change_the_protocol() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    for _ in 0..2 {
        assert_eq!(client.send(UPGRADE).response().text(), "ok");
    }
    assert_eq!(service.connections(), 1);
}

#[test]
fn the_protocol_does_not_change_in_the_middle_of_a_request() {
    let service = Service::start(|with| {
        with.head();
        with.say(SWITCH);
        with.hold();
    });
    let rig = Rig::to(service.address);
    let request = UPGRADE.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe");
    assert_eq!(rig.ask(request).status(), 502);
    let cause = rig.failures(1)[0].cause.map(|cause| cause.code());
    assert_eq!(cause, Some("upstream.protocol_error"));
}

const LARGE: usize = 50 * 1000 * 1000;

/// How many bytes of memory the process holds.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the system says");
    let pages: usize = text.split(' ').nth(1).expect("a number").parse().expect("a number");
    pages * 4096
}

#[test]
fn large_bodies_pass_both_ways() {
    let service = Service::start(|with| {
        let head = with.head().expect("a head");
        let mut left = if head.field("content-length").is_some() { LARGE } else { LARGE + 7 };
        let mut piece = vec![0; 256 * 1024];
        left -= std::mem::take(&mut with.wire.received).len();
        while left > 0 {
            let count = with.wire.stream.read(&mut piece).expect("more of it");
            assert!(count > 0);
            left = left.saturating_sub(count);
        }
        with.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n"));
        let piece = vec![b'y'; 1000 * 1000];
        for _ in 0..LARGE / piece.len() {
            with.say(&piece);
        }
    });
    let mut rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send(format!("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {LARGE}\r\n\r\n"));
    let piece = vec![b'x'; 1000 * 1000];
    for _ in 0..LARGE / piece.len() {
        client.send(&piece);
    }
    let answer = client.response();
    assert_eq!((answer.body.len(), answer.whole), (LARGE, true));
    assert!(answer.body.iter().all(|byte| *byte == b'y'));
    drop(client);
    rig.settle();
    let line = &rig.log()[0];
    let (sent, received) = (&line["request_bytes"], &line["response_bytes"]);
    assert_eq!((sent, received), (&LARGE.into(), &LARGE.into()));
}

#[test]
fn a_client_that_does_not_read_holds_the_service_back() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        with.wire.stream.set_write_timeout(Some(ms(400))).expect("it may be set");
        let (mut sent, piece) = (0, vec![b'x'; 64 * 1024]);
        while let Ok(count) = with.wire.stream.write(&piece) {
            sent += count;
        }
        // What fits into the buffers of four sockets and one gateway.
        assert!(sent < 30_000_000, "{sent} bytes went to a client that reads nothing");
    });
    let before = resident();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
    assert_eq!(client.wire.head().expect("a head").status(), 200);
    wait_for("the service to be held back", || service.open() == 0);
    // Other tests run at the same time, so this is only about its size.
    assert!(resident() < before + 500_000_000);
    drop(client);
    rig.settle();
}

#[test]
fn a_service_that_does_not_read_holds_the_client_back() {
    let service = Service::start(|with| {
        with.head();
        std::thread::sleep(ms(1500));
        with.wire.stream.shutdown(Shutdown::Both).unwrap_or_default();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000000000\r\n\r\n");
    client.wire.stream.set_write_timeout(Some(ms(400))).expect("it may be set");
    let (mut sent, piece) = (0, vec![b'x'; 64 * 1024]);
    while let Ok(count) = client.wire.stream.write(&piece) {
        sent += count;
    }
    assert!(sent < 30_000_000, "{sent} bytes went to a service that reads nothing");
    drop(client);
    rig.settle();
}
