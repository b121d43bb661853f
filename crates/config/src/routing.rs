//! What a configuration says once it has been read, checked and joined: plain, owned data with
//! no trace of the text it came from. This is what the gateway serves.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

/// Everything that one gateway serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// Where to listen, from `Gateway` documents; empty: the command line's address, plain HTTP.
    pub listeners: Vec<Listener>,
    /// The services that routes name, each once.
    pub services: Vec<Service>,
    /// Routes by host, in the order in which they were read.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The `Gateway`'s name and the server's port name, for messages.
    pub name: String,
    /// The `Gateway`'s name, by which a `VirtualService` binds to it.
    pub gateway: String,
    /// The address to bind; `None`: the address given on the command line, 127.0.0.1 by default.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Which hosts it answers for.
    pub hosts: Vec<HostPattern>,
    /// TLS, where it speaks HTTPS.
    pub tls: Option<ListenerTls>,
    /// Whether it answers every plain request with a redirect to https (`tls.httpsRedirect`).
    pub https_redirect: bool,
}

/// The server's side of TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerTls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub private_key: PathBuf,
    /// PEM file with the authorities of client certificates, for mutual TLS.
    pub client_authorities: Option<PathBuf>,
}

/// A host as users write it: exact, `*.suffix`, or `*`. Always lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// `*.suffix`; holds `.suffix` with its dot.
    Suffix(String),
    /// This host, without a port.
    Exact(String),
}

/// A service: where its endpoints are and how to speak to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its host, the name by which routes and records call it.
    pub name: Arc<str>,
    /// Its ports; the first is the one used where a route names none.
    pub ports: Vec<ServicePort>,
    /// Where it runs. Empty: a request for it is `gateway.no_upstream`.
    pub endpoints: Vec<Endpoint>,
    /// Its versions.
    pub subsets: Vec<Subset>,
    /// How to speak to it.
    pub policy: TrafficPolicy,
    /// What it promises about its own timeouts.
    pub promises: Promises,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The number that routes use.
    pub number: u16,
    /// Its name, by which an endpoint maps it to its own port.
    pub name: String,
    /// What is spoken there.
    pub protocol: UpstreamProtocol,
}

/// What is spoken to a service, before TLS is considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge on plain connections, by ALPN over TLS.
    Http2,
}

/// One place where a service runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// An IP address, or a host name, which is resolved again and again.
    pub host: String,
    /// By name of the service's port, the endpoint's own port. A port that is not listed has the
    /// service port's number.
    pub ports: BTreeMap<String, u16>,
    /// What subsets select by.
    pub labels: BTreeMap<String, String>,
}

/// A version of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Subset {
    /// Its name.
    pub name: Arc<str>,
    /// An endpoint belongs to it when it has all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Its own policy, already joined with the service's.
    pub policy: TrafficPolicy,
}

/// `trafficPolicy` of a `DestinationRule`, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficPolicy {
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// Active connections, for all workers together (`tcp.maxConnections`).
    pub max_connections: u32,
    /// How long making a connection may take (`tcp.connectTimeout`).
    pub connect_timeout: Duration,
    /// Requests that may wait for a place (`http.http1MaxPendingRequests`).
    pub max_pending_requests: u32,
    /// Active HTTP/2 requests (`http.http2MaxRequests`).
    pub max_requests: u32,
    /// Requests on one connection before it is closed; 0: no limit.
    pub max_requests_per_connection: u32,
    /// How long a connection may be idle in the pool; `None`: the gateway's default, or what is
    /// learned from the service.
    pub idle_timeout: Option<Duration>,
    /// TLS towards the service.
    pub tls: Option<UpstreamTls>,
}

impl Default for TrafficPolicy {
    /// Envoy's circuit-breaker defaults (1024 each) and a connect timeout of 1 s.
    fn default() -> Self {
        Self {
            load_balancer: LoadBalancer::LeastRequest,
            max_connections: 1024,
            connect_timeout: Duration::from_secs(1),
            max_pending_requests: 1024,
            max_requests: 1024,
            max_requests_per_connection: 0,
            idle_timeout: None,
            tls: None,
        }
    }
}

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadBalancer {
    /// The one with fewer active requests of two drawn at random.
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// At random.
    Random,
}

/// TLS towards a service.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UpstreamTls {
    /// The name to ask for and to check; `None`: the service's host.
    pub server_name: Option<String>,
    /// PEM file with the authorities to trust; `None`: the system's.
    pub authorities: Option<PathBuf>,
    /// PEM file with the client certificate, for mutual TLS.
    pub client_certificate: Option<PathBuf>,
    /// PEM file with the client's private key.
    pub client_key: Option<PathBuf>,
    /// Whether the service's certificate is not checked (`insecureSkipVerify`).
    pub skip_verification: bool,
}

