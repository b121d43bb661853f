//! The idle race: the service closes a connection that it has kept as a request goes out on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use model::{Cause, ConnectionUse};

use crate::support::{Conversation, PATIENCE, Rig, Service, ms, wait_for};

/// Answers, and closes a connection that has been idle for so long; counts what arrives whole.
fn keeps_for(keep_alive: Duration) -> Service {
    Service::start(move |with| {
        // The first request is waited for, as it comes with the connection.
        let mut patience = PATIENCE;
        while with.request_within(patience) {
            patience = keep_alive;
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    })
}

impl Conversation {
    /// Reads a request, if it begins within so long.
    fn request_within(&mut self, keep_alive: Duration) -> bool {
        self.wire.stream.set_read_timeout(Some(keep_alive)).expect("it may be set");
        let begun = !self.wire.received.is_empty() || self.wire.stream.peek(&mut [0]).is_ok();
        let patience = Some(PATIENCE);
        self.wire.stream.set_read_timeout(patience).expect("it may be set");
        begun && self.request().is_some()
    }
}

#[test]
fn a_keep_alive_of_50_ms_under_load_fails_no_request_that_may_be_repeated() {
    let service = keeps_for(ms(50));
    let rig = Rig::with(service.address, |settings, _| settings.workers = 2);
    let (gets, failed_posts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let until = Instant::now() + ms(3000);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (rig, gets, failed_posts) = (&rig, &gets, &failed_posts);
            scope.spawn(move || {
                let mut client = rig.client();
                let mut random = fastrand::Rng::with_seed(thread);
                while Instant::now() < until {
                    // Around the keep-alive, where the race is lost most often.
                    std::thread::sleep(Duration::from_micros(random.u64(0..60_000)));
                    let (method, body) =
                        [("GET", ""), ("PUT", "hello"), ("POST", "hello")][random.usize(0..3)];
                    let length = body.len();
                    let answer = client
                        .send(format!(
                            "{method} / HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\r\n\
                             {body}"
                        ))
                        .response();
                    if method == "POST" && answer.status() == 502 {
                        failed_posts.fetch_add(1, SeqCst);
                        continue;
                    }
                    assert_eq!(answer.status(), 200, "{method}: {}", answer.text());
                    gets.fetch_add(1, SeqCst);
                }
            });
        }
    });
    let failed = failed_posts.load(SeqCst);
    wait_for("the failures", || rig.handle.failures(0, 9999).len() >= failed);
    let failures = rig.handle.failures(0, 9999);
    assert_eq!(failures.len(), failed);
    for failure in failures {
        let cause = failure.cause.expect("a failure has a cause");
        assert!(
            matches!(cause, Cause::UpstreamClosedBeforeResponse | Cause::UpstreamReset),
            "{failure:?}"
        );
        assert_eq!(&*failure.method, "POST");
        let kept = matches!(failure.connection, Some(ConnectionUse::Reused { .. }));
        assert!(kept, "not on a connection that had been kept: {failure:?}");
    }
    assert!(gets.load(SeqCst) > 100, "{gets:?}");
    rig.settle();
}

/// A service whose connections end at their second request, as in the idle race; the request may
/// or may not have been read by then. What arrives on the first is answered.
fn loses_the_race(reset: bool) -> Service {
    Service::start(move |with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        if with.request().is_some() && reset {
            with.reset_at_end();
        }
    })
}

#[test]
fn what_may_be_repeated_is_sent_again_on_a_fresh_connection_only_once() {
    for reset in [false, true] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let service = loses_the_race(reset);
            let mut rig = Rig::to(service.address);
            assert_eq!(rig.get("/").status(), 200);
            wait_for("the connection to be kept", || rig.pool("idle") == 1);
            let request =
                format!("{method} / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello");
            let mut client = rig.client();
            let answer = client.send(request).try_response(method == "HEAD").expect("an answer");
            assert_eq!(answer.status(), 200, "{method}: {answer:?}");
            let requests = service.requests();
            assert_eq!((service.connections(), requests.len()), (2, 3));
            assert_eq!(requests[2].text(), "hello");
            drop(client);
            rig.settle();
            assert_eq!(rig.metric("rearguard_requests_resent_total"), Some(1));
            let log = rig.log();
            assert_eq!((&log[1]["tries"], &log[1]["connection"]), (&2.into(), &"fresh".into()));
        }
    }
}

