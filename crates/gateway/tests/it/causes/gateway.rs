//! Causes that name the gateway.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use config::routing::{HostPattern, Routing};
use gateway::Settings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{
    Client, Conversation, Expect, Message, Rig, Service, in_own_process, is_own_process, ms,
    service_at, wait_for,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";

const fn failed(cause: &'static str, status: u16, error: &'static str) -> Expect {
    Expect::new(cause, "failed", status).error(error)
}

#[test]
fn no_route() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |_, routing| {
        routing.virtual_hosts[0].hosts = vec![HostPattern::Exact("other".to_owned())];
    });
    let expect = failed("gateway.no_route", 404, "destination_not_found").flag("NR").unrouted();
    rig.check_ask(GET, expect);
    assert_eq!(service.connections(), 0);
}

#[test]
fn no_upstream() {
    let change: [fn(&mut Routing); 3] = [
        |routing| routing.services.clear(),
        |routing| routing.services[0].endpoints.clear(),
        |routing| routing.services[0].ports.clear(),
    ];
    for change in change {
        let rig = Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| change(routing));
        rig.check_ask(GET, failed("gateway.no_upstream", 503, "destination_not_found").flag("NC"));
    }
}

/// The gateway's name in `Via`, as a service sees it.
fn pseudonym(request: &Message) -> String {
    let via = request.field("via").expect("Via is added");
    via.strip_prefix("1.1 ").expect("a version").to_owned()
}

#[test]
fn a_request_that_has_been_through_this_gateway() {
    for prefix in ["", "1.0 fred, ", "1.1 other (comment, with a comma),"] {
        let service = Service::ok();
        let rig = Rig::to(service.address);
        assert_eq!(rig.get("/").status(), 200);
        let via = format!("{prefix}1.1 {}", pseudonym(&service.requests()[0]));
        let request = format!("GET / HTTP/1.1\r\nhost: shop\r\nvia: {via}\r\n\r\n");
        let expect = failed("gateway.loop_detected", 508, "proxy_loop_detected").unrouted();
        rig.check_ask(request, expect);
        assert_eq!(service.requests().len(), 1);
    }
}

#[test]
fn a_route_back_to_the_gateway_ends_after_one_round() {
    let mut routes = None;
    let rig = Rig::with(([127, 0, 0, 1], 9).into(), |_, routing| routes = Some(routing.clone()));
    let mut routes = routes.expect("a routing");
    routes.services[0] = service_at("svc", &[rig.address]);
    // Its connections to itself are clients' connections too, for as long as they are kept.
    routes.services[0].policy.idle_timeout = Some(ms(50));
    rig.gateway.as_ref().expect("it runs").reload(&routes).expect("it is good");
    wait_for("the new configuration", || rig.get("/").status() == 508);
    let causes = || {
        let failures = rig.handle.failures(0, 99);
        let codes = failures.iter().filter_map(|failure| Some(failure.cause?.code()));
        codes.map(str::to_owned).collect::<Vec<_>>()
    };
    // The outer request, then the inner one that was refused.
    wait_for("both records", || {
        causes().starts_with(&["upstream.failed".to_owned(), "gateway.loop_detected".to_owned()])
    });
    rig.settle();
}

/// Keeps its first request until the gateway closes the connection.
fn busy(with: &mut Conversation) {
    with.request();
    with.hold();
}

/// A gateway with one place, which is taken.
fn full(service: &Service, change: fn(&mut Settings, &mut Routing)) -> (Rig, Client) {
    let rig = Rig::with(service.address, |settings, routing| {
        routing.services[0].policy.max_connections = 1;
        change(settings, routing);
    });
    let mut first = rig.client();
    first.send("GET /first HTTP/1.1\r\nhost: shop\r\n\r\n");
    wait_for("the first to arrive", || service.requests().len() == 1);
    (rig, first)
}

