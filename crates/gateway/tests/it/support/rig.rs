//! A gateway in front of a service, and what is checked about a request that it did not serve well.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use config::routing::{
    Action, Destination, Endpoint, HeaderRules, HostPattern, Promises, Rewrite, Route, Routing,
    Service as ServiceEntry, ServicePort, TrafficPolicy, UpstreamProtocol, VirtualHost,
};
use gateway::{AccessLog, Gateway, Handle, Settings};
use serde_json::Value;

use super::{Client, Message, wait_for};

/// A gateway that a test runs, with an access log of its own.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) gateway: Option<Gateway>,
    pub(crate) handle: Handle,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

/// The service named `svc`, at these addresses.
pub(crate) fn service_at(name: &str, addresses: &[SocketAddr]) -> ServiceEntry {
    let endpoint = |address: &SocketAddr| Endpoint {
        host: address.ip().to_string(),
        ports: BTreeMap::from([("http".to_owned(), address.port())]),
        labels: BTreeMap::new(),
    };
    ServiceEntry {
        name: name.into(),
        ports: vec![ServicePort {
            number: 80,
            name: "http".to_owned(),
            protocol: UpstreamProtocol::Http1,
        }],
        endpoints: addresses.iter().map(endpoint).collect(),
        subsets: Vec::new(),
        policy: TrafficPolicy::default(),
        promises: Promises::default(),
    }
}

pub(crate) fn destination(service: &str) -> Destination {
    Destination {
        service: service.into(),
        subset: None,
        port: None,
        weight: 1,
        headers: HeaderRules::default(),
    }
}

/// A route for everything.
pub(crate) fn route(name: &str, action: Action) -> Route {
    Route {
        name: name.into(),
        matches: Vec::new(),
        action,
        timeout: None,
        rewrite: Rewrite::default(),
        headers: HeaderRules::default(),
    }
}

/// Routes for every host.
pub(crate) fn virtual_host(routes: Vec<Route>) -> VirtualHost {
    VirtualHost {
        name: "shop".to_owned(),
        hosts: vec![HostPattern::Any],
        gateways: Vec::new(),
        routes,
    }
}

impl Rig {
    /// Everything goes to the service at this address.
    pub(crate) fn to(service: SocketAddr) -> Self {
        Self::with(service, |_, _| {})
    }

    /// The same, changed.
    pub(crate) fn with(
        service: SocketAddr,
        change: impl FnOnce(&mut Settings, &mut Routing),
    ) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("rearguard-it-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let log = std::env::temp_dir().join(name);
        let mut settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            workers: 1,
            access_log: AccessLog::File(log.clone()),
            ..Settings::default()
        };
        let mut routing = Routing {
            listeners: Vec::new(),
            services: vec![service_at("svc", &[service])],
            virtual_hosts: vec![virtual_host(vec![route(
                "all",
                Action::Forward(vec![destination("svc")]),
            )])],
        };
        change(&mut settings, &mut routing);
        let gateway = Gateway::start(settings, &routing).expect("the gateway starts");
        let (handle, address) = (gateway.handle(), gateway.addresses()[0]);
        Self { gateway: Some(gateway), handle, address, log }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends bytes on a connection of their own and returns the answer; the client leaves then.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.client().send(request).response()
    }

    pub(crate) fn get(&self, path: &str) -> Message {
        self.client().get(path)
    }

    /// Every metric.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        self.handle.write_metrics(&mut text);
        text
    }

    /// The value of a metric, its labels included in the name.
    pub(crate) fn metric(&self, name: &str) -> Option<i64> {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    /// A gauge of the pool of `svc`.
    pub(crate) fn pool(&self, state: &str) -> i64 {
        let name =
            format!("rearguard_pool_connections{{service=\"svc\",subset=\"\",state=\"{state}\"}}");
        self.metric(&name).expect("the pool has gauges")
    }

    /// Waits until no client, request or place is taken any more.
    pub(crate) fn settle(&self) {
        let zero = |line: &str| line.ends_with(" 0");
        let gauges =
            ["rearguard_client_connections ", "rearguard_requests ", "rearguard_pool_waiting"];
        wait_for("the gauges to go back to zero", || {
            self.metrics().lines().all(|line| {
                let gauge = gauges.iter().any(|gauge| line.starts_with(gauge))
                    || (line.starts_with("rearguard_pool_connections")
                        && line.contains("state=\"active\""));
                !gauge || zero(line)
            })
        });
    }

    /// Waits for as many failures, and returns them, newest first.
    pub(crate) fn failures(&self, count: usize) -> Vec<Arc<model::RequestRecord>> {
        wait_for("the failures", || self.handle.failures(0, usize::MAX).len() >= count);
        let failures = self.handle.failures(0, usize::MAX);
        assert_eq!(failures.len(), count, "{failures:#?}");
        failures
    }

    /// Stops it, and returns the lines of its access log.
    pub(crate) fn log(&mut self) -> Vec<Value> {
        self.gateway = None;
        let text = std::fs::read_to_string(&self.log).expect("there is a log");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.gateway = None;
        std::fs::remove_file(&self.log).unwrap_or_default();
    }
}

