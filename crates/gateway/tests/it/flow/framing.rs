//! Bodies of every framing both ways, and connections that carry more than one request.

use crate::support::{Client, Message, Rig, Service, wait_for};

/// A service that answers what it was sent, framed as it was.
fn echo() -> Service {
    Service::start(|with| {
        while let Some(request) = with.request() {
            let body = request.text();
            let answer = if request.field("transfer-encoding").is_some() {
                let trailers: String = request
                    .trailers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let chunk =
                    if body.is_empty() { body } else { format!("{:x}\r\n{body}\r\n", body.len()) };
                format!("transfer-encoding: chunked\r\n\r\n{chunk}0\r\n{trailers}\r\n")
            } else {
                format!("content-length: {}\r\n\r\n{body}", body.len())
            };
            with.say(format!("HTTP/1.1 200 OK\r\n{answer}"));
        }
    })
}

fn check_ok(answer: &Message, body: &str) {
    assert_eq!((answer.status(), answer.text().as_str(), answer.whole), (200, body, true));
}

#[test]
fn bodies_arrive_as_they_were_sent_on_one_connection_each_side() {
    let service = echo();
    let mut rig = Rig::to(service.address);
    let mut client = rig.client();
    let mut ask = |request: &str| client.send(request).response();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"] {
        let head = format!("{method} / HTTP/1.1\r\nhost: shop\r\n");
        check_ok(&ask(&format!("{head}\r\n")), "");
        check_ok(&ask(&format!("{head}content-length: 0\r\n\r\n")), "");
        check_ok(&ask(&format!("{head}content-length: 5\r\n\r\nhello")), "hello");
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        check_ok(&ask(&format!("{chunked}0\r\n\r\n")), "");
        check_ok(&ask(&format!("{chunked}2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\n\r\n")), "hello");
        check_ok(&ask(&format!("{chunked}00005\r\nhello\r\n000\r\n\r\n")), "hello");
        let answer = ask(&format!("{chunked}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
        check_ok(&answer, "hello");
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "1".to_owned())]);
    }
    drop(client);
    rig.settle();
    assert_eq!(service.connections(), 1);
    let log = rig.log();
    assert_eq!(log.len(), service.requests().len());
    assert!(log.iter().all(|line| line["outcome"] == "succeeded"), "{log:#?}");
    assert_eq!((&log[2]["request_bytes"], &log[2]["response_bytes"]), (&5.into(), &5.into()));
    assert_eq!(rig.handle.failures(0, 1).len(), 0);
}

#[test]
fn trailers_that_frame_or_route_are_dropped() {
    let service = echo();
    let answer = Rig::to(service.address).ask(
        "POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\
         Host: evil\r\nContent-Length: 3\r\nTransfer-Encoding: x\r\nX-Ok: 1\r\nConnection: y\r\n\
         \r\n",
    );
    assert_eq!(answer.trailers, [("x-ok".to_owned(), "1".to_owned())]);
}

#[test]
fn an_answer_to_head_has_the_fields_and_no_body() {
    for framing in ["content-length: 12345", "transfer-encoding: chunked", "x: y"] {
        let service = Service::answering(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        for _ in 0..2 {
            client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n");
            let answer = client.try_response(true).expect("an answer");
            assert_eq!(answer.status(), 200);
            let length = framing.starts_with("content").then_some("12345");
            assert_eq!(answer.field("content-length"), length);
        }
        assert_eq!(service.connections(), 1, "{framing}");
    }
    // And those that the gateway makes.
    let rig = Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| routing.services.clear());
    let mut client = rig.client();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n");
        assert_eq!(client.try_response(true).expect("an answer").status(), 503);
    }
}

#[test]
fn answers_without_a_body_leave_the_connections_good() {
    for (answer, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\netag: \"x\"\r\n\r\n", 304),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 200),
    ] {
        let service = Service::answering(answer);
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        for _ in 0..3 {
            let answer = client.get("/");
            assert_eq!((answer.status(), answer.text().as_str()), (status, ""));
            assert_eq!(
                answer.field("transfer-encoding").is_some(),
                answer.whole && status == 200 && answer.field("content-length").is_none()
            );
        }
        assert_eq!(service.connections(), 1, "{answer:?}");
    }
}

#[test]
fn no_length_is_passed_on_with_204_and_a_length_is_passed_on_once() {
    let service = Service::answering("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(Rig::to(service.address).get("/").field("content-length"), None);
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok";
    let service = Service::answering(twice);
    assert_eq!(Rig::to(service.address).get("/").field("content-length"), Some("2"));
}

#[test]
fn an_answer_until_close_ends_where_the_connection_does() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\n\r\nhel");
        with.say("lo");
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    for _ in 0..2 {
        let answer = client.get("/");
        check_ok(&answer, "hello");
        // The client's connection need not end for that.
        assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
    }
    assert_eq!(service.connections(), 2);
    let answer = rig.ask("GET / HTTP/1.0\r\n\r\n");
    check_ok(&answer, "hello");
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(rig.handle.failures(0, 1).len(), 0);
}

