//! Objectives as JSON, and as metrics.

use std::fmt::{self, Write as _};

use control::slo::{AlertStatus, Burn, CompositeKind, CompositeStatus, Letter, Status, span};
use model::{
    Cause,
    slo::{Budget, Forecast, Origin, Seconds, Target},
};
use serde_json::{Map, Value, json};

use crate::slo::watch::{ObjectiveStanding, Standing};

/// `GET /api/v1/slo`.
pub(super) fn to_json(standing: &Standing) -> Value {
    json!({
        "time": time(standing.now),
        "is_written": standing.is_written,
        "trouble": standing.trouble,
        "objectives": standing.objectives.iter().map(objective).collect::<Vec<_>>(),
        "composites": standing.composites.iter().map(composite).collect::<Vec<_>>(),
        "letters": {
            "waiting": standing.waiting.iter().map(letter).collect::<Vec<_>>(),
            "dead": standing.dead.iter().map(letter).collect::<Vec<_>>(),
            "died": standing.died,
        },
    })
}

fn objective(standing: &ObjectiveStanding) -> Value {
    let status = &standing.status;
    let all: u64 = status.causes.iter().map(|(_, bad)| bad).sum();
    let causes = status.causes.iter().map(|(cause, bad)| {
        json!({
            "cause": cause.map(Cause::code),
            "bad": bad,
            "share_ratio": *bad as f64 / all.max(1) as f64,
        })
    });
    json!({
        "objective": &*status.name,
        "service": &*status.service,
        "title": &*status.title,
        "is_suggested": status.origin == Origin::Suggested,
        "target": status.target.to_string(),
        "target_ratio": status.target.ratio(),
        "period": {
            "start": time(status.period.start),
            "end": time(status.period.end),
            "length_ms": standing.length.as_millis() as u64,
        },
        "counts": {
            "unit": unit(status),
            "slice_ms": status.slice.map(|width| width.as_millis() as u64),
            "good": whole(status.counts.good, status.parts),
            "bad": whole(status.counts.bad, status.parts),
        },
        "budget": budget(standing),
        "burns": status.burns.iter().map(burn).collect::<Vec<_>>(),
        "alerts": status.alerts.iter().map(alert).collect::<Vec<_>>(),
        "causes": causes.collect::<Vec<_>>(),
        "coverage_ratio": status.coverage.min(1.0),
        "forecast": forecast(&status.forecast),
        "agreement": status.agreement.map(|(target, budget)| agreement(target, budget)),
        "observed_p99_ms": standing.observed_p99.map(|it| it.as_secs_f64() * 1e3),
    })
}

fn composite(status: &CompositeStatus) -> Value {
    let parts = status.parts.iter();
    let parts = parts.map(|(name, weight)| json!({ "objective": &**name, "weight": weight }));
    let target = match status.kind {
        CompositeKind::Sum => None,
        CompositeKind::AnyBadSlice(target) => Some(target),
    };
    json!({
        "slo": &*status.name,
        "kind": if target.is_some() { "any_bad_slice" } else { "sum" },
        "target_ratio": target.map(Target::ratio),
        "objectives": parts.collect::<Vec<_>>(),
        "budget": { "remaining_ratio": status.remaining_ratio(), "used_ratio": status.used_ratio },
        "burns": status.burns.iter().map(burn).collect::<Vec<_>>(),
    })
}

/// What is counted.
fn unit(status: &Status) -> &'static str {
    if status.slice.is_some() {
        "slices"
    } else if status.is_sampled {
        "samples"
    } else {
        "requests"
    }
}

/// A whole number, but where ratios are counted.
fn whole(counts: u64, parts: u64) -> Value {
    if parts == 1 { counts.into() } else { (counts as f64 / parts as f64).into() }
}

fn budget(standing: &ObjectiveStanding) -> Value {
    let budget = standing.status.budget;
    let mut value = Map::new();
    let mut add = |name: &str, number: Option<f64>| {
        value.insert(name.to_owned(), number.map_or(Value::Null, Value::from));
    };
    add("remaining_ratio", budget.remaining_ratio());
    add("used_ratio", budget.used_ratio());
    let millis = |seconds: f64| (seconds * 1e3).round();
    add("remaining_ms", standing.remaining_seconds().map(millis));
    if standing.status.slice.is_some() {
        add("allowed_ms", Some(millis(budget.allowed)));
        add("used_ms", Some(millis(budget.used)));
    } else if !standing.status.is_sampled {
        add("allowed_requests", Some(budget.allowed));
        add("used_requests", Some(budget.used));
        add("remaining_requests", Some(budget.remaining()));
    }
    value.into()
}

fn burn(burn: &Burn) -> Value {
    json!({
        "window_ms": burn.window.as_millis() as u64,
        "burn_ratio": burn.burn,
        "coverage_ratio": burn.coverage.min(1.0),
    })
}

fn alert(status: &AlertStatus) -> Value {
    let alert = &status.alert;
    json!({
        "severity": alert.severity.as_str(),
        "burn_ratio": (alert.burn * 1e6).round() / 1e6,
        "long_window_ms": alert.long.as_millis() as u64,
        "short_window_ms": alert.short.as_millis() as u64,
        "is_firing": status.since.is_some(),
        "since": status.since.map(time),
        "is_blind": status.is_blind,
        "no_data_since": status.no_data_since.map(time),
        "after_ms": alert.after.as_millis() as u64,
        "when": {
            "breaching": alert.when.breaching,
            "resolved": alert.when.resolved,
            "no_data": alert.when.no_data,
        },
    })
}

