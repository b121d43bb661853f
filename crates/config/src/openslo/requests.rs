//! Metric sources of the type `rearguard`: the gateway's own requests.

use std::time::Duration;

use model::slo::{Good, Indicator, Rule};

use super::indicator::Found;
use crate::{report::Report, schema::nearest, source::At, yaml::Node};

/// What may be said in the `spec`.
const FIELDS: [&str; 5] = ["service", "routes", "metric", "latencyBelow", "cleanupBelow"];

/// Numbers of a request that can be compared.
const METRICS: [&str; 2] = ["latency", "cleanup"];

/// What makes a request good in a ratio; not which requests count.
const LIMITS: [&str; 2] = ["latencyBelow", "cleanupBelow"];

/// A ratio of requests. `is_bad` where the first spec is of the bad ones.
pub(super) fn ratio(
    ratio: &Node,
    spec: &Node,
    total: &Node,
    is_bad: bool,
    report: &mut Report,
) -> Option<Found> {
    let (service, all) = (self::service(spec), self::service(total));
    if all.is_some() && all != service {
        let hint = "name the same service in both, or in neither";
        report.error("two-sources", ratio.place, "a ratio of the requests of two services", hint);
        return None;
    }
    if is_bad && let Some(limit) = LIMITS.into_iter().find(|limit| spec.get(limit).is_some()) {
        let message = format!("`{limit}` in `bad` says that the fast requests are the bad ones");
        let hint = "write it in `good`; what is not good is bad";
        report.error("op-contradicts", spec.key_place(limit), message, hint);
        return None;
    }
    let rule = rule(spec, report)?;
    Some((Indicator::Requests(rule), service))
}

/// A rule over requests.
fn rule(spec: &Node, report: &mut Report) -> Option<Rule> {
    for entry in spec.entries() {
        if !FIELDS.contains(&entry.key.value.as_str()) {
            let hint = nearest(&entry.key.value, FIELDS).map_or_else(
                || format!("there are {}", FIELDS.join(", ")),
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
    let good = match (below(LIMITS[0], report), below(LIMITS[1], report)) {
        (Some(_), Some(_)) => {
            let hint = "write an objective for each";
            report.error("two-metrics", spec.place, "latency and cleanup in one indicator", hint);
            return None;
        }
        (Some(latency), None) => Good::Faster(latency),
        (None, Some(cleanup)) => Good::CleanupFaster(cleanup),
        (None, None) => Good::Served,
    };
    Some(with_routes(Rule::new(good), spec))
}

/// A number of each request that is compared with the objective's `value`, in seconds.
pub(super) fn threshold(
    spec: &Node,
    op: &At<String>,
    value: &At<f64>,
    report: &mut Report,
) -> Option<Found> {
    let Some(name) = spec.text_of("metric") else {
        let hint = format!("write `metric:` with one of {}", METRICS.join(", "));
        report.error("missing-field", spec.place, "this source has no `metric`", hint);
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
        let hint = "write `lte`: a short time is the good one";
        report.error("op-contradicts", op.place, message, hint);
        return None;
    }
    Some((Indicator::Requests(with_routes(Rule::new(good), spec)), service(spec)))
}

fn service(spec: &Node) -> Option<String> {
    spec.text_of("service").map(|service| service.value)
}

fn with_routes(rule: Rule, spec: &Node) -> Rule {
    let routes = spec.texts_of("routes");
    if routes.is_empty() { rule } else { rule.of_routes(routes.into_iter().map(|it| it.value)) }
}