/// The first request was left alone by what happened to the second; it ends with its client.
fn check_second(rig: Rig, first: Client, service: &Service, expect: Expect) {
    let answer = rig.ask(GET);
    rig.check_answer(&answer, expect);
    assert_eq!(rig.pool("active"), 1);
    assert_eq!(service.requests().len(), 1);
    drop(first);
    wait_for("the place to be free again", || rig.pool("active") == 0);
    let metric = format!(
        "rearguard_requests_total{{service=\"svc\",route=\"all\",subset=\"\",outcome=\"{}\",\
         cause=\"{}\"}}",
        expect.outcome, expect.cause
    );
    assert_eq!(rig.metric(&metric), Some(1));
    rig.settle();
    let mut rig = rig;
    let log = rig.log();
    assert_eq!(log.len(), 2, "{log:#?}");
    assert_eq!(log[0]["cause"], expect.cause);
    assert_eq!(log[0]["outcome"], expect.outcome);
    assert_eq!(log[0]["envoy_flag"], expect.flag.expect("a flag"));
    assert_eq!(log[1]["cause"], "client.disconnected");
}

#[test]
fn circuit_open() {
    let service = Service::start(busy);
    let (rig, first) =
        full(&service, |_, routing| routing.services[0].policy.max_pending_requests = 0);
    let expect = failed("gateway.circuit_open", 503, "connection_limit_reached").flag("UO");
    check_second(rig, first, &service, expect);
}

#[test]
fn queue_timed_out() {
    let service = Service::start(busy);
    let (rig, first) = full(&service, |settings, _| settings.timeouts.queue = ms(60));
    let expect = Expect::new("gateway.queue_timed_out", "timed_out", 503)
        .error("connection_limit_reached")
        .flag("UO");
    check_second(rig, first, &service, expect);
}

const OVERLOADED: Expect =
    failed("gateway.overloaded", 503, "proxy_internal_response").flag("OM").unrouted();

#[test]
fn one_connection_too_many_is_turned_away_with_the_reason() {
    let service = Service::ok();
    let rig = Rig::with(service.address, |settings, _| settings.limits.connections = 2);
    let (mut one, mut other) = (rig.client(), rig.client());
    assert_eq!((one.get("/").status(), other.get("/").status()), (200, 200));
    let mut third = rig.client();
    let answer = third.response();
    rig.check_answer(&answer, OVERLOADED);
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert!(third.is_closed());
    // Those that are there go on, and a place that becomes free can be taken.
    assert_eq!(one.get("/").status(), 200);
    drop((one, third));
    wait_for("the place to be free", || rig.metric("rearguard_client_connections") == Some(1));
    assert_eq!(rig.client().get("/").status(), 200);
    drop(other);
    assert_eq!(rig.metric("rearguard_client_connections_shed_total"), Some(1));
    rig.check(OVERLOADED);
}

/// Leaves the process no more descriptors than this; what it could have before is returned.
fn leave_descriptors(count: u64) -> Rlimit {
    let open = std::fs::read_dir("/proc/self/fd").expect("the system says").count() as u64;
    let before = getrlimit(Resource::Nofile);
    // Reading the list took one more.
    let current = Some(open - 1 + count);
    setrlimit(Resource::Nofile, Rlimit { current, ..before }).expect("it may be lowered");
    before
}

#[test]
fn out_of_descriptors_new_connections_are_turned_away_and_old_ones_go_on() {
    if is_own_process() {
        return run_out_of_descriptors();
    }
    let name =
        "causes::gateway::out_of_descriptors_new_connections_are_turned_away_and_old_ones_go_on";
    let mut child = in_own_process(name);
    let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let address = said
        .find_map(|line| line.expect("text").strip_prefix("address ")?.parse().ok())
        .expect("it says where it listens");
    let mut crowd: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    let answer = crowd.last_mut().expect("a client").response();
    assert_eq!(answer.status(), 503);
    let proxy_status = "rearguard; error=proxy_internal_response; details=\"gateway.overloaded\"";
    assert_eq!(answer.field("proxy-status"), Some(proxy_status));
    assert!(answer.text().contains("out of file descriptors"), "{}", answer.text());
    drop(crowd);
    drop(child.stdin.take());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert!(child.wait().expect("it ends").success(), "{rest:#?}");
}