/// What a service promises about its own timeouts, by annotations of its `ServiceEntry`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// `rearguard.dev/write-timeout`: it closes an answer that takes longer (Go's `WriteTimeout`).
    pub write_timeout: Option<Duration>,
    /// `rearguard.dev/handler-deadline`: how long its handlers may work.
    pub handler_deadline: Option<Duration>,
    /// `rearguard.dev/keep-alive`: how long it keeps an idle connection open.
    pub keep_alive: Option<Duration>,
}

/// The routes of one or more hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualHost {
    /// The `VirtualService`'s name.
    pub name: String,
    /// Which hosts they are for.
    pub hosts: Vec<HostPattern>,
    /// The names of the `Gateway`s it is bound to; empty: every listener.
    pub gateways: Vec<String>,
    /// The routes; the first that matches is taken.
    pub routes: Vec<Route>,
}

/// One `http` entry of a `VirtualService`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name, unique within the configuration: as written, else `VIRTUALSERVICE[INDEX]`.
    pub name: Arc<str>,
    /// Alternatives; empty: every request.
    pub matches: Vec<RouteMatch>,
    /// What is done with a request.
    pub action: Action,
    /// Covers the whole response; `None`: the default that covers the time to the status line;
    /// zero: no limit (it is an error unless the service declares a limit of its own).
    pub timeout: Option<Duration>,
    /// Changes of the path and authority.
    pub rewrite: Rewrite,
    /// Changes of the headers.
    pub headers: HeaderRules,
}

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteMatch {
    /// On the path, without the query.
    pub uri: Option<StringMatch>,
    /// Whether `uri` is compared without regard to case.
    pub ignore_uri_case: bool,
    /// On the method.
    pub method: Option<StringMatch>,
    /// On the authority, without its port.
    pub authority: Option<StringMatch>,
    /// On the scheme, `http` or `https`.
    pub scheme: Option<StringMatch>,
    /// On headers, by lower-case name.
    pub headers: Vec<(String, StringMatch)>,
    /// On headers that must not match.
    pub without_headers: Vec<(String, StringMatch)>,
    /// On parameters of the query.
    pub query_params: Vec<(String, StringMatch)>,
    /// On the listener's port.
    pub port: Option<u16>,
}

/// Istio's `StringMatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StringMatch {
    /// The whole value.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// An RE2-style regular expression on the whole value; it has been compiled once to check it.
    Regex(String),
    /// Any value, but there must be one (`{}` in Istio).
    Present,
}

/// What is done with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sent to one of these, by weight.
    Forward(Vec<Destination>),
    /// Answered with a redirect.
    Redirect(Redirect),
    /// Answered by the gateway.
    DirectResponse {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// Where a share of the requests goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The service's name; it may be unknown, which the gateway answers `gateway.no_upstream`.
    pub service: Arc<str>,
    /// The subset's name.
    pub subset: Option<Arc<str>>,
    /// The service's port; `None`: its first.
    pub port: Option<u16>,
    /// Its share, relative to the others'.
    pub weight: u32,
    /// Changes of the headers, for this destination only.
    pub headers: HeaderRules,
}

/// A redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The new path; `None`: the request's.
    pub uri: Option<PathRewrite>,
    /// The new authority; `None`: the request's.
    pub authority: Option<String>,
    /// The new port.
    pub port: Option<u16>,
    /// The new scheme.
    pub scheme: Option<String>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// Changes of a request before it is sent on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The path.
    pub uri: Option<PathRewrite>,
    /// The authority.
    pub authority: Option<String>,
}

/// How a path is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// The prefix that the match named is replaced, or the whole path where it was exact or a
    /// regular expression. A match without `uri` counts as the prefix `/`.
    ReplaceMatched(String),
    /// The whole path is replaced.
    Replace(String),
    /// What the regular expression matched is replaced.
    Regex {
        /// The expression.
        pattern: String,
        /// The replacement; `\1` is the first group.
        replacement: String,
    },
}

/// `headers` of a route or a destination. Names are lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Of the request.
    pub request: HeaderChange,
    /// Of the response.
    pub response: HeaderChange,
}

/// Changes of a set of headers: first removed, then set, then added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChange {
    /// Replaced, or made where missing.
    pub set: Vec<(String, String)>,
    /// Added beside what is there.
    pub add: Vec<(String, String)>,
    /// Taken away.
    pub remove: Vec<String>,
}