#[test]
fn clients_of_http_1_0_are_served() {
    let service = echo();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    let answer = client.send("POST / HTTP/1.0\r\ncontent-length: 5\r\n\r\nhello").response();
    check_ok(&answer, "hello");
    assert!(client.is_closed());
    assert_eq!(service.requests()[0].field("host"), Some("svc"));
    assert!(service.requests()[0].first_line.ends_with(" HTTP/1.1"));
    let mut client = rig.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().field("connection"), Some("keep-alive"));
    }
}

#[test]
fn a_chunked_answer_to_http_1_0_is_reset_where_it_is_not_whole() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
        // So that the gateway has passed the chunk on.
        std::thread::sleep(crate::support::ms(50));
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.wire.head().expect("a head").status(), 200);
    use std::io::Read as _;
    let mut body = client.wire.received.clone();
    let error = client.wire.stream.read_to_end(&mut body).expect_err("a reset, not an end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn http_1_0_from_the_service_closes_its_connection_only() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok");
        with.hold();
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    check_ok(&client.get("/"), "ok");
    check_ok(&client.get("/"), "ok");
    assert_eq!(service.connections(), 2);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let service = Service::start(|with| {
        while let Some(request) = with.request() {
            let path = request.first_line.split(' ').nth(1).expect("a target").to_owned();
            with.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    let mut all = String::new();
    for index in 0..50 {
        let body = if index % 2 == 0 { "" } else { "content-length: 3\r\n\r\nabc" };
        let end = if index % 2 == 0 { "\r\n" } else { "" };
        all.push_str(&format!("POST /{index} HTTP/1.1\r\nhost: shop\r\n{body}{end}"));
    }
    client.send(all);
    for index in 0..50 {
        check_ok(&client.response(), &format!("/{index}"));
    }
    assert_eq!(service.connections(), 1);
}

#[test]
fn bytes_that_come_one_at_a_time_are_a_request_all_the_same() {
    let service = echo();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    for request in [
        "\r\nPOST /x HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello",
        "POST /x HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nx: y\r\n\r\n",
    ] {
        for byte in request.as_bytes() {
            client.send([*byte]);
        }
        check_ok(&client.response(), "hello");
    }
}

#[test]
fn answers_that_come_one_byte_at_a_time_are_answers_all_the_same() {
    for answer in [
        "HTTP/1.1 200 Fine\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nx: y\r\n\r\n",
    ] {
        let service = Service::start(move |with| {
            while with.request().is_some() {
                for byte in answer.as_bytes() {
                    with.say([*byte]);
                }
            }
        });
        let rig = Rig::to(service.address);
        let mut client = rig.client();
        for _ in 0..2 {
            let answer = client.get("/");
            check_ok(&answer, "hello");
            assert_eq!(answer.first_line, "HTTP/1.1 200 Fine");
        }
        assert_eq!(service.connections(), 1);
    }
}

#[test]
fn a_connection_closes_where_either_side_asks_for_it() {
    let service = Service::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let rig = Rig::with(service.address, |settings, _| {
        settings.limits.requests_per_connection = 3;
    });
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nhost: shop\r\nconnection: x, Close\r\n\r\n");
    assert_eq!(client.response().field("connection"), Some("close"));
    assert!(client.is_closed());
    let mut client = rig.client();
    assert_eq!(client.get("/").field("connection"), None);
    assert_eq!(client.get("/").field("connection"), None);
    assert_eq!(client.get("/").field("connection"), Some("close"));
    assert!(client.is_closed());
    assert_eq!(service.connections(), 1);
}

#[test]
fn an_idle_client_is_closed_without_a_word() {
    let service = Service::ok();
    let mut rig = Rig::with(service.address, |settings, _| {
        settings.timeouts.idle = crate::support::ms(50);
    });
    let mut silent = rig.client();
    assert_eq!(silent.wire.rest(), b"");
    let mut kept = rig.client();
    check_ok(&kept.get("/"), "ok");
    assert_eq!(kept.wire.rest(), b"");
    assert_eq!(rig.log().len(), 1);
}

#[test]
fn what_follows_a_last_request_does_not_cost_its_answer() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let garbage = vec![b'\0'; 200_000];
    let mut client = Client::connect(rig.address);
    client.send("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").send(&garbage);
    check_ok(&client.response(), "ok");
    // As a next request it is none.
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n\0\0\0\r\n\r\n");
    check_ok(&client.response(), "ok");
    assert_eq!(client.response().status(), 400);
    assert!(client.is_closed());
    drop(client);
    wait_for("the record", || rig.handle.failures(0, 9).len() == 1);
    rig.settle();
}