#[test]
fn chunks_are_sent_again_but_trailers_are_not_kept_for_that() {
    for (end, status) in [("0\r\n\r\n", 200), ("0\r\nx: y\r\n\r\n", 502)] {
        let service = loses_the_race(false);
        let rig = Rig::to(service.address);
        assert_eq!(rig.get("/").status(), 200);
        wait_for("the connection to be kept", || rig.pool("idle") == 1);
        let head = "PUT / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = rig.ask(format!("{head}3\r\nhel\r\n2\r\nlo\r\n{end}"));
        assert_eq!(answer.status(), status);
        assert_eq!(service.requests().pop().expect("a request").text(), "hello");
        assert_eq!(service.connections(), if status == 200 { 2 } else { 1 });
    }
}

#[test]
fn a_post_that_met_the_race_is_reported_as_what_it_was() {
    for (reset, cause) in [(false, "upstream.closed_before_response"), (true, "upstream.reset")] {
        let service = loses_the_race(reset);
        let mut rig = Rig::to(service.address);
        assert_eq!(rig.get("/").status(), 200);
        wait_for("the connection to be kept", || rig.pool("idle") == 1);
        std::thread::sleep(ms(20));
        let answer = rig.ask("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello");
        assert_eq!(answer.status(), 502);
        assert_eq!((service.connections(), service.requests().len()), (1, 2));
        rig.failures(1);
        let log = rig.log();
        let line = &log[1];
        assert_eq!((line["cause"].as_str(), line["tries"].as_u64()), (Some(cause), Some(1)));
        assert_eq!(line["connection"], "reused", "{line}");
        assert!(line["idle_ms"].as_f64().is_some_and(|idle| idle >= 20.0), "{line}");
    }
}

#[test]
fn a_body_too_large_to_be_kept_is_not_sent_again() {
    let service = loses_the_race(false);
    let rig = Rig::with(service.address, |settings, _| settings.limits.replay_bytes = 4);
    assert_eq!(rig.get("/").status(), 200);
    wait_for("the connection to be kept", || rig.pool("idle") == 1);
    let answer = rig.ask("PUT / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(answer.status(), 502);
    assert_eq!((service.connections(), service.requests().len()), (1, 2));
}

#[test]
fn a_panic_that_looks_like_the_race_is_met_no_more_than_twice() {
    let service = Service::start(|with| {
        if with.index == 0 {
            with.request();
            with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        with.request();
    });
    let rig = Rig::to(service.address);
    assert_eq!(rig.get("/").status(), 200);
    wait_for("the connection to be kept", || rig.pool("idle") == 1);
    assert_eq!(rig.get("/").status(), 502);
    assert_eq!((service.connections(), service.requests().len()), (2, 3));
    assert_eq!(rig.failures(1)[0].connection, Some(ConnectionUse::Fresh));
}

#[test]
fn what_the_service_says_about_its_keep_alive_is_kept_to() {
    let service = Service::answering(
        "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok",
    );
    let rig = Rig::to(service.address);
    assert_eq!(rig.get("/").status(), 200);
    wait_for("the connection to be kept", || rig.pool("idle") == 1);
    let kept = Instant::now();
    wait_for("the connection to be given up", || rig.pool("idle") == 0);
    assert!(kept.elapsed() < ms(990), "given up only after {:?}", kept.elapsed());
    wait_for("it to be closed", || service.open() == 0);
}

#[test]
fn a_keep_alive_is_learned_from_the_closes_that_are_seen() {
    // The service closes after 600 ms, and says nothing about it.
    let service = keeps_for(ms(600));
    let rig = Rig::to(service.address);
    let closed = || {
        let name = "rearguard_pool_closed_while_idle_total{service=\"svc\",subset=\"\"}";
        rig.metric(name).expect("the pool has it")
    };
    for round in 1..=3 {
        assert_eq!(rig.get("/").status(), 200);
        wait_for("the service to close", || closed() == round);
    }
    assert_eq!(rig.get("/").status(), 200);
    std::thread::sleep(ms(100));
    assert_eq!(rig.get("/").status(), 200);
    assert_eq!(service.connections(), 4, "a young one is used again");
    // What is about to be closed is not used any more, although it is still there.
    std::thread::sleep(ms(530));
    assert_eq!(rig.get("/").status(), 200);
    assert_eq!(service.connections(), 5, "an old one is not");
}

#[test]
fn a_connection_that_the_service_has_closed_is_never_used() {
    let close = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&close);
    let service = Service::start(move |with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        if with.index == 0 {
            wait_for("the word", || told.load(SeqCst));
        } else {
            with.hold();
        }
    });
    let rig = Rig::to(service.address);
    assert_eq!(rig.get("/").status(), 200);
    wait_for("the connection to be kept", || rig.pool("idle") == 1);
    close.store(true, SeqCst);
    wait_for("it to be closed", || service.open() == 0);
    // Even what may not be repeated is safe then.
    let answer = rig.ask("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(answer.status(), 200);
    assert_eq!(service.connections(), 2);
}