/// `null` is never.
fn forecast(forecast: &Forecast) -> Value {
    let millis = |it: Option<std::time::Duration>| it.map(|it| it.as_secs_f64() * 1e3);
    json!({
        "exhausted_in_ms": millis(forecast.likely).map(f64::round),
        "earliest_ms": millis(forecast.earliest).map(f64::round),
        "latest_ms": millis(forecast.latest).map(f64::round),
        "interval_ratio": 0.9,
    })
}

fn agreement(target: Target, budget: Budget) -> Value {
    json!({
        "target": target.to_string(),
        "target_ratio": target.ratio(),
        "remaining_ratio": budget.remaining_ratio(),
        "is_broken": budget.remaining() < 0.0,
    })
}

fn letter(letter: &Letter) -> Value {
    json!({
        "key": letter.key,
        "state": letter.state.as_str(),
        // Not the whole address: Slack's is a secret.
        "receiver": receiver(letter),
        "attempts": letter.attempts,
        "error": letter.error,
        "written": time(letter.written),
    })
}

/// The format and the host of a receiver; what follows may be a secret.
pub(super) fn receiver(letter: &Letter) -> String {
    let url = &letter.receiver.url;
    let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{} at {host}", letter.receiver.format.as_str())
}

/// RFC 3339, in UTC.
pub(super) fn time(at: Seconds) -> String {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Appends gauges in Prometheus's text format.
pub(super) fn metrics(standing: &Standing, out: &mut String) {
    // A string takes what it is given.
    write_metrics(standing, out).unwrap_or_default();
}

/// Labels beyond the objective and its service, and a value.
type Sample = (String, f64);

/// A metric's name, its help, and its samples of an objective.
type Gauge = (&'static str, &'static str, fn(&ObjectiveStanding) -> Vec<Sample>);

const GAUGES: [Gauge; 6] = [
    ("rearguard_slo_target_ratio", "The share that must be good.", |it| {
        vec![(String::new(), it.status.target.ratio())]
    }),
    (
        "rearguard_slo_budget_remaining_ratio",
        "The share of the error budget that is left; negative when overspent.",
        |it| {
            let left = it.status.budget.remaining_ratio();
            left.map(|left| (String::new(), left)).into_iter().collect()
        },
    ),
    (
        "rearguard_slo_burn_ratio",
        "How many times faster than allowed the budget is spent, by window.",
        |it| {
            let burns = it.status.burns.iter();
            let known = burns.filter_map(|burn| Some((burn.window, burn.burn?)));
            known.map(|(window, burn)| (format!(",window=\"{}\"", span(window)), burn)).collect()
        },
    ),
    ("rearguard_slo_alert_firing", "1 while an alert fires, else 0.", |it| {
        let alerts = it.status.alerts.iter();
        alerts.map(|status| (alert_labels(status), f64::from(status.since.is_some()))).collect()
    }),
    (
        "rearguard_slo_alert_blind",
        "1 while too little was looked at to decide about an alert, else 0.",
        |it| {
            let alerts = it.status.alerts.iter();
            alerts.map(|status| (alert_labels(status), f64::from(status.is_blind))).collect()
        },
    ),
    (
        "rearguard_slo_coverage_ratio",
        "The share of the period so far in which somebody looked.",
        |it| vec![(String::new(), it.status.coverage.min(1.0))],
    ),
];

fn alert_labels(status: &AlertStatus) -> String {
    let alert = &status.alert;
    format!(
        ",severity=\"{}\",long_window=\"{}\",short_window=\"{}\"",
        alert.severity.as_str(),
        span(alert.long),
        span(alert.short)
    )
}

fn write_metrics(standing: &Standing, out: &mut String) -> fmt::Result {
    for (name, help, samples) in GAUGES {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        for objective in &standing.objectives {
            let status = &objective.status;
            let (slo, service) = (escaped(&status.name), escaped(&status.service));
            for (labels, value) in samples(objective) {
                writeln!(out, "{name}{{slo=\"{slo}\",service=\"{service}\"{labels}}} {value}")?;
            }
        }
    }
    write_composites(&standing.composites, out)?;
    for (name, kind, help, value) in [
        (
            "rearguard_slo_letters_waiting",
            "gauge",
            "Notices that receivers have not taken yet.",
            standing.waiting.len() as u64,
        ),
        (
            "rearguard_slo_letters_dead_total",
            "counter",
            "Notices that were given up.",
            standing.died,
        ),
    ] {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")?;
    }
    Ok(())
}

fn write_composites(composites: &[CompositeStatus], out: &mut String) -> fmt::Result {
    let (left, burns) =
        ("rearguard_slo_composite_budget_remaining_ratio", "rearguard_slo_composite_burn_ratio");
    writeln!(
        out,
        "# HELP {left} The share of a composite's error budget that is left.\n# TYPE {left} gauge"
    )?;
    for composite in composites {
        if let Some(remaining) = composite.remaining_ratio() {
            writeln!(out, "{left}{{slo=\"{}\"}} {remaining}", escaped(&composite.name))?;
        }
    }
    writeln!(out, "# HELP {burns} How fast a composite burns, by window.\n# TYPE {burns} gauge")?;
    for composite in composites {
        for it in &composite.burns {
            let Some(burn) = it.burn else { continue };
            let (slo, window) = (escaped(&composite.name), span(it.window));
            writeln!(out, "{burns}{{slo=\"{slo}\",window=\"{window}\"}} {burn}")?;
        }
    }
    Ok(())
}

/// Text inside of a label's quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_objectives_are_an_empty_list() {
        let value = to_json(&Standing::default());
        assert_eq!(value["objectives"], json!([]));
        assert_eq!(value["letters"]["died"], 0);
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\n"), "a\\\"b\\\\c\\n");
    }
}
