//! Metric sources, and what is counted of them.

use std::time::Duration;

use config::{LoadedObjectives, Source, load_objectives};
use model::slo::{Counted, Good, Indicator, Method, Objective, Operator, Sample, Samples};

const PROMETHEUS: &str = "\
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://127.0.0.1:9090'}}
";

/// An SLO with this indicator in line 7, and this method and objective in lines 9 and 10.
fn slo(metric: &str, method: &str, objective: &str) -> String {
    format!(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: pay}}\nspec:\n  service: pay\n  \
         indicator: {{spec:\n    {{{metric}}}}}\n  timeWindow: [{{duration: 28d}}]\n  \
         budgetingMethod: {method}\n  objectives: [{{{objective}}}]\n{PROMETHEUS}"
    )
}

fn prometheus(query: &str) -> String {
    format!("{{metricSource: {{metricSourceRef: prom, spec: {{query: '{query}'}}}}}}")
}

const REQUESTS: &str = "{metricSource: {type: rearguard}}";

fn load(text: &str) -> LoadedObjectives {
    load_objectives(&[Source::new("slo.yaml", text)], &|_| None)
}

fn one(text: &str) -> Objective {
    let loaded = load(text);
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    let [objective] = loaded.objectives.try_into().unwrap();
    objective
}

/// The first error, with its line.
fn error(text: &str) -> String {
    let loaded = load(text);
    let found = loaded.diagnostics.first().unwrap();
    let line = found.location.as_ref().map_or(0, |at| at.line);
    format!("{} line {line}: {}", found.code, found.message)
}

fn sample(metric: &str, objective: &str) -> Sample {
    match one(&slo(metric, "Occurrences", objective)).indicator {
        Indicator::Samples(Samples { server, sample }) => {
            assert_eq!(&*server, "http://127.0.0.1:9090");
            sample
        }
        other => panic!("no samples: {other:?}"),
    }
}

#[test]
fn a_raw_ratio_says_what_it_is_of() {
    let raw = |kind: &str| {
        sample(
            &format!("ratioMetric: {{rawType: {kind}, raw: {}}}", prometheus("r")),
            "target: 0.99",
        )
    };
    assert_eq!(raw("success"), Sample::Raw(Counted::Good("r".into())));
    assert_eq!(raw("failure"), Sample::Raw(Counted::Bad("r".into())));
}

#[test]
fn numbers_that_go_up_and_down_are_samples_and_counters_are_not() {
    let ratio = |counter: &str| {
        let (bad, total) = (prometheus("b"), prometheus("t"));
        format!("ratioMetric: {{{counter}bad: {bad}, total: {total}}}")
    };
    let expected = Sample::Ratio { counted: Counted::Bad("b".into()), total: "t".into() };
    assert_eq!(sample(&ratio("counter: false, "), "target: 0.99"), expected);
    for counter in ["", "counter: true, "] {
        let objective = one(&slo(&ratio(counter), "Occurrences", "target: 0.99"));
        assert!(matches!(objective.indicator, Indicator::Prometheus(_)), "{counter}");
    }
}

#[test]
fn a_threshold_is_compared_as_the_objective_says() {
    for (op, expected) in [
        ("lte", Operator::AtMost),
        ("lt", Operator::Below),
        ("gte", Operator::AtLeast),
        ("gt", Operator::Above),
    ] {
        let found = sample(
            &format!("thresholdMetric: {}", prometheus("p99")),
            &format!("op: {op}, value: 0.3, target: 0.99"),
        );
        assert_eq!(
            found,
            Sample::Threshold { query: "p99".into(), op: expected, value: 0.3 },
            "{op}"
        );
    }
}

#[test]
fn bad_requests_can_be_named_instead_of_good_ones() {
    let metric = format!("ratioMetric: {{bad: {REQUESTS}, total: {REQUESTS}}}");
    let objective = one(&slo(&metric, "Occurrences", "target: 0.99"));
    assert!(
        matches!(objective.indicator, Indicator::Requests(rule) if *rule.good() == Good::Served)
    );
}

