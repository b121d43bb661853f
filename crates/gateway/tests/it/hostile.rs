//! Peers that mean harm, and networks without luck.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::Instant,
};

use model::Cause;

use crate::support::{Client, Rig, Service, ms, wait_for};

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";

/// The service's answer to the first request on its first connection has something behind it, at
/// once or a little later; all other answers say `second`.
fn surplus(first: &'static str, pause: u64, extra: &'static str) -> Service {
    Service::start(move |with| {
        if with.index == 0 {
            with.request();
            if pause == 0 {
                with.say([first, extra].concat());
            } else {
                with.say(first);
                std::thread::sleep(ms(pause));
                with.say(extra);
            }
        }
        while with.request().is_some() {
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond");
        }
    })
}

const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

#[test]
fn what_follows_an_answer_is_never_taken_for_the_next_one() {
    for first in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n",
    ] {
        for pause in [0, 30] {
            let service = surplus(first, pause, EVIL);
            let rig = Rig::to(service.address);
            let mut client = rig.client();
            assert!(client.get("/").status() < 400);
            // Late, it comes on a connection that is idle already.
            let closed = "rearguard_pool_closed_while_idle_total{service=\"svc\",subset=\"\"}";
            wait_for("it to be seen", || pause == 0 || rig.metric(closed) == Some(1));
            for _ in 0..2 {
                assert_eq!(client.get("/").text(), "second", "{first:?}");
            }
        }
    }
}

#[test]
fn a_body_behind_the_answer_to_head_is_never_taken_for_the_next_answer() {
    let service = surplus("HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\n", 0, EVIL);
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n");
    assert_eq!(client.try_response(true).expect("an answer").status(), 200);
    assert_eq!(client.get("/").text(), "second");
}

#[test]
fn answers_that_come_before_the_request_are_taken_for_one_only() {
    let service = Service::start(|with| {
        with.say(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly{EVIL}{EVIL}"));
        with.hold();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "early");
    }
    assert_eq!(service.connections(), 20);
}

#[test]
fn fields_cannot_be_split_into_more_by_either_side() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    // What looks like a line end once decoded is none.
    let request = "GET /a%0d%0aset-cookie:%20b HTTP/1.1\r\nhost: shop\r\nx: %0d%0ay: z\r\n\r\n";
    assert_eq!(rig.ask(request).status(), 200);
    let got = service.requests().remove(0);
    assert!(got.first_line.starts_with("GET /a%0d%0aset-cookie:%20b "), "{got:?}");
    assert_eq!(got.field("x"), Some("%0d%0ay: z"));
    for value in ["a\rb: c", "a\nb: c\0", "a\0b"] {
        let answer = format!("HTTP/1.1 200 OK\r\nx: {value}\r\ncontent-length: 0\r\n\r\n");
        let service = Service::answering(answer);
        let rig = Rig::to(service.address);
        let answer = rig.get("/");
        assert_eq!((answer.status(), answer.field("b")), (502, None), "{value:?}");
    }
}

#[test]
fn a_smuggled_request_is_never_sent_on() {
    // Each would be two requests to a service that reads it otherwise than the gateway.
    let inner = "GET /smuggled HTTP/1.1\r\nhost: shop\r\n\r\n";
    for (head, body) in [
        ("content-length: 0\r\nContent-Length: 40", inner.to_owned()),
        ("transfer-encoding: identity\r\ncontent-length: 40", inner.to_owned()),
        ("transfer-encoding:chunked\r\ncontent-length: 4", format!("0\r\n\r\n{inner}")),
        ("transfer-encoding\t: chunked", format!("0\r\n\r\n{inner}")),
        ("transfer_encoding: chunked\r\ntransfer-encoding: ,chunked", format!("0\r\n\r\n{inner}")),
        ("x: y\r\n transfer-encoding: chunked", format!("0\r\n\r\n{inner}")),
        ("content-length: 40\0", inner.to_owned()),
        ("content-length: 4 0", inner.to_owned()),
        ("content-length : 40", inner.to_owned()),
        ("\u{b}content-length: 40", inner.to_owned()),
    ] {
        let service = Service::ok();
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        let answer = client
            .send(format!("POST / HTTP/1.1\r\nhost: shop\r\n{head}\r\n\r\n{body}"))
            .response();
        assert!(matches!(answer.status(), 400 | 501), "{head:?}: {answer:?}");
        assert_eq!(client.wire.rest(), b"", "{head:?}");
        assert_eq!(service.requests().len(), 0, "{head:?}");
    }
}

