//! `SLI`, `DataSource` and the two kinds of metrics.

use std::{sync::Arc, time::Duration};

use model::slo::{Counted, Good, Indicator, Query, Rule};

use super::documents::Documents;
use crate::{report::Report, schema::nearest, source::At, yaml::Node};

/// Where events come from, by the word in `metricSource.type`.
const SOURCES: [&str; 2] = ["rearguard", "prometheus"];

/// What may be said in the `spec` of a source of type `rearguard`.
const REQUEST_FIELDS: [&str; 5] = ["service", "routes", "metric", "latencyBelow", "cleanupBelow"];

/// Numbers of a request that can be compared.
const METRICS: [&str; 2] = ["latency", "cleanup"];

/// The comparison of a threshold metric.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) op: Option<At<String>>,
    pub(super) value: Option<At<f64>>,
    /// What people call the objective, which must not say the opposite.
    pub(super) words: String,
}

/// What one metric source says.
struct Source {
    kind: &'static str,
    spec: Node,
    /// The address of a Prometheus.
    server: Option<Arc<str>>,
}

/// Reads the `spec` of an SLI; an error has been reported where there is none.
pub(super) fn indicator(
    spec: &Node,
    comparison: &Comparison,
    documents: &Documents,
    report: &mut Report,
) -> Option<(Indicator, Option<String>)> {
    match (spec.get("ratioMetric"), spec.get("thresholdMetric")) {
        (Some(ratio), None) => self::ratio(ratio, documents, report),
        (None, Some(threshold)) => self::threshold(threshold, comparison, documents, report),
        (Some(_), Some(both)) => {
            let hint = "keep `ratioMetric` or `thresholdMetric`";
            report.error("two-metrics", both.place, "an indicator with two metrics", hint);
            None
        }
        (None, None) => {
            let hint = "write `ratioMetric:` with `good` and `total`, or `thresholdMetric:`";
            report.error("missing-field", spec.place, "this indicator has no metric", hint);
            None
        }
    }
}

fn ratio(
    ratio: &Node,
    documents: &Documents,
    report: &mut Report,
) -> Option<(Indicator, Option<String>)> {
    if let Some(raw) = ratio.get("raw") {
        let hint = "write `good` or `bad`, and `total`";
        report.error("not-yet", raw.place, "`raw` ratios are not supported yet", hint);
        return None;
    }
    let (good, bad, total) = (ratio.get("good"), ratio.get("bad"), ratio.get("total"));
    let (counted, is_good) = match (good, bad) {
        (Some(good), None) => (good, true),
        (None, Some(bad)) => (bad, false),
        _ => {
            let hint = "keep just one of `good` and `bad`";
            report.error("missing-field", ratio.place, "a ratio needs `good` or `bad`", hint);
            return None;
        }
    };
    let Some(total) = total else {
        report.error(
            "missing-field",
            ratio.place,
            "a ratio needs `total`",
            "write it beside the other",
        );
        return None;
    };
    let (counted, total) = (source(counted, documents, report)?, source(total, documents, report)?);
    if counted.kind != total.kind {
        let hint = "take both from one source";
        report.error("two-sources", ratio.place, "a ratio of numbers from two sources", hint);
        return None;
    }
    if counted.kind == "prometheus" {
        let query = |source: &Source, report: &mut Report| {
            let text = source.spec.text_of("query").or_else(|| source.spec.text_of("promql"));
            if text.is_none() {
                let hint = "write `spec: {query: 'sum(http_requests_total)'}`";
                report.error(
                    "missing-field",
                    source.spec.place,
                    "this source has no `query`",
                    hint,
                );
            }
            text.map(|text| Arc::from(text.value))
        };
        let (one, all) = (query(&counted, report)?, query(&total, report)?);
        let server = counted.server.or(total.server)?;
        let counted = if is_good { Counted::Good(one) } else { Counted::Bad(one) };
        return Some((Indicator::Prometheus(Query { server, counted, total: all }), None));
    }
    if !is_good {
        let hint = "write `good`; what is not good is bad";
        report.error(
            "not-yet",
            counted.spec.place,
            "requests are counted as good, not as bad",
            hint,
        );
        return None;
    }
    let (rule, service) = requests(&counted.spec, report)?;
    Some((Indicator::Requests(rule), service))
}

