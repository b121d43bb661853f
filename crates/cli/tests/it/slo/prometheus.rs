//! A Prometheus as it is, which looks at the gateway, and which the gateway asks.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    folder, objective,
    servers::{Program, free_address},
};
use crate::support::{Gateway, file, wait_for};

/// An SLO of this indicator.
fn slo(name: &str, metric: &str, method: &str, objective: &str) -> String {
    format!(
        "---\napiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n  service: \
         payment-service\n  indicator: {{spec: {{{metric}}}}}\n  timeWindow: [{{duration: 30d}}]\n  \
         budgetingMethod: {method}\n  objectives: [{{target: 0.9, {objective}}}]\n"
    )
}

fn query(query: &str) -> String {
    format!("{{metricSource: {{metricSourceRef: prom, spec: {{query: '{query}'}}}}}}")
}

const BAD: &str =
    r#"sum(rearguard_requests_total{service="payment-service",outcome!="succeeded"})"#;
const TOTAL: &str = r#"sum(rearguard_requests_total{service="payment-service"})"#;

/// One objective of each kind, whose numbers the Prometheus at this address has.
fn objectives(address: std::net::SocketAddr) -> String {
    let mut text = format!(
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {{name: prom}}\nspec: {{type: \
         Prometheus, connectionDetails: {{url: 'http://{address}'}}}}\n"
    );
    let occurrences = "Occurrences";
    let raw =
        |kind: &str, text: &str| format!("ratioMetric: {{rawType: {kind}, raw: {}}}", query(text));
    for (name, metric, method, objective) in [
        (
            "counters",
            format!("ratioMetric: {{counter: true, bad: {}, total: {}}}", query(BAD), query(TOTAL)),
            occurrences,
            "",
        ),
        (
            "gauges",
            format!(
                "ratioMetric: {{counter: false, good: {}, total: {}}}",
                query("vector(3)"),
                query("vector(4)")
            ),
            occurrences,
            "",
        ),
        ("success", raw("success", "vector(0.75)"), occurrences, ""),
        ("failure", raw("failure", "vector(0.75)"), occurrences, ""),
        (
            "met",
            format!("thresholdMetric: {}", query(r#"up{job="gateway"}"#)),
            occurrences,
            "op: gte, value: 1",
        ),
        (
            "missed",
            format!("thresholdMetric: {}", query(r#"up{job="gateway"}"#)),
            "Timeslices",
            "op: gt, value: 1, timeSliceTarget: 1.0, timeSliceWindow: 1s",
        ),
        ("averaged", raw("failure", "vector(0.25)"), "RatioTimeslices", "timeSliceWindow: 1s"),
        ("nothing", raw("success", "no_such_metric"), occurrences, ""),
        ("no-number", raw("success", "vector(0) / 0"), occurrences, ""),
        ("infinite", raw("success", "vector(1) / 0"), occurrences, ""),
        ("per-cent", raw("success", "vector(75)"), occurrences, ""),
        (
            "of-nobody",
            format!("ratioMetric: {{counter: false, good: {0}, total: {0}}}", query("vector(0)")),
            occurrences,
            "",
        ),
        ("several", raw("success", "rearguard_slo_target_ratio"), occurrences, ""),
    ] {
        let objective = objective.to_owned();
        write!(text, "{}", slo(name, &metric, method, &objective)).unwrap();
    }
    text
}

/// Good and bad, and the share of the last 5 minutes that answers tell of.
fn counts(gateway: &Gateway, name: &str) -> (f64, f64, f64) {
    let objective = objective(gateway, name);
    let number = |value: &Value| value.as_f64().unwrap();
    let counts = &objective["counts"];
    (
        number(&counts["good"]),
        number(&counts["bad"]),
        number(&objective["burns"][0]["coverage_ratio"]),
    )
}

#[test]
fn numbers_of_every_kind_come_from_a_prometheus_that_starts_late() {
    let at = folder("slo-prometheus");
    let address = free_address();
    let path = file("slo-prometheus.yaml", &objectives(address));
    let gateway = Gateway::up(&[path.to_str().unwrap(), "--prometheus-interval", "1s"]);
    wait_for("a complaint that nobody answers", || {
        let said = gateway.complaints();
        said.contains("objective counters has no numbers").then_some(())
    });
    // Series are there once they have a number.
    gateway.get("/pay/ok");
    gateway.get("/pay/error");
    let _prometheus = Program::prometheus(address, &gateway.admin(), &at);
    wait_for("two answers", || (counts(&gateway, "counters").2 > 0.0).then_some(()));
    let (good, bad, _) = counts(&gateway, "counters");
    for _ in 0..6 {
        gateway.get("/pay/error");
    }
    for _ in 0..4 {
        gateway.get("/pay/ok");
    }
    wait_for("ten requests by way of Prometheus", || {
        let (now, failed, _) = counts(&gateway, "counters");
        (now + failed >= good + bad + 10.0).then_some(())
    });
    let (now, failed, _) = counts(&gateway, "counters");
    assert_eq!((now - good, failed - bad), (4.0, 6.0));

    for (name, share) in
        [("gauges", 0.25), ("success", 0.25), ("failure", 0.75), ("met", 0.0), ("averaged", 0.25)]
    {
        let (good, bad, coverage) = counts(&gateway, name);
        assert!(good + bad >= 1.0 && coverage > 0.0, "{name}: {good} {bad} {coverage}");
        // A part of 100,000 is carried on, and the last slice goes on.
        assert!((bad / (good + bad) - share).abs() < 1e-4, "{name}: {good} {bad}");
    }
    let (good, bad, _) = counts(&gateway, "missed");
    assert!(bad >= 1.0 && good == 0.0, "{good} {bad}");
    let objective = objective(&gateway, "gauges");
    assert_eq!(
        (&objective["counts"]["unit"], &objective["causes"]),
        (&"samples".into(), &Value::Array(vec![]))
    );

    // What is no number is missing, and a total of nothing is known to be nothing.
    for (name, says) in [
        ("nothing", "there is no such number (yet)"),
        ("no-number", "there is no such number (yet)"),
        ("infinite", "there is no such number (yet)"),
        ("per-cent", "expected a ratio from 0 to 1, found 75; of a percentage write `… / 100`"),
        ("several", "expected one: put sum(…) around it"),
    ] {
        assert_eq!(counts(&gateway, name), (0.0, 0.0, 0.0), "{name}");
        let said = gateway.complaints();
        let line = said.lines().filter(|line| line.contains(&format!("objective {name} has no")));
        assert!(line.clone().any(|line| line.contains(says)), "{says} in {said}");
    }
    let (good, bad, coverage) = counts(&gateway, "of-nobody");
    assert!((good, bad) == (0.0, 0.0) && coverage > 0.0, "{good} {bad} {coverage}");
}