#[test]
fn a_chunk_as_long_as_numbers_go_is_refused() {
    for size in ["ffffffffffffffff", "7fffffffffffffff", "fffffffffffffff0", "1000000000000000"] {
        let service = Service::start(|with| {
            with.request();
            with.hold();
        });
        let rig = Rig::to(service.address);
        let head = "POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(rig.ask(format!("{head}{size}\r\nx")).status(), 400, "{size}");
    }
}

#[test]
fn a_storm_of_connections_leaves_nothing_behind() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |settings, _| {
        settings.limits.connections = 50;
        settings.workers = 2;
    });
    let mut storm: Vec<TcpStream> = Vec::new();
    for index in 0..300 {
        let mut stream = TcpStream::connect(rig.address).expect("it listens");
        match index % 4 {
            0 => stream.write_all(GET.as_bytes()).unwrap_or_default(),
            1 => stream.write_all(b"GET / HT").unwrap_or_default(),
            2 => stream.shutdown(Shutdown::Both).unwrap_or_default(),
            _ => {}
        }
        storm.push(stream);
        if index % 7 == 0 {
            storm.swap_remove(index % storm.len());
        }
    }
    drop(storm);
    rig.settle();
    assert_eq!(rig.get("/").status(), 200);
    rig.settle();
}

#[test]
fn a_client_that_has_finished_sending_counts_as_gone() {
    // As with nginx: whoever closes its half before the answer comes is taken to have left, so that
    // the service's work for it can be ended.
    let service = Service::start(|with| {
        with.request();
        with.hold();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send(GET).half_close();
    assert_eq!(client.wire.rest(), b"");
    let record = rig.failures(1)[0].clone();
    assert_eq!((record.cause, record.status), (Some(Cause::ClientDisconnected), 499));
}

#[test]
fn a_client_that_reads_slowly_gets_everything() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n");
        with.say(vec![b'x'; 3_000_000]);
    });
    let rig = Rig::with(service.address, |settings, _| {
        // Shorter than the whole takes.
        settings.timeouts.client_stall = ms(700);
        settings.timeouts.response_stall = ms(700);
    });
    let mut client = rig.client();
    client.send(GET);
    let head = client.wire.head().expect("a head");
    assert_eq!(head.status(), 200);
    let (mut got, mut piece) = (client.wire.received.len(), vec![0; 100_000]);
    let started = Instant::now();
    while got < 3_000_000 {
        std::thread::sleep(ms(30));
        let count = client.wire.stream.read(&mut piece).expect("more of it");
        assert!(count > 0, "cut after {got} bytes");
        got += count;
    }
    assert!(started.elapsed() > ms(700));
    rig.settle_without(client);
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}

impl Rig {
    fn settle_without(&self, client: Client) {
        drop(client);
        self.settle();
    }
}

#[test]
fn rubbish_of_every_kind_is_answered_or_cut_and_never_passed_on() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |settings, _| settings.timeouts.head = ms(300));
    let mut random = fastrand::Rng::with_seed(7);
    let alphabet = b"GET / HTP1.0\r\n\r\n:;,\0\x80\xff\t chunked";
    for _ in 0..150 {
        let length = random.usize(1..200);
        let rubbish: Vec<u8> =
            (0..length).map(|_| alphabet[random.usize(0..alphabet.len())]).collect();
        let mut client = rig.client();
        client.send(&rubbish).send("\r\n\r\n");
        let answer = client.try_response(false);
        let refused = answer.is_none_or(|answer| matches!(answer.status(), 400 | 408 | 414 | 431));
        assert!(refused, "{:?}", String::from_utf8_lossy(&rubbish));
    }
    rig.settle();
    assert_eq!(service.connections(), 0);
    assert_eq!(rig.get("/").status(), 200);
}