fn run_out_of_descriptors() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let mut old = rig.client();
    assert_eq!(old.get("/").status(), 200);
    let before = leave_descriptors(5);
    let address = format!("\naddress {}\n", rig.address);
    std::io::stdout().write_all(address.as_bytes()).expect("it is piped");
    wait_for("the gateway to have turned somebody away", || {
        rig.metric("rearguard_client_connections_shed_total").is_some_and(|shed| shed > 0)
    });
    wait_for("the record", || !rig.handle.failures(0, 1).is_empty());
    let record = rig.handle.failures(0, 1)[0].clone();
    assert_eq!(record.cause.map(|cause| cause.code()), Some("gateway.overloaded"));
    assert_eq!((record.status, record.outcome.as_str()), (503, "failed"));
    // Who was there before is served on, over the connection that is kept.
    assert_eq!(old.get("/").status(), 200);
    // The crowd has gone once nothing more comes from the other process.
    std::io::stdin().read_to_end(&mut Vec::new()).expect("it is piped");
    wait_for("the crowd to be gone", || rig.metric("rearguard_client_connections") == Some(1));
    setrlimit(Resource::Nofile, before).expect("it may be raised again");
    assert_eq!(rig.get("/").status(), 200);
    drop(old);
    rig.settle();
}

#[test]
fn a_service_that_cannot_be_reached_for_lack_of_descriptors_is_not_blamed() {
    if is_own_process() {
        return connect_without_descriptors();
    }
    let name =
        "causes::gateway::a_service_that_cannot_be_reached_for_lack_of_descriptors_is_not_blamed";
    let output = in_own_process(name).wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn connect_without_descriptors() {
    let service = Service::ok();
    let rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send("GET / HT");
    wait_for("the client to be accepted", || rig.metric("rearguard_client_connections") == Some(1));
    let before = leave_descriptors(3);
    // Whoever holds one for a moment only must not leave one over.
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    let answer = client.send("TP/1.1\r\nhost: shop\r\n\r\n").response();
    setrlimit(Resource::Nofile, before).expect("it may be raised again");
    let expect = Expect { routed: true, ..OVERLOADED };
    rig.check_answer(&answer, expect);
    drop(client);
    rig.check(expect);
}

const DRAINING: Expect = failed("gateway.draining", 503, "destination_unavailable");

#[test]
fn what_does_not_end_in_time_while_stopping_is_answered() {
    let service = Service::start(busy);
    let mut rig = Rig::with(service.address, |settings, _| settings.timeouts.drain = ms(100));
    let (mut waiting, mut idle) = (rig.client(), rig.client());
    waiting.send(GET);
    wait_for("the request to arrive", || service.requests().len() == 1);
    wait_for("the other client", || rig.metric("rearguard_client_connections") == Some(2));
    let gateway = rig.gateway.take().expect("it runs");
    let stopping = std::thread::spawn(move || gateway.stop(|| false));
    let answer = waiting.response();
    assert!(idle.is_closed() && waiting.is_closed());
    stopping.join().expect("it stops");
    assert!(!rig.handle.is_ready());
    rig.check_answer(&answer, DRAINING);
    rig.check(DRAINING);
}

#[test]
fn an_answer_that_does_not_end_in_time_while_stopping_is_cut() {
    let service = Service::start(|with| {
        with.request();
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
        with.hold();
    });
    let mut rig = Rig::with(service.address, |settings, _| settings.timeouts.drain = ms(50));
    let mut client = rig.client();
    client.send(GET);
    let mut answer = client.wire.head().expect("a head");
    let gateway = rig.gateway.take().expect("it runs");
    gateway.stop(|| false);
    client.wire.body(&mut answer, true);
    assert_eq!((answer.text().as_str(), answer.whole), ("12345", false));
    drop(client);
    rig.check(Expect { status: 200, ..DRAINING });
}

#[test]
fn what_ends_in_time_while_stopping_is_served() {
    let service = Service::start(|with| {
        with.request();
        std::thread::sleep(ms(150));
        with.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        with.hold();
    });
    let mut rig = Rig::to(service.address);
    let mut client = rig.client();
    client.send(GET);
    wait_for("the request to arrive", || service.requests().len() == 1);
    let gateway = rig.gateway.take().expect("it runs");
    let stopping = std::thread::spawn(move || gateway.stop(|| false));
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    stopping.join().expect("it stops");
    let log = rig.log();
    assert_eq!((log.len(), &log[0]["outcome"]), (1, &"succeeded".into()));
}