/// A rule over the gateway's requests, and the service that it names.
fn requests(spec: &Node, report: &mut Report) -> Option<(Rule, Option<String>)> {
    for entry in spec.entries() {
        if !REQUEST_FIELDS.contains(&entry.key.value.as_str()) {
            let hint = nearest(&entry.key.value, REQUEST_FIELDS).map_or_else(
                || format!("there are {}", REQUEST_FIELDS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("unknown field `{}`", entry.key.value);
            report.error("unknown-field", entry.key.place, message, hint);
        }
    }
    let below = |name: &str, report: &mut Report| -> Option<Duration> {
        let text = spec.text_of(name)?;
        match crate::duration::parse(&text.value) {
            Ok(duration) => Some(duration),
            Err(error) => {
                report.error("bad-duration", text.place, error.reason.clone(), error.hint);
                None
            }
        }
    };
    let good = match (below("latencyBelow", report), below("cleanupBelow", report)) {
        (Some(_), Some(_)) => {
            let hint = "write an objective for each";
            report.error("two-metrics", spec.place, "latency and cleanup in one indicator", hint);
            return None;
        }
        (Some(latency), None) => Good::Faster(latency),
        (None, Some(cleanup)) => Good::CleanupFaster(cleanup),
        (None, None) => Good::Served,
    };
    Some((with_routes(Rule::new(good), spec), service(spec)))
}

fn service(spec: &Node) -> Option<String> {
    spec.text_of("service").map(|service| service.value)
}

fn with_routes(rule: Rule, spec: &Node) -> Rule {
    let routes = spec.texts_of("routes");
    if routes.is_empty() { rule } else { rule.of_routes(routes.into_iter().map(|it| it.value)) }
}

fn threshold(
    metric: &Node,
    comparison: &Comparison,
    documents: &Documents,
    report: &mut Report,
) -> Option<(Indicator, Option<String>)> {
    let source = source(metric, documents, report)?;
    let (Some(op), Some(value)) = (&comparison.op, &comparison.value) else {
        let hint = "write `op: lte` and `value:` in the objective";
        report.error(
            "missing-field",
            metric.place,
            "a threshold metric needs `op` and `value`",
            hint,
        );
        return None;
    };
    contradiction(op, comparison, report)?;
    if source.kind == "prometheus" {
        let hint = "count requests: `ratioMetric` with `good` and `total`";
        report.error(
            "not-yet",
            metric.place,
            "threshold metrics of Prometheus are not supported yet",
            hint,
        );
        return None;
    }
    let Some(name) = source.spec.text_of("metric") else {
        let hint = format!("write `metric:` with one of {}", METRICS.join(", "));
        report.error("missing-field", source.spec.place, "this source has no `metric`", hint);
        return None;
    };
    let valid = (0.0..=86_400.0).contains(&value.value);
    let Some(most) = Duration::try_from_secs_f64(value.value).ok().filter(|_| valid) else {
        let hint = "write seconds, such as `0.3`";
        report.error("bad-value", value.place, "`value` is not from 0 to 86400 seconds", hint);
        return None;
    };
    let good = match name.value.as_str() {
        "latency" => Good::Faster(most),
        "cleanup" => Good::CleanupFaster(most),
        other => {
            let hint = format!("there are {}", METRICS.join(", "));
            report.error("unknown-metric", name.place, format!("unknown metric `{other}`"), hint);
            return None;
        }
    };
    if op.value.starts_with('g') {
        let message = format!("`op: {}` asks for {} above {most:?}", op.value, name.value);
        report.error(
            "op-contradicts",
            op.place,
            message,
            "write `lte`: a short time is the good one",
        );
        return None;
    }
    let rule = with_routes(Rule::new(good), &source.spec);
    Some((Indicator::Requests(rule), service(&source.spec)))
}

/// `op: gt` in an objective that is called "below 300 ms".
fn contradiction(op: &At<String>, comparison: &Comparison, report: &mut Report) -> Option<()> {
    const LESS: [&str; 7] = ["below", "under", "less than", "faster", "at most", "within", "<"];
    const MORE: [&str; 6] = ["above", "over", "more than", "slower", "at least", ">"];
    let words = comparison.words.to_lowercase();
    let says = |list: &[&'static str]| list.iter().copied().find(|word| words.contains(word));
    let (wrong, right) = if op.value.starts_with('g') {
        (says(&LESS).filter(|_| says(&MORE).is_none()), "lte")
    } else {
        (says(&MORE).filter(|_| says(&LESS).is_none()), "gte")
    };
    let Some(word) = wrong else { return Some(()) };
    let message = format!(
        "`op: {}`, and the objective is called \"{}\", which says `{word}`",
        op.value, comparison.words
    );
    report.error(
        "op-contradicts",
        op.place,
        message,
        format!("write `op: {right}`, or call it otherwise"),
    );
    None
}

fn source(metric: &Node, documents: &Documents, report: &mut Report) -> Option<Source> {
    let Some(node) = metric.get("metricSource") else {
        report.error(
            "missing-field",
            metric.place,
            "this has no `metricSource`",
            "write it with `type` and `spec`",
        );
        return None;
    };
    let referred = match node.text_of("metricSourceRef") {
        Some(name) => Some(documents.find("DataSource", &name, report)?),
        None => None,
    };
    let of_reference = referred.and_then(|it| it.spec()?.text_of("type"));
    let Some(kind) = node.text_of("type").or(of_reference) else {
        let hint = format!("write `type:` with one of {}", SOURCES.join(", "));
        report.error("missing-field", node.place, "this source has no `type`", hint);
        return None;
    };
    let Some(known) = SOURCES.iter().find(|it| it.eq_ignore_ascii_case(&kind.value)) else {
        let hint = format!("there are {}", SOURCES.join(", "));
        report.error(
            "unknown-source",
            kind.place,
            format!("unknown source `{}`", kind.value),
            hint,
        );
        return None;
    };
    let url = referred
        .and_then(|it| it.spec()?.get("connectionDetails"))
        .and_then(|details| details.text_of("url"));
    if *known == "prometheus" && url.is_none() {
        let hint = "name a DataSource in `metricSourceRef`, with `connectionDetails: {url: http://127.0.0.1:9090}`";
        report.error("missing-field", node.place, "nothing says where this Prometheus is", hint);
        return None;
    }
    let empty = Node { place: node.place, value: crate::yaml::Value::Map(Vec::new()) };
    let spec = node.get("spec").cloned().unwrap_or(empty);
    Some(Source { kind: known, spec, server: url.map(|url| Arc::from(url.value)) })
}