#[test]
fn answers_of_rubbish_never_harm_the_next_request() {
    let service = Service::start(|with| {
        let mut random = fastrand::Rng::with_seed(with.index as u64);
        let Some(request) = with.request() else { return };
        if request.first_line.starts_with("GET /good ") {
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood");
            return;
        }
        let good = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n";
        let mut bytes = good.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..bytes.len());
            match random.u8(0..3) {
                0 => bytes[at] = random.u8(..),
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        with.say(bytes);
    });
    let rig = Rig::with(service.address, |settings, _| {
        settings.timeouts.response_stall = ms(500);
    });
    for _ in 0..150 {
        let mut client = rig.client();
        client.send(GET);
        // Whole, cut short or refused: whatever it is, it ends.
        client.try_response(false);
        let mut client = rig.client();
        assert_eq!(client.get("/good").text(), "good");
    }
    rig.settle();
}

#[test]
fn numbers_as_large_as_they_go_do_no_harm() {
    let huge = u64::MAX;
    for answer in [
        format!("keep-alive: timeout={huge}"),
        "keep-alive: timeout=0".to_owned(),
        format!("keep-alive: timeout={huge}0"),
        format!("server-timing: work;dur={huge}, cleanup;dur=1e308"),
        "server-timing: work;dur=-1, cleanup;dur=NaN".to_owned(),
        format!("grpc-status: {huge}"),
        "rearguard-outcome: \u{e9}".to_owned(),
    ] {
        let service = Service::answering(format!(
            "HTTP/1.1 200 OK\r\n{answer}\r\ncontent-length: 2\r\n\r\nok"
        ));
        let rig = Rig::to(service.address);
        for field in [
            "x-envoy-expected-rq-timeout-ms: 999999999999".to_owned(),
            format!("x-envoy-expected-rq-timeout-ms: {huge}0"),
            "grpc-timeout: 99999999H".to_owned(),
            "grpc-timeout: 99999999n".to_owned(),
        ] {
            let answer = rig.ask(format!("GET / HTTP/1.1\r\nhost: shop\r\n{field}\r\n\r\n"));
            assert_eq!(answer.status(), 200, "{field}: {}", answer.text());
        }
    }
}

#[test]
fn a_log_that_cannot_be_written_holds_up_no_request_and_is_counted() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |settings, _| {
        settings.access_log = gateway::AccessLog::File("/dev/full".into());
    });
    let mut client = rig.client();
    for _ in 0..10 {
        assert_eq!(client.get("/").status(), 200);
    }
    wait_for("the lines to be given up", || {
        rig.metric("rearguard_access_log_dropped_total") == Some(10)
    });
}

#[test]
fn a_long_pipeline_is_not_read_ahead_without_bound() {
    let service = Service::start(|with| {
        with.request();
        with.hold();
    });
    // With so much unread before it the client's end is not seen, so the service's time ends it.
    let rig = Rig::with(service.address, |settings, _| settings.timeouts.response = ms(900));
    let mut client = rig.client();
    client.send(GET);
    wait_for("the request to arrive", || service.requests().len() == 1);
    client.wire.stream.set_write_timeout(Some(ms(300))).expect("it may be set");
    let (mut sent, piece) = (0, GET.repeat(1000));
    while let Ok(count) = client.wire.stream.write(piece.as_bytes()) {
        sent += count;
    }
    // What fits into the buffers of two sockets and one gateway.
    assert!(sent < 15_000_000, "{sent} bytes were taken");
    rig.settle_without(client);
}

#[test]
fn a_service_that_closes_while_the_body_is_sent_is_heard_out() {
    // It refuses at once, and closes with bytes of the request unread, which resets the connection.
    let service = Service::start(|with| {
        with.head();
        with.say("HTTP/1.1 413 Too Much\r\ncontent-length: 4\r\nconnection: close\r\n\r\nstop");
    });
    let rig = Rig::to(service.address);
    let mut refused = 0;
    for _ in 0..20 {
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000000\r\n\r\n");
        client.send(vec![b'x'; 300_000]);
        let answer = client.response();
        // The reset may overtake the answer in the system; then it is the service's failure.
        assert!(matches!(answer.status(), 413 | 502), "{answer:?}");
        refused += usize::from(answer.status() == 413);
    }
    assert!(refused > 0, "no answer was ever heard");
    rig.settle();
}
