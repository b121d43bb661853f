//! The admin server as its callers see it, without a socket where none is needed.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use model::{Cause, Outcome};
use serde_json::Value;
use tower::ServiceExt;

use super::{
    fake::{Fake, failure},
    router::{App, router},
};
use crate::timeout_profile::Amendment;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn send(app: &Arc<App>, request: Request<Body>) -> Answer {
    let response = router(app.clone()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(method: Method, target: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(target);
    request.header("host", "127.0.0.1:9900").body(Body::empty()).unwrap()
}

async fn get(app: &Arc<App>, target: &str) -> Answer {
    send(app, request(Method::GET, target)).await
}

fn app(fake: &Arc<Fake>) -> Arc<App> {
    Arc::new(App::new(fake.clone()))
}

fn quiet() -> (Arc<Fake>, Arc<App>) {
    let fake = Arc::new(Fake::default());
    let app = app(&fake);
    (fake, app)
}

/// Failures at 1, 2, … seconds after the epoch, of the causes in turn.
fn with_failures(causes: &[Cause]) -> (Arc<Fake>, Arc<App>) {
    let (fake, app) = quiet();
    for (&cause, second) in causes.iter().zip(1..) {
        fake.fail(failure(cause, second * 1_000_000));
    }
    (fake, app)
}

#[tokio::test]
async fn paths_answer_with_their_status_and_type() {
    let (_fake, app) = quiet();
    for (target, status, media_type) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/?service=&cause=nonsense", 200, "text/html; charset=utf-8"),
        ("/live", 200, "text/html; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/readyz", 200, "text/plain; charset=utf-8"),
        ("/causes", 200, "text/html; charset=utf-8"),
        ("/causes/upstream.reset", 200, "text/html; charset=utf-8"),
        ("/causes/upstream.unknown", 404, "text/plain; charset=utf-8"),
        ("/assets/app.js", 200, "text/javascript; charset=utf-8"),
        ("/assets/app.css", 200, "text/css; charset=utf-8"),
        ("/assets/icon.svg", 200, "image/svg+xml"),
        ("/assets/..%2Fmod.rs", 404, "text/plain; charset=utf-8"),
        ("/nothing", 404, "text/plain; charset=utf-8"),
        ("/api/v1/failures", 200, "application/json"),
        ("/api/v1/summary", 200, "application/json"),
        ("/slo", 200, "text/html; charset=utf-8"),
        ("/api/v1/slo", 200, "application/json"),
        ("/api/v1/nothing", 404, "application/json"),
        ("/api", 404, "application/json"),
    ] {
        let answer = get(&app, target).await;
        assert_eq!(answer.status.as_u16(), status, "{target}");
        assert_eq!(answer.headers["content-type"], media_type, "{target}");
        assert!(!answer.body.is_empty(), "{target}");
    }
}

#[tokio::test]
async fn every_cause_has_a_page() {
    let (_fake, app) = quiet();
    for &cause in Cause::ALL {
        let answer = get(&app, &format!("/causes/{cause}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{cause}");
        assert!(answer.body.contains(cause.code()), "{cause}");
    }
}

#[tokio::test]
async fn head_answers_without_a_body_and_other_methods_are_refused() {
    let (_fake, app) = quiet();
    let head = send(&app, request(Method::HEAD, "/api/v1/summary")).await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let refused = send(&app, request(method.clone(), "/api/v1/failures")).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers["allow"], "GET,HEAD");
        let message = refused.json()["error"].as_str().unwrap().to_owned();
        assert!(message.contains(method.as_str()), "{message}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_no_permission_for_other_origins() {
    let (_fake, app) = quiet();
    for target in ["/", "/assets/app.js", "/api/v1/summary", "/nothing"] {
        let headers = get(&app, target).await.headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{target}");
        assert!(!policy.contains("unsafe"), "{target}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{target}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{target}");
    }
}

#[tokio::test]
async fn an_asset_that_the_browser_has_is_not_sent_again() {
    let (_fake, app) = quiet();
    let first = get(&app, "/assets/app.css").await;
    let tag = first.headers["etag"].clone();
    let mut again = request(Method::GET, "/assets/app.css");
    again.headers_mut().insert("if-none-match", tag.clone());
    let second = send(&app, again).await;
    assert_eq!((second.status, second.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(second.headers["etag"], tag);
    assert_eq!(first.headers["cache-control"], "no-cache");
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_refused() {
    let (fake, app) = quiet();
    fake.fail(failure(Cause::UpstreamReset, 1));
    for (hosts, status) in [
        (&["localhost:9900"][..], 200),
        (&["[::1]:9900"][..], 200),
        (&[][..], 200),
        (&["evil.example:9900"][..], 421),
        (&["localhost", "evil.example"][..], 421),
    ] {
        let mut asked = Request::builder().uri("/api/v1/failures");
        for host in hosts {
            asked = asked.header("host", *host);
        }
        let answer = send(&app, asked.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{hosts:?}");
        assert_eq!(answer.body.contains("upstream.reset"), status == 200, "{hosts:?}");
    }
    let absolute = request(Method::GET, "http://evil.example/api/v1/failures");
    assert_eq!(send(&app, absolute).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn readiness_follows_the_gateway_and_health_does_not() {
    let (fake, app) = quiet();
    assert_eq!(get(&app, "/readyz").await.status, StatusCode::OK);
    fake.set_not_ready("no listener is open");
    let answer = get(&app, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body, "not ready: no listener is open\n");
    assert_eq!(get(&app, "/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_what_the_gateway_writes() {
    let (_fake, app) = quiet();
    let answer = get(&app, "/metrics").await;
    assert_eq!(answer.body, "rearguard_requests_total{service=\"shop\"} 1\n");
}

#[tokio::test]
async fn a_failure_is_its_record_with_an_explanation_and_a_link() {
    let (_fake, app) = with_failures(&[Cause::UpstreamClosedBeforeResponse]);
    let answer = get(&app, "/api/v1/failures").await.json();
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1);
    let failure = &failures[0];
    for (name, expected) in [
        ("time", "1970-01-01T00:00:01.000000Z"),
        ("cause", "upstream.closed_before_response"),
        ("outcome", "failed"),
        ("envoy_flag", "UC"),
        ("service", "payment-service"),
        ("endpoint", "127.0.0.1:3000"),
        ("connection", "reused"),
        ("help", "/causes/upstream.closed_before_response"),
        (
            "explanation",
            "The service took the request and closed the connection without answering. \
             Closed 3.2 ms after the request was sent, with no byte of an answer.",
        ),
    ] {
        assert_eq!(failure[name], expected, "{name}");
    }
    assert_eq!((&failure["status"], &failure["idle_ms"]), (&502.into(), &41.into()));
}

#[tokio::test]
async fn what_a_profile_said_of_a_request_stands_with_its_failure_and_on_the_page() {
    let (fake, app) = with_failures(&[Cause::UpstreamResponseTimedOut]);
    fake.set_amendment(Amendment {
        sentence: "blocked in chan receive at pay.close (pay.go:7)".to_owned(),
        blocked_at: Some("pay.go:7".to_owned()),
        in_deferred_call: true,
        deferred_at: None,
    });
    let answer = get(&app, "/api/v1/failures").await.json();
    let expected = serde_json::json!({
        "sentence": "Blocked in chan receive at pay.close (pay.go:7).",
        "blocked_at": "pay.go:7",
        "in_deferred_call": true,
    });
    assert_eq!(answer["failures"][0]["profile"], expected);
    let page = get(&app, "/").await.body;
    assert!(page.contains("Blocked in chan receive at pay.close (pay.go:7)."), "{page}");
}

#[tokio::test]
async fn failures_are_chosen_by_number_time_service_and_cause() {
    let (fake, app) = with_failures(&[
        Cause::UpstreamReset,
        Cause::UpstreamFailed,
        Cause::UpstreamReset,
        Cause::GatewayNoRoute,
    ]);
    let mut other = failure(Cause::UpstreamReset, 5_000_000);
    other.service = "".into();
    fake.fail(other);
    for (target, expected) in [
        ("", &[5, 4, 3, 2, 1][..]),
        ("?limit=2", &[5, 4]),
        ("?since=3", &[5, 4, 3]),
        ("?since=1970-01-01T00:00:04Z", &[5, 4]),
        ("?since=5m", &[]),
        ("?cause=upstream.reset", &[5, 3, 1]),
        ("?cause=upstream.reset&limit=1&service=payment-service", &[3]),
        ("?service=", &[5]),
        ("?service=cart", &[]),
    ] {
        let answer = get(&app, &format!("/api/v1/failures{target}")).await.json();
        let seconds: Vec<_> = answer["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| failure["time"].as_str().unwrap()[17..19].parse::<u32>().unwrap())
            .collect();
        assert_eq!(seconds, expected, "{target}");
    }
}

#[tokio::test]
async fn bad_parameters_are_refused_with_what_was_found_and_expected() {
    let (_fake, app) = quiet();
    for (target, found, expected) in [
        ("?limit=0", "limit=\"0\"", "from 1 to 1000"),
        ("?limit=5000", "limit=\"5000\"", "from 1 to 1000"),
        ("?since=soon", "since=\"soon\"", "5m"),
        ("?cause=x", "cause=\"x\"", "upstream.connect_refused"),
        ("?count=5", "\"count\"", "limit, since, service or cause"),
    ] {
        let answer = get(&app, &format!("/api/v1/failures{target}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{target}");
        let body = answer.json();
        assert_eq!(body["status"], 400, "{target}");
        let message = body["error"].as_str().unwrap();
        assert!(message.contains(found) && message.contains(expected), "{target}: {message}");
    }
}

#[tokio::test]
async fn without_a_limit_fifty_failures_are_shown() {
    let (_fake, app) = with_failures(&[Cause::UpstreamReset; 60]);
    let answer = get(&app, "/api/v1/failures").await.json();
    assert_eq!(answer["failures"].as_array().unwrap().len(), 50);
    let answer = get(&app, "/api/v1/failures?limit=1000").await.json();
    assert_eq!(answer["failures"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn the_summary_counts_what_came_since_the_server_started() {
    let fake = Arc::new(Fake::default());
    fake.add("shop", Outcome::Succeeded, None, 1000);
    let app = app(&fake);
    fake.add("shop", Outcome::Succeeded, None, 30);
    fake.add("shop", Outcome::Failed, Some(Cause::UpstreamFailed), 10);
    app.record(1);
    app.record(2);
    let summary = get(&app, "/api/v1/summary").await.json();
    assert_eq!(summary["requests_total"], 1040);
    assert_eq!(summary["requests_per_second"], 20.0);
    assert_eq!(summary["failures_per_second"], 5.0);
    assert_eq!(summary["per_second"]["requests"], serde_json::json!([40.0, 0.0]));
    assert_eq!(summary["last_minute"]["failures"], 10);
    assert_eq!(summary["outcomes"][1]["outcome"], "failed");
    assert_eq!(summary["outcomes"][1]["last_minute"], 10);
    let cause = &summary["causes"][0];
    assert_eq!(
        (&cause["cause"], &cause["service"], &cause["fault"], &cause["share_ratio"]),
        (&"upstream.failed".into(), &"shop".into(), &"service".into(), &0.25.into())
    );
}

#[tokio::test]
async fn objectives_are_shown_with_what_spent_them() {
    let (fake, app) = quiet();
    fake.set_objectives(super::slo_tests::standing());
    let slo = get(&app, "/api/v1/slo").await.json();
    let one = &slo["objectives"][0];
    assert_eq!((&one["objective"], &one["target_ratio"]), (&"payments".into(), &0.999.into()));
    assert_eq!(one["counts"]["bad"], 9_000);
    assert_eq!(one["causes"][0]["cause"], "upstream.reset");
    assert_eq!(one["alerts"][0]["is_firing"], true);
    let burns = one["burns"].as_array().unwrap();
    let five_minutes = burns.iter().find(|it| it["window_ms"] == 300_000).unwrap();
    assert!((five_minutes["burn_ratio"].as_f64().unwrap() - 150.0).abs() < 1e-9);
    let remaining = one["budget"]["remaining_ratio"].as_f64().unwrap();
    assert!(remaining < 0.0, "nothing is clamped: {remaining}");
    assert_eq!(one["agreement"]["target"], "99.5 %");
    let metrics = get(&app, "/metrics").await.body;
    for line in [
        "rearguard_slo_burn_ratio{slo=\"payments\",service=\"payment-service\",window=\"5m\"} 150",
        "rearguard_slo_alert_firing{slo=\"payments\",service=\"payment-service\",\
         severity=\"page\",long_window=\"1h\",short_window=\"5m\"} 1",
        "rearguard_slo_letters_waiting 3",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn a_secret_in_a_receivers_address_is_not_shown() {
    let (fake, app) = quiet();
    fake.set_objectives(super::slo_tests::standing());
    for path in ["/slo", "/api/v1/slo"] {
        let body = get(&app, path).await.body;
        assert!(body.contains("slack at 127.0.0.1:1") && !body.contains("T0SECRET"), "{body}");
    }
}