#[test]
fn slices_are_judged_or_averaged() {
    let metric = format!("ratioMetric: {{good: {REQUESTS}, total: {REQUESTS}}}");
    let method = |method: &str, objective: &str| one(&slo(&metric, method, objective)).method;
    let width = Duration::from_secs(60);
    // OpenSLO's own example has an `op` beside a ratio.
    let found = method("RatioTimeslices", "op: gt, timeSliceWindow: 1m, target: 0.99");
    assert_eq!(found, Method::RatioTimeslices { width });
    let found = method("Timeslices", "timeSliceTarget: 1.0, timeSliceWindow: 1, target: 0.99");
    let Method::Timeslices { target, width: found } = found else { panic!("{found:?}") };
    assert_eq!((target.to_string().as_str(), found), ("99.9999999 %", width));
}

#[test]
fn what_contradicts_itself_is_refused_with_its_line_and_the_reason() {
    let ratio = format!("ratioMetric: {{good: {REQUESTS}, total: {REQUESTS}}}");
    let raw = |more: &str, source: &str| format!("ratioMetric: {{{more}raw: {source}}}");
    let (query, target) = (prometheus("q"), "target: 0.99");
    let fast = "{metricSource: {type: rearguard, spec: {latencyBelow: 300ms}}}";
    let other = "{metricSource: {type: rearguard, spec: {service: other}}}";
    for (metric, method, objective, expected) in [
        (
            raw("", &query),
            "Occurrences",
            target,
            "missing-field line 7: nothing says what this ratio is of",
        ),
        (
            raw(&format!("rawType: success, total: {query}, "), &query),
            "Occurrences",
            target,
            "two-metrics line 7: `raw` is the whole ratio, and `total` beside it is a part of one",
        ),
        (
            format!("ratioMetric: {{rawType: failure, good: {query}, total: {query}}}"),
            "Occurrences",
            target,
            "missing-field line 7: `rawType` says what `raw` means, and there is none",
        ),
        (
            raw("rawType: success, ", REQUESTS),
            "Occurrences",
            target,
            "unknown-metric line 7: the gateway counts requests, and has no ratio that was worked out before",
        ),
        (
            format!("ratioMetric: {{bad: {fast}, total: {REQUESTS}}}"),
            "Occurrences",
            target,
            "op-contradicts line 7: `latencyBelow` in `bad` says that the fast requests are the bad ones",
        ),
        (
            format!("ratioMetric: {{good: {REQUESTS}, total: {other}}}"),
            "Occurrences",
            target,
            "two-sources line 7: a ratio of the requests of two services",
        ),
        (
            format!("ratioMetric: {{good: {REQUESTS}, total: {query}}}"),
            "Occurrences",
            target,
            "two-sources line 7: a ratio of numbers from two sources",
        ),
        (
            format!("thresholdMetric: {query}"),
            "Occurrences",
            target,
            "missing-field line 7: a threshold metric needs `op` and `value`",
        ),
        (
            format!("thresholdMetric: {query}"),
            "Occurrences",
            "op: lte, value: .nan, target: 0.99",
            "missing-field line 7: a threshold metric needs `op` and `value`",
        ),
        (
            ratio.clone(),
            "RatioTimeslices",
            target,
            "missing-field line 10: an objective of slices needs `timeSliceWindow`",
        ),
        (
            ratio.clone(),
            "RatioTimeslices",
            "target: 0.99, timeSliceWindow: 1m, timeSliceTarget: 0.9",
            "method-contradicts line 10: `RatioTimeslices` averages slices, and no slice has a target of its own",
        ),
        (
            ratio,
            "Occurrences",
            "target: 0.99, timeSliceWindow: 1m",
            "method-contradicts line 10: `timeSliceWindow`, and no slices are counted",
        ),
    ] {
        let text = slo(&metric, method, objective);
        assert_eq!(error(&text), expected, "{text}");
    }
}