/// What is to be known about a request that was not served well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    pub(crate) cause: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) status: u16,
    /// The error type of RFC 9209, where `Proxy-Status` has one.
    pub(crate) error: Option<&'static str>,
    /// Envoy's flag.
    pub(crate) flag: Option<&'static str>,
    /// Whether a route was found, so that the request is counted as the service's.
    pub(crate) routed: bool,
}

impl Expect {
    pub(crate) const fn new(cause: &'static str, outcome: &'static str, status: u16) -> Self {
        Self { cause, outcome, status, error: None, flag: None, routed: true }
    }

    pub(crate) const fn error(self, error: &'static str) -> Self {
        Self { error: Some(error), ..self }
    }

    pub(crate) const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    pub(crate) const fn unrouted(self) -> Self {
        Self { routed: false, ..self }
    }
}

impl Rig {
    /// Checks an answer that the gateway made: its status, its fields, its body.
    pub(crate) fn check_answer(&self, answer: &Message, expect: Expect) {
        let Expect { cause, status, error, .. } = expect;
        assert_eq!(answer.status(), status, "{answer:?}");
        let error = error.map_or(String::new(), |error| format!(" error={error};"));
        let proxy_status = format!("rearguard;{error} details=\"{cause}\"");
        assert_eq!(answer.field("proxy-status"), Some(proxy_status.as_str()));
        assert!(answer.whole, "{answer:?}");
        let trace = self.failures(1)[0].trace_id.to_string();
        assert_eq!(answer.field("x-request-id"), Some(trace.as_str()));
        let text = answer.text();
        assert!(text.starts_with(&format!("{status} {cause}\n")), "{text}");
        assert!(text.contains(&format!("trace id: {trace}\n")), "{text}");
    }

    /// Checks that the one request that failed is counted, kept and logged as expected, and that
    /// nothing of it is left. The client must have gone. Returns the log's line.
    pub(crate) fn check(mut self, expect: Expect) -> Value {
        let Expect { cause, outcome, status, flag, routed, .. } = expect;
        let record = &self.failures(1)[0];
        assert_eq!(record.cause.map(|cause| cause.code()), Some(cause), "{record:?}");
        assert_eq!(record.outcome.as_str(), outcome, "{record:?}");
        assert_eq!(record.status, status, "{record:?}");
        let (service, route) = if routed { ("svc", "all") } else { ("", "") };
        let metric = format!(
            "rearguard_requests_total{{service=\"{service}\",route=\"{route}\",subset=\"\",\
             outcome=\"{outcome}\",cause=\"{cause}\"}}"
        );
        assert_eq!(self.metric(&metric), Some(1), "{metric} in {}", self.metrics());
        self.settle();
        let failed: Vec<Value> =
            self.log().into_iter().filter(|line| line.get("cause").is_some()).collect();
        let [line] = failed.as_slice() else { panic!("one failed request, not {failed:#?}") };
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        assert_eq!(text("cause"), Some(cause), "{line}");
        assert_eq!(text("outcome"), Some(outcome), "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(text("envoy_flag"), flag, "{line}");
        assert_eq!(text("service"), Some(service), "{line}");
        assert_eq!(text("trace_id"), Some(record.trace_id.to_string().as_str()), "{line}");
        assert!(text("detail").is_some_and(|detail| !detail.is_empty()), "{line}");
        line.clone()
    }

    /// Asks, and checks the answer and everything else about it.
    pub(crate) fn check_ask(self, request: impl AsRef<[u8]>, expect: Expect) -> Value {
        let answer = self.ask(request);
        self.check_answer(&answer, expect);
        self.check(expect)
    }
}
