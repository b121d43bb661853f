//! Recording and alerting rules, in the shape of the Site Reliability Workbook, chapter 5.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use model::{
    Blame, Cause,
    slo::{Counted, Good, Indicator, Method, Objective, Query, Sample, Severity},
};

use crate::slo::notify::span;

/// Why an objective is not among the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExported {
    /// The objective.
    pub objective: String,
    /// Why.
    pub reason: &'static str,
}

/// The metric of the gateway that requests are counted in.
const REQUESTS: &str = "rearguard_requests_total";

/// A file of rules for Prometheus: the ratio of bad events over each window that an alert looks at,
/// and the alerts. What cannot be said in the gateway's metrics is left out, and told.
///
/// The guard against alarms at low traffic is not exported: rules cannot say it.
#[must_use]
pub fn rules(objectives: &[Objective]) -> (String, Vec<NotExported>) {
    let mut left_out = Vec::new();
    let mut page = String::from("groups:\n");
    for objective in objectives {
        match ratio_of(objective) {
            Ok(ratio) => group(objective, &ratio, &mut page),
            Err(reason) => {
                left_out.push(NotExported { objective: objective.name.to_string(), reason });
            }
        }
    }
    if left_out.len() == objectives.len() {
        page = "groups: []\n".to_owned();
    }
    (page, left_out)
}

/// From a window to the ratio of bad events in it.
type Ratio = Box<dyn Fn(&str) -> String>;

fn ratio_of(objective: &Objective) -> Result<Ratio, &'static str> {
    if objective.method != Method::Occurrences {
        return Err("slices of time are judged one by one, which rules cannot do");
    }
    match &objective.indicator {
        Indicator::Prometheus(query) => Ok(of_queries(query.clone())),
        Indicator::Samples(samples) => Ok(of_samples(samples.sample.clone())),
        Indicator::Requests(rule) if *rule.good() == Good::Served && rule.routes().is_none() => {
            Ok(of_requests(&objective.service))
        }
        Indicator::Requests(_) => Err(
            "the gateway's metrics count requests by outcome and cause of a service, not by this",
        ),
    }
}

fn of_queries(query: Query) -> Ratio {
    Box::new(move |window| {
        let over = |text: &str| format!("increase(({text})[{window}:])");
        let total = over(&query.total);
        match &query.counted {
            Counted::Bad(bad) => format!("{} / ({total} > 0)", over(bad)),
            Counted::Good(good) => format!("1 - {} / ({total} > 0)", over(good)),
        }
    })
}

/// The mean of samples that Prometheus takes itself, each at its evaluation interval.
fn of_samples(sample: Sample) -> Ratio {
    Box::new(move |window| {
        let mean = |text: String| format!("avg_over_time(({text})[{window}:])");
        match &sample {
            Sample::Threshold { query, op, value } => {
                format!("1 - {}", mean(format!("({query}) {} bool {value}", op.as_str())))
            }
            Sample::Raw(Counted::Good(query)) => format!("1 - {}", mean(query.to_string())),
            Sample::Raw(Counted::Bad(query)) => mean(query.to_string()),
            Sample::Ratio { counted: Counted::Good(part), total } => {
                format!("1 - {}", mean(format!("({part}) / (({total}) > 0)")))
            }
            Sample::Ratio { counted: Counted::Bad(part), total } => {
                mean(format!("({part}) / (({total}) > 0)"))
            }
        }
    })
}

fn of_requests(service: &str) -> Ratio {
    let blamed = |who: &[Blame]| {
        let codes = Cause::ALL.iter().filter(|cause| who.contains(&cause.blame()));
        codes.map(|cause| cause.code().replace('.', "[.]")).collect::<Vec<_>>().join("|")
    };
    let service = escaped(service);
    let counted = format!(
        r#"service="{service}",outcome!="cancelled",cause!~"{}""#,
        blamed(&[Blame::Nobody, Blame::Gateway])
    );
    Box::new(move |window| {
        format!(
            r#"(sum(rate({REQUESTS}{{{counted},outcome!="succeeded"}}[{window}])) or vector(0)) / (sum(rate({REQUESTS}{{{counted}}}[{window}])) > 0)"#
        )
    })
}

fn group(objective: &Objective, ratio: &Ratio, page: &mut String) {
    let name = quoted(&objective.name);
    let labels = format!("{{slo: {name}, service: {}}}", quoted(&objective.service));
    let windows: BTreeSet<Duration> =
        objective.alerts.iter().flat_map(|alert| [alert.long, alert.short]).collect();
    let mut lines = format!("- name: {}\n  rules:\n", quoted(&format!("slo-{}", objective.name)));
    let mut write = |text: std::fmt::Arguments<'_>| {
        // A string takes what it is given.
        let _always = lines.write_fmt(text);
    };
    for window in windows {
        let window = span(window);
        write(format_args!(
            "  - record: slo:sli_error:ratio_rate{window}\n    expr: {}\n    labels: {labels}\n",
            quoted(&ratio(&window))
        ));
    }
    let budget = objective.target.budget_ratio();
    for alert in &*objective.alerts {
        let burns = |window: Duration| {
            let name = escaped(&objective.name);
            let threshold = alert.burn * budget;
            format!(r#"slo:sli_error:ratio_rate{}{{slo="{name}"}} >= {threshold:.9}"#, span(window))
        };
        let severity = match alert.severity {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        };
        write(format_args!(
            "  - alert: ErrorBudgetBurn\n    expr: {}\n    labels: {{slo: {name}, service: {}, \
             severity: {severity}, long_window: {}, short_window: {}}}\n    annotations:\n      \
             summary: {}\n",
            quoted(&format!("{} and {}", burns(alert.long), burns(alert.short))),
            quoted(&objective.service),
            span(alert.long),
            span(alert.short),
            quoted(&format!("the error budget of {} burns too fast", objective.name)),
        ));
    }
    page.push_str(&lines);
}

/// A YAML text in double quotes, whose escapes JSON's are a part of.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text inside of a PromQL string.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
