//! Which path answers what, the check of `Host`, and the headers that every answer carries.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use maud::Markup;
use model::{Cause, JsonObject};

use super::{
    Observed, assets, failures, help, history::History, objectives, page, query, summary::Summary,
};

/// Everything is said once here; the page itself needs no more than this.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const JSON: &str = "application/json";

/// The version of Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the handlers share.
pub(super) struct App {
    pub(super) observed: Arc<dyn Observed>,
    history: Mutex<History>,
    started: Instant,
    /// The second at which `started` was.
    first_second: u64,
}

type Shared = State<Arc<App>>;
type Parameters = Query<Vec<(String, String)>>;

impl App {
    pub(super) fn new(observed: Arc<dyn Observed>) -> Self {
        let app = Self::resumed(observed, History::default(), 0);
        app.sample();
        app
    }

    /// With a history that reaches to `first_second`.
    pub(super) fn resumed(
        observed: Arc<dyn Observed>,
        history: History,
        first_second: u64,
    ) -> Self {
        Self { observed, history: Mutex::new(history), started: Instant::now(), first_second }
    }

    fn second(&self) -> u64 {
        self.first_second + self.started.elapsed().as_secs()
    }

    /// Takes the gateway's counters into the history; to be called once a second.
    pub(super) fn sample(&self) {
        self.record(self.second());
    }

    pub(super) fn record(&self, second: u64) {
        let counts = self.observed.counts();
        self.history().record(second, &counts);
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // The history is whole between any two statements, so a panic elsewhere does not spoil it.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn summary(&self) -> Summary {
        Summary::new(&self.history(), self.second())
    }
}

/// The time of day in microseconds since the Unix epoch.
pub(super) fn now_unix_micros() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(first_page))
        .route("/live", get(live))
        .route("/assets/{name}", get(asset))
        .route("/causes", get(causes))
        .route("/causes/{code}", get(cause))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/failures", get(latest_failures))
        .route("/api/v1/summary", get(summary))
        .route("/slo", get(slo_page))
        .route("/api/v1/slo", get(slo))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(guard))
        .with_state(app)
}

/// Refuses names that are not ours, and adds the headers that every answer carries.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match foreign_host(request.uri(), request.headers()) {
        Some(host) => error(
            StatusCode::MISDIRECTED_REQUEST,
            request.uri(),
            &format!(
                "found the host {host:?}, expected localhost or an IP address, such as \
                 http://127.0.0.1:9900/; other names are refused because a web site could point \
                 its own name here"
            ),
        ),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The host that a request names, where it is neither loopback's name nor an IP address.
///
/// This is the guard against DNS rebinding: a page from `evil.example` whose name is made to
/// resolve to this address still sends its own name. Without a Host (HTTP/1.0) no browser is
/// speaking, and nothing is refused.
fn foreign_host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let from_target = uri.authority().map(Authority::as_str);
    let from_headers = headers.get_all(header::HOST).iter();
    let from_headers = from_headers.map(|host| host.to_str().unwrap_or("?"));
    from_target.into_iter().chain(from_headers).find(|host| !is_own(host)).map(str::to_owned)
}

fn is_own(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let named_user = authority.as_str().contains('@');
    let loopback = name == "localhost" || name.ends_with(".localhost");
    !named_user && (loopback || address.parse::<IpAddr>().is_ok())
}

/// An error in JSON under `/api`, else in plain text.
fn error(status: StatusCode, uri: &Uri, message: &str) -> Response {
    if !uri.path().starts_with("/api") {
        return (status, format!("{message}\n")).into_response();
    }
    let mut body = String::new();
    {
        let mut object = JsonObject::new(&mut body);
        object.integer("status", u64::from(status.as_u16()));
        object.string("error", message);
    }
    body.push('\n');
    json(status, body)
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

fn html(markup: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}

async fn not_found(uri: Uri) -> Response {
    let message = format!(
        "found {:?}, expected /, /slo, /metrics, /healthz, /readyz, /causes, /api/v1/failures, \
         /api/v1/summary or /api/v1/slo",
        uri.path()
    );
    error(StatusCode::NOT_FOUND, &uri, &message)
}

async fn method_not_allowed(request: Request) -> Response {
    let message = format!("found the method {}, expected GET or HEAD", request.method());
    error(StatusCode::METHOD_NOT_ALLOWED, request.uri(), &message)
}

async fn first_page(State(app): Shared, Query(parameters): Parameters) -> Response {
    html(page::document(&app.view(query::page_filter(&parameters))))
}

/// What changes on the first page, which its script asks for again and again.
async fn live(State(app): Shared, Query(parameters): Parameters) -> Response {
    html(page::live(&app.view(query::page_filter(&parameters))))
}

async fn asset(Path(name): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    match assets::response(&name, &headers) {
        Some(response) => response,
        None => not_found(uri).await,
    }
}

async fn causes() -> Response {
    html(page::cause_index())
}

async fn cause(Path(code): Path<String>, uri: Uri) -> Response {
    match code.parse::<Cause>() {
        Ok(cause) => html(page::cause_page(cause, &help::render(crate::explain::page(cause)))),
        Err(expected) => {
            let message = format!("found the cause {code:?}, {expected}; /causes lists them all");
            error(StatusCode::NOT_FOUND, &uri, &message)
        }
    }
}

async fn metrics(State(app): Shared) -> Response {
    let mut text = String::new();
    app.observed.metrics(&mut text);
    let standing = app.observed.objectives();
    if !standing.objectives.is_empty() {
        objectives::metrics(&standing, &mut text);
    }
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(app): Shared) -> Response {
    match app.observed.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
        }
    }
}

async fn latest_failures(
    State(app): Shared,
    uri: Uri,
    parameters: Result<Parameters, axum::extract::rejection::QueryRejection>,
) -> Response {
    let asked = parameters
        .map_err(|rejection| rejection.body_text())
        .and_then(|Query(pairs)| query::failure_query(&pairs, now_unix_micros()));
    match asked {
        Ok(query) => {
            let found = failures::find(app.observed.as_ref(), &query);
            json(StatusCode::OK, failures::to_json(app.observed.as_ref(), &found))
        }
        Err(message) => error(StatusCode::BAD_REQUEST, &uri, &message),
    }
}

async fn summary(State(app): Shared, uri: Uri) -> Response {
    match serde_json::to_string(&app.summary()) {
        Ok(body) => json(StatusCode::OK, body + "\n"),
        Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, &uri, &reason.to_string()),
    }
}

async fn slo_page(State(app): Shared) -> Response {
    html(page::objectives(&app.observed.objectives()))
}

async fn slo(State(app): Shared) -> Response {
    let value = objectives::to_json(&app.observed.objectives());
    json(StatusCode::OK, format!("{value}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_and_addresses_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST:9900",
            "localhost.:9900",
            "shop.localhost:9900",
            "127.0.0.1:9900",
            "10.1.2.3",
            "[::1]:9900",
            "[2001:db8::1]",
        ] {
            assert!(is_own(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9900",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "user@localhost",
            "evil.example@127.0.0.1",
            "127.0.0.1, evil.example",
            "a b",
        ] {
            assert!(!is_own(host), "{host}");
        }
    }
}
