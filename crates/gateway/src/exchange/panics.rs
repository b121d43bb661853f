//! No request is known that makes the gateway panic, so these tests make it panic by themselves.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use config::routing::{
    Action, Destination, Endpoint, HeaderRules, HostPattern, Promises, Rewrite, Route, Routing,
    Service, ServicePort, TrafficPolicy, UpstreamProtocol, VirtualHost,
};
use model::{Cause, Outcome};

use crate::{Gateway, Handle, Settings};

/// Panics where the path asks for it.
pub(super) fn point(path: &str, wanted: &str) {
    assert_ne!(path, wanted, "asked for by the test");
}

fn routing(service: SocketAddr) -> Routing {
    let port = ServicePort {
        number: service.port(),
        name: "http".to_owned(),
        protocol: UpstreamProtocol::Http1,
    };
    let endpoint = Endpoint {
        host: service.ip().to_string(),
        ports: BTreeMap::new(),
        labels: BTreeMap::new(),
    };
    let to = Destination {
        service: "svc".into(),
        subset: None,
        port: None,
        weight: 1,
        headers: HeaderRules::default(),
    };
    Routing {
        listeners: Vec::new(),
        services: vec![Service {
            name: "svc".into(),
            ports: vec![port],
            endpoints: vec![endpoint],
            subsets: Vec::new(),
            policy: TrafficPolicy::default(),
            promises: Promises::default(),
        }],
        virtual_hosts: vec![VirtualHost {
            name: "all".to_owned(),
            hosts: vec![HostPattern::Any],
            gateways: Vec::new(),
            routes: vec![Route {
                name: "all".into(),
                matches: Vec::new(),
                action: Action::Forward(vec![to]),
                timeout: None,
                rewrite: Rewrite::default(),
                headers: HeaderRules::default(),
            }],
        }],
    }
}

/// A service that answers `hello` to every request, one connection at a time.
fn service() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut piece = [0; 4096];
            while stream.read(&mut piece).is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                if stream.write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// Everything that comes back for a request after which the connection closes.
fn ask(gateway: &Gateway, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn wait_for_metrics(handle: &Handle, lines: &[&str]) {
    let started = Instant::now();
    loop {
        let mut text = String::new();
        handle.write_metrics(&mut text);
        if lines.iter().all(|wanted| text.lines().any(|line| line == *wanted)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{lines:?} not all in {text}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const NOTHING_LEFT: [&str; 3] = [
    "rearguard_requests 0",
    "rearguard_client_connections 0",
    "rearguard_pool_connections{service=\"svc\",subset=\"\",state=\"active\"} 0",
];

fn gateway() -> Gateway {
    let settings =
        Settings { listen: ([127, 0, 0, 1], 0).into(), workers: 1, ..Settings::default() };
    Gateway::start(settings, &routing(service())).unwrap()
}

#[test]
fn a_panic_is_answered_and_counted_and_gives_its_place_back() {
    let gateway = gateway();
    let answer = ask(&gateway, "/panic-before");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(
        answer.contains(
            "proxy-status: rearguard; error=proxy_internal_error; details=\"gateway.internal\"\r\n"
        ),
        "{answer}"
    );
    wait_for_metrics(&gateway.handle(), &NOTHING_LEFT);
    wait_for_metrics(
        &gateway.handle(),
        &["rearguard_requests_total{service=\"svc\",route=\"all\",subset=\"\",\
           outcome=\"panicked\",cause=\"gateway.internal\"} 1"],
    );
    let failures = gateway.handle().failures(0, 9);
    assert_eq!((failures[0].cause, failures[0].status), (Some(Cause::GatewayInternal), 500));
    assert_eq!(failures[0].outcome, Outcome::Panicked);
    // The worker goes on.
    assert!(ask(&gateway, "/").ends_with("hello"));
}

#[test]
fn a_panic_in_the_middle_of_an_answer_cuts_it() {
    let gateway = gateway();
    let answer = ask(&gateway, "/panic-midway");
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.ends_with("hello"), "{answer}");
    wait_for_metrics(&gateway.handle(), &NOTHING_LEFT);
    let failures = gateway.handle().failures(0, 9);
    assert_eq!((failures[0].cause, failures[0].status), (Some(Cause::GatewayInternal), 200));
    assert!(ask(&gateway, "/").ends_with("hello"));
}

#[test]
fn a_panic_in_a_cleanup_is_counted_and_the_connection_goes_on() {
    let gateway = gateway();
    let mut stream = TcpStream::connect(gateway.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(
            b"GET /panic-after HTTP/1.1\r\nhost: x\r\n\r\n\
              GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("hello").count(), 2, "{answers}");
    wait_for_metrics(&gateway.handle(), &NOTHING_LEFT);
    wait_for_metrics(&gateway.handle(), &["rearguard_cleanup_panics_total 1"]);
}
