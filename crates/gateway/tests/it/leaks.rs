//! Many requests, a third of which fail in every way that there is, leave nothing behind: no
//! descriptor, no thread, no place in a pool, no request that is not counted or counted twice.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Instant,
};

use config::routing::{Action, Route, RouteMatch, Routing, StringMatch, UpstreamTls};
use gateway::Settings;

use crate::support::{
    Client, Conversation, PATIENCE, Rig, Service, destination, in_own_process, is_own_process, ms,
    route, service_at, virtual_host, wait_for,
};

/// How many requests are made; this many by default.
const REQUESTS: (&str, u64) = ("REARGUARD_LEAK_REQUESTS", 9_000);
/// Clients at the same time.
const CLIENTS: u64 = 8;

#[test]
fn nothing_is_left_after_many_requests_that_end_in_every_way() {
    if is_own_process() {
        return run();
    }
    let name = "leaks::nothing_is_left_after_many_requests_that_end_in_every_way";
    let output = in_own_process(name).wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// What the service does with a request, by its path.
fn serve(with: &mut Conversation) {
    while let Some(head) = with.wire.head() {
        let path = head.first_line.split(' ').nth(1).expect("a target").to_owned();
        let mut request = head;
        match path.as_str() {
            "/close" => return,
            "/reset" => return with.reset_at_end(),
            "/tunnel" => {
                with.say(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                );
                with.hold();
                return;
            }
            "/flood" => {
                while with.say("HTTP/1.1 100 Continue\r\n\r\n".repeat(50)) {}
                return;
            }
            _ => with.wire.body(&mut request, false),
        }
        if !request.whole {
            return;
        }
        let answer = match path.as_str() {
            "/chunked" => {
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n"
            }
            "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            "/500" => "HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\noh",
            "/panicked" => {
                "HTTP/1.1 500 Oh\r\nrearguard-outcome: panicked\r\ncontent-length: 2\r\n\r\noh"
            }
            "/rubbish" => "SSH-2.0\r\n",
            "/mid" | "/midreset" | "/stallbody" => {
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345"
            }
            "/stall" => "",
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        };
        if !with.say(answer) {
            return;
        }
        match path.as_str() {
            "/stall" | "/stallbody" => return with.hold(),
            "/midreset" => return with.reset_at_end(),
            "/mid" | "/rubbish" => return,
            _ => {}
        }
    }
}

fn configure(settings: &mut Settings, routing: &mut Routing, plain: SocketAddr) {
    settings.workers = 2;
    settings.timeouts.request_stall = ms(60);
    settings.timeouts.head = ms(60);
    settings.timeouts.upstream_idle = ms(400);
    settings.limits.failures = 16;
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let nobody = nobody.local_addr().expect("it is bound");
    let mut tls = service_at("tls", &[plain]);
    tls.policy.tls = Some(UpstreamTls { skip_verification: true, ..UpstreamTls::default() });
    routing.services.extend([
        service_at("refused", &[nobody]),
        service_at("unreachable", &[([255, 255, 255, 255], 80).into()]),
        service_at("empty", &[]),
        tls,
    ]);
    let to = |service: &str| Route {
        matches: vec![RouteMatch {
            uri: Some(StringMatch::Exact(format!("/{service}"))),
            ..RouteMatch::default()
        }],
        ..route(service, Action::Forward(vec![destination(service)]))
    };
    for service in &mut routing.services {
        service.policy.connect_timeout = ms(10_000);
    }
    let mut routes: Vec<Route> = ["refused", "unreachable", "empty", "tls"].map(to).into();
    // Only where the service is silent on purpose, since this machine may be slow.
    for path in ["/stall", "/stallbody"] {
        let uri = Some(StringMatch::Exact(path.to_owned()));
        routes.push(Route {
            matches: vec![RouteMatch { uri, ..RouteMatch::default() }],
            timeout: Some(ms(60)),
            ..route(path, Action::Forward(vec![destination("svc")]))
        });
    }
    routes.push(route("all", Action::Forward(vec![destination("svc")])));
    routing.virtual_hosts = vec![virtual_host(routes)];
}

/// One way for a request to end.
enum Way {
    /// It is answered with this status, and the connection goes on unless the answer says so.
    Answered(&'static str, u16),
    /// The answer is not whole.
    Cut(&'static str),
    /// The client leaves, once the head of the answer has come where it is to wait for that.
    Left(&'static str, bool),
    /// Two answers to two requests that were sent at once.
    Twice(&'static str),
}
use Way::{Answered, Cut, Left, Twice};

const GOOD: &[Way] = &[
    Answered("GET /ok HTTP/1.1\r\nhost: shop\r\n\r\n", 200),
    Answered("POST /ok HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello", 200),
    Answered(
        "PUT /chunked HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
    ),
    Answered("GET /chunked HTTP/1.0\r\n\r\n", 200),
    Answered("HEAD /head HTTP/1.1\r\nhost: shop\r\n\r\n", 200),
    Answered("GET /ok HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n", 200),
    Twice("GET /ok HTTP/1.1\r\nhost: shop\r\n\r\nGET /ok HTTP/1.1\r\nhost: shop\r\n\r\n"),
    Left(
        "GET /tunnel HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello",
        true,
    ),
];

const BAD: &[Way] = &[
    Answered("GET /refused HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /unreachable HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /empty HTTP/1.1\r\nhost: shop\r\n\r\n", 503),
    Answered("GET /tls HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /close HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("POST /close HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello", 502),
    Answered("GET /reset HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /rubbish HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /flood HTTP/1.1\r\nhost: shop\r\n\r\n", 502),
    Answered("GET /stall HTTP/1.1\r\nhost: shop\r\n\r\n", 504),
    Answered("GET /500 HTTP/1.1\r\nhost: shop\r\n\r\n", 500),
    Answered("GET /panicked HTTP/1.1\r\nhost: shop\r\n\r\n", 500),
    Answered("GET /ok HTTP/1.1\r\n\r\n", 400),
    Answered("POST /ok HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
    Answered("POST /ok HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: gzip\r\n\r\n", 501),
    Answered("POST /ok HTTP/1.1\r\nhost: shop\r\ncontent-length: 9999999999\r\n\r\n", 413),
    Answered("GET /ok HTTP/1.1\r\nhost: sh", 408),
    Answered("POST /ok HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhe", 408),
    Answered("GET /ok HTTP/1.1\r\nhost: shop\r\nx-envoy-expected-rq-timeout-ms: 0\r\n\r\n", 504),
    Cut("GET /mid HTTP/1.1\r\nhost: shop\r\n\r\n"),
    Cut("GET /midreset HTTP/1.1\r\nhost: shop\r\n\r\n"),
    Cut("GET /stallbody HTTP/1.1\r\nhost: shop\r\n\r\n"),
    Left("GET /stall HTTP/1.1\r\nhost: shop\r\n\r\n", false),
    Left("GET /stallbody HTTP/1.1\r\nhost: shop\r\n\r\n", true),
    Left("POST /ok HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhe", false),
];

impl Way {
    /// Makes the request; what becomes of the client, and how many requests it was.
    fn go(&self, mut client: Client, odd: bool) -> (Option<Client>, u64) {
        match self {
            Answered(request, status) => {
                let to_head = request.starts_with("HEAD");
                let answer = client.send(request).try_response(to_head).expect("an answer");
                assert_eq!(answer.status(), *status, "{request:?}: {}", answer.text());
                assert!(answer.whole, "{request:?}: {answer:?}");
                let closes = answer.field("connection") == Some("close");
                ((!closes).then_some(client), 1)
            }
            Cut(request) => {
                // Where not even the head had gone out, it could be answered still.
                let answer = client.send(request).try_response(false).expect("an answer");
                assert!(!answer.whole || answer.status() >= 500, "{request:?}: {answer:?}");
                (None, 1)
            }
            Left(request, after_head) => {
                client.send(request);
                if *after_head {
                    client.wire.head().expect("a head");
                }
                if odd {
                    client.wire.reset();
                }
                (None, 1)
            }
            Twice(requests) => {
                client.send(requests);
                for _ in 0..2 {
                    assert_eq!(client.response().status(), 200);
                }
                (Some(client), 2)
            }
        }
    }
}

/// Makes requests until there are enough; how many they were.
fn load(rig: &Rig, done: &AtomicU64, wanted: u64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut client = None;
    while done.load(SeqCst) < wanted {
        let ways = if random.u8(0..3) == 0 { BAD } else { GOOD };
        let way = &ways[random.usize(0..ways.len())];
        // One that leaves early may be gone before its request has been seen, so it waits a little.
        let connection = client.take().unwrap_or_else(|| rig.client());
        let before = done.load(SeqCst);
        let (rest, count) = way.go(connection, random.bool());
        client = rest;
        done.fetch_add(count, SeqCst);
        assert!(done.load(SeqCst) > before);
    }
}

/// What the process holds: its descriptors by what they are, and its threads by their names.
fn held() -> BTreeMap<String, usize> {
    let list = |path| std::fs::read_dir(path).expect("the system says").flatten();
    let descriptors = list("/proc/self/fd").filter_map(|entry| {
        let what = std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        // Sockets and pipes have numbers of their own.
        Some(what.split(':').next().unwrap_or_default().to_owned())
    });
    let threads = list("/proc/self/task")
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    let mut held = BTreeMap::new();
    for what in descriptors.chain(threads) {
        *held.entry(what.trim().to_owned()).or_default() += 1;
    }
    held
}

fn run() {
    let (name, by_default) = REQUESTS;
    let wanted = std::env::var(name).map_or(by_default, |text| text.parse().expect("a number"));
    let service = Service::start(serve);
    let plain = Service::start(|with| {
        with.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        with.hold();
    });
    let mut rig = Rig::with(service.address, |settings, routing| {
        configure(settings, routing, plain.address);
    });
    let make = |wanted| {
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for seed in 0..CLIENTS {
                let (rig, done) = (&rig, &done);
                scope.spawn(move || load(rig, done, wanted, seed));
            }
        });
        rig.settle();
        wait_for("the service's connections to be closed", || service.open() + plain.open() == 0);
        wait_for("the pools to be empty", || {
            let pools = |line: &&str| line.starts_with("rearguard_pool_connections");
            rig.metrics().lines().filter(pools).all(|line| line.ends_with(" 0"))
        });
        done.into_inner()
    };
    // Everything has been used once by then, and every thread has begun.
    let first = make(500);
    let mut before = BTreeMap::new();
    while before != held() {
        before = held();
        std::thread::sleep(ms(200));
    }
    let done = first + make(wanted);
    let waited = Instant::now();
    while held() != before {
        assert!(waited.elapsed() < PATIENCE, "before {before:#?}, after {:#?}", held());
        std::thread::sleep(ms(5));
    }
    let counts = rig.handle.counts();
    let counted: u64 = counts.iter().map(|count| count.requests).sum();
    let failed: u64 =
        counts.iter().filter(|count| count.cause.is_some()).map(|count| count.requests).sum();
    // A client that resets its connection may take its request with it, unseen.
    assert!(counted <= done && counted > done * 97 / 100, "{counted} of {done} requests");
    assert!((done / 4..done / 2).contains(&failed), "{failed} of {done} failed");
    assert_eq!(rig.handle.failures(0, usize::MAX).len(), 16);
    assert_eq!(rig.metric("rearguard_cleanup_panics_total"), Some(0));
    let dropped = rig.metric("rearguard_access_log_dropped_total").expect("it is counted");
    assert_eq!(rig.log().len() as u64 + u64::try_from(dropped).expect("a count"), counted);
}
