//! The gateway in front of a Go `net/http` service: what panics, defers and timeouts of such a
//! service look like from outside, with and without the middleware of `examples/go`.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::go_command::go_command;
use crate::support::{Answer, Gateway, Server, file, scratch, wait_for};

/// The sample service of `examples/go`, built once.
fn sample() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/go"), "go-sample")
    })
}

/// Builds the Go program of a folder.
pub(crate) fn build(folder: &Path, name: &str) -> PathBuf {
    let program = scratch(name);
    let built = go_command()
        .current_dir(folder)
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .output()
        .expect("the Go command starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{} does not build: {said}", folder.display());
    program
}

/// A running sample service.
struct Service {
    _server: Server,
    address: SocketAddr,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let server =
            Server::start(Command::new(sample()).args(["-listen", "127.0.0.1:0"]).args(arguments));
        let address = server.first_line.strip_prefix("listening on http://").unwrap();
        let address = address.parse().unwrap();
        Self { _server: server, address }
    }
}

const ROUTE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: go
spec:
  hosts: [\"*\"]
  http:
  - name: go
    timeout: 2s
    route:
    - destination:
        host: go-service
";

/// A gateway with a route of 2 s to the service, whose endpoint the command line names.
fn in_front_of(service: &Service, name: &str) -> Gateway {
    let route = file(&format!("{name}.yaml"), ROUTE);
    let upstream = format!("go-service=http://{}", service.address);
    Gateway::up(&[route.to_str().unwrap(), "--upstream", &upstream, "--access-log", "off"])
}

/// A gateway with the same route to a service that promises something about its timeouts.
fn in_front_of_declared(service: &Service, promise: &str, name: &str) -> Gateway {
    let entry = format!(
        "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: go-service
  annotations:
    rearguard.dev/{promise}
spec:
  hosts: [go-service]
  resolution: STATIC
  ports:
  - number: 80
    name: http
    protocol: HTTP
  endpoints:
  - address: {}
    ports:
      http: {}
---
{ROUTE}",
        service.address.ip(),
        service.address.port()
    );
    let entry = file(&format!("{name}.yaml"), &entry);
    Gateway::up(&[entry.to_str().unwrap(), "--access-log", "off"])
}

/// What a failed request must look like, to its client and among the failures.
struct Row {
    path: &'static str,
    status: u16,
    /// The RFC 9209 type in `Proxy-Status`; `None`: the status had gone before it went wrong.
    error: Option<&'static str>,
    cause: &'static str,
    outcome: &'static str,
}

fn check(gateway: &Gateway, row: &Row) -> (Answer, Value) {
    let Row { path, status, error, cause, outcome } = *row;
    let answer = gateway.get(path);
    let failure = gateway.failure(path);
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    assert_eq!(failure["cause"], cause, "{path}: {failure:#}");
    assert_eq!(failure["outcome"], outcome, "{path}: {failure:#}");
    assert_eq!(failure["status"], status, "{path}: {failure:#}");
    assert_eq!(failure["service"], "go-service", "{path}: {failure:#}");
    if let Some(error) = error {
        let expected = format!("rearguard; error={error}; details=\"{cause}\"");
        assert_eq!(answer.field("proxy-status"), Some(expected.as_str()), "{path}");
    }
    (answer, failure)
}

const fn closed_before_response(path: &'static str) -> Row {
    Row {
        path,
        status: 502,
        error: Some("connection_terminated"),
        cause: "upstream.closed_before_response",
        outcome: "failed",
    }
}

fn milliseconds(failure: &Value, name: &str) -> f64 {
    failure[name].as_f64().unwrap_or_else(|| panic!("no {name} in {failure:#}"))
}

#[test]
fn a_panic_in_a_handler_or_in_its_defer_closes_without_a_status_line() {
    let service = Service::start(&[]);
    let gateway = in_front_of(&service, "panic");
    for path in ["/panic", "/panic-in-defer"] {
        let (_, failure) = check(&gateway, &closed_before_response(path));
        assert_eq!(failure["connection"], "fresh", "{failure:#}");
    }
}

#[test]
fn a_defer_longer_than_the_routes_timeout_is_a_504() {
    let service = Service::start(&[]);
    let gateway = in_front_of(&service, "slow-defer");
    let (_, failure) = check(
        &gateway,
        &Row {
            path: "/cleanup?for=3s",
            status: 504,
            error: Some("http_response_timeout"),
            cause: "upstream.response_timed_out",
            outcome: "timed_out",
        },
    );
    assert!(milliseconds(&failure, "total_ms") >= 2000.0, "{failure:#}");
}

#[test]
fn the_write_timeout_is_told_from_a_panic_by_the_time_to_close() {
    let service = Service::start(&["-write-timeout", "1s"]);
    let gateway = in_front_of_declared(&service, "write-timeout: 1s", "write-timeout");
    let (_, panicked) = check(&gateway, &closed_before_response("/panic"));
    let (_, too_late) = check(&gateway, &closed_before_response("/cleanup?for=1500ms"));
    assert!(milliseconds(&panicked, "upstream_ms") < 1000.0, "{panicked:#}");
    assert!(milliseconds(&too_late, "upstream_ms") >= 1500.0, "{too_late:#}");
    let detail = |failure: &Value| failure["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail(&too_late).contains("write timeout"), "{too_late:#}");
    assert_ne!(detail(&panicked), detail(&too_late));
}

#[test]
fn a_panic_after_the_first_flush_cuts_a_200_short() {
    let service = Service::start(&[]);
    let gateway = in_front_of(&service, "flush");
    let (answer, _) = check(
        &gateway,
        &Row {
            path: "/panic-after-flush",
            status: 200,
            error: None,
            cause: "upstream.closed_mid_response",
            outcome: "failed",
        },
    );
    assert_eq!((answer.text().as_str(), answer.complete), ("the first half\n", false));
}

#[test]
fn a_recover_that_only_logs_is_a_good_empty_answer() {
    let service = Service::start(&[]);
    let gateway = in_front_of(&service, "recover");
    let answer = gateway.get("/recover-and-log");
    assert_eq!((answer.status, answer.text().as_str(), answer.complete), (200, "", true));
    // A failure after it is there, so it would be there too.
    gateway.get("/panic");
    gateway.failure("/panic");
    assert_eq!(gateway.failures().len(), 1);
}

#[test]
fn a_service_killed_in_mid_request_has_closed_or_reset() {
    let service = Service::start(&[]);
    let gateway = in_front_of(&service, "kill");
    let answer = gateway.get("/kill-9");
    let failure = gateway.failure("/kill-9");
    assert_eq!(answer.status, 502, "{answer:?}");
    let cause = failure["cause"].as_str().unwrap();
    assert!(["upstream.closed_before_response", "upstream.reset"].contains(&cause), "{failure:#}");
    // The system closes what the process had open one after the other.
    wait_for("the end of the service", || TcpStream::connect(service.address).err());
    let (_, after) = check(
        &gateway,
        &Row {
            path: "/ok",
            status: 502,
            error: Some("connection_refused"),
            cause: "upstream.connect_refused",
            outcome: "failed",
        },
    );
    assert_eq!(after["envoy_flag"], "UF", "{after:#}");
}

#[test]
fn with_the_middleware_a_panic_is_reported_as_one() {
    let service = Service::start(&["-report"]);
    let gateway = in_front_of(&service, "reported");
    for (path, status) in [("/panic", 500), ("/panic-in-defer", 500), ("/panic-after-flush", 200)] {
        let (answer, failure) = check(
            &gateway,
            &Row { path, status, error: None, cause: "upstream.panicked", outcome: "panicked" },
        );
        assert!(milliseconds(&failure, "work_ms") >= 0.0, "{failure:#}");
        assert!(milliseconds(&failure, "cleanup_ms") >= 0.0, "{failure:#}");
        assert_eq!(answer.field("rearguard-outcome"), None, "{path}: it is not for clients");
    }
    let error = Row {
        path: "/error",
        status: 500,
        error: None,
        cause: "upstream.failed",
        outcome: "failed",
    };
    check(&gateway, &error);
}

#[test]
fn with_the_middleware_an_answer_that_only_cleanup_made_late_says_so() {
    let service = Service::start(&["-report"]);
    let gateway = in_front_of_declared(&service, "handler-deadline: 200ms", "overran");
    let (answer, failure) = check(
        &gateway,
        &Row {
            path: "/cleanup?for=500ms",
            status: 200,
            error: None,
            cause: "upstream.cleanup_overran",
            outcome: "timed_out",
        },
    );
    assert_eq!(answer.text(), "fine\n");
    assert!(milliseconds(&failure, "work_ms") < 200.0, "{failure:#}");
    assert!(milliseconds(&failure, "cleanup_ms") >= 500.0, "{failure:#}");
}

#[test]
fn with_the_middleware_work_and_cleanup_are_told_apart_in_headers_and_in_trailers() {
    let service = Service::start(&["-report"]);
    let log = scratch("cleanup.log");
    fs::write(&log, "").unwrap();
    let route = file("cleanup.yaml", ROUTE);
    let upstream = format!("go-service=http://{}", service.address);
    let log_path = log.to_str().unwrap();
    let gateway =
        Gateway::up(&[route.to_str().unwrap(), "--upstream", &upstream, "--access-log", log_path]);
    for path in ["/cleanup?for=300ms", "/cleanup-after-flush?for=300ms"] {
        assert_eq!(gateway.get(path).status, 200, "{path}");
        let record = wait_for(&format!("{path} in the access log"), || {
            let text = fs::read_to_string(&log).unwrap();
            text.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|record| record["path"] == path)
        });
        assert_eq!(record["outcome"], "succeeded", "{record:#}");
        assert!(milliseconds(&record, "cleanup_ms") >= 300.0, "{record:#}");
        assert!(milliseconds(&record, "work_ms") < 300.0, "{record:#}");
    }
}
