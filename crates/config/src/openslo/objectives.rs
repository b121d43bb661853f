//! `SLO` documents, with all that they refer to.

use std::{sync::Arc, time::Duration};

use model::slo::{Indicator, Objective, Origin, Target, Window};

use super::{
    Zones, alerts,
    documents::{Document, Documents},
    indicator::{self, Comparison},
    window,
};
use crate::{
    diagnostic::Severity,
    report::{Finding, Report},
    source::At,
    yaml::Node,
};

/// The annotation that says what a contract promises.
const AGREEMENT: &str = "rearguard.dev/sla-target";

/// The period that alerts on a calendar's budget are made for.
const CALENDAR_PERIOD: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn read(documents: &Documents, zones: Zones<'_>, report: &mut Report) -> Vec<Objective> {
    let mut objectives = Vec::new();
    for document in documents.of_kind("SLO") {
        slo(document, documents, zones, &mut objectives, report);
    }
    objectives
}

fn slo(
    document: &Document,
    documents: &Documents,
    zones: Zones<'_>,
    objectives: &mut Vec<Objective>,
    report: &mut Report,
) {
    let Some(spec) = document.spec() else { return };
    let name = &document.name.value;
    let service = spec.text_of("service");
    if service.is_none() {
        let message = format!("SLO `{name}` has no `service`");
        report.error(
            "missing-field",
            spec.place,
            message,
            "write `service:` with the service that it is of",
        );
    }
    let window = window::window(spec, zones, report);
    let items = spec.items_of("objectives");
    if items.is_empty() {
        let message = format!("SLO `{name}` has no `objectives`");
        report.error("missing-field", spec.place, message, "write `objectives: [{target: 0.999}]`");
    }
    let (Some(service), Some(window)) = (service, window) else { return };
    let about = Slo {
        document,
        documents,
        spec,
        service,
        window,
        several: items.len() > 1,
        is_composite: composite(items, report),
    };
    for (index, item) in items.iter().enumerate() {
        let Some(objective) = about.objective(index, item, report) else { continue };
        if objectives.iter().any(|known| known.name == objective.name) {
            let message = format!("there are two objectives named `{}`", objective.name);
            let hint = "give each a `displayName` of its own";
            report.error("duplicate-name", item.place, message, hint);
            continue;
        }
        objectives.push(objective);
    }
}

/// What all objectives of an SLO share.
struct Slo<'a> {
    document: &'a Document,
    documents: &'a Documents,
    spec: &'a Node,
    service: At<String>,
    window: Window,
    several: bool,
    is_composite: bool,
}

impl Slo<'_> {
    fn objective(&self, index: usize, item: &Node, report: &mut Report) -> Option<Objective> {
        let target = target(item, report);
        let method = window::method(self.spec, item, report);
        let (indicator, of_indicator) = self.indicator(item, report)?;
        let (target, method) = (target?, method?);
        let title = item.text_of("displayName").map(|title| title.value);
        let name: Arc<str> = if self.several {
            let part = title.clone().unwrap_or_else(|| (index + 1).to_string());
            format!("{}/{part}", self.document.name.value).into()
        } else {
            self.document.name.value.as_str().into()
        };
        let service = match (&indicator, of_indicator) {
            (Indicator::Requests(_), Some(service)) => service,
            _ => self.service.value.clone(),
        };
        let agreement = self.agreement(target, report);
        let period = match &self.window {
            Window::Rolling(length) => *length,
            // Alerts do not follow the length of months.
            Window::Calendar(_) => CALENDAR_PERIOD,
        };
        let alerts = alerts::alerts(self.spec, self.documents, target, period, report);
        let slo = if self.is_composite {
            self.document.name.value.as_str().into()
        } else {
            Arc::clone(&name)
        };
        Some(Objective {
            name,
            slo,
            service: service.into(),
            title: title.unwrap_or_else(|| self.document.title()).into(),
            target,
            agreement,
            indicator,
            window: self.window.clone(),
            method,
            alerts: alerts.into(),
            weight: weight(item, report),
            origin: Origin::Declared,
        })
    }

    fn indicator(&self, item: &Node, report: &mut Report) -> Option<(Indicator, Option<String>)> {
        let reference = item.text_of("indicatorRef").or_else(|| self.spec.text_of("indicatorRef"));
        let inline = item.get("indicator").or_else(|| self.spec.get("indicator"));
        let spec = match (&reference, inline) {
            (Some(name), _) => self.documents.find("SLI", name, report)?.spec()?,
            (None, Some(inline)) => match inline.get("spec") {
                Some(spec) => spec,
                None => {
                    report.error(
                        "missing-field",
                        inline.place,
                        "this indicator has no `spec`",
                        "write it with a metric",
                    );
                    return None;
                }
            },
            (None, None) => {
                let hint = "write `indicatorRef:` with the name of an SLI, or `indicator:`";
                report.error("missing-field", item.place, "this objective has no indicator", hint);
                return None;
            }
        };
        let number = |name: &str| {
            let node = item.get(name)?;
            Some(At { value: node.text()?.parse().ok()?, place: node.place })
        };
        let words = item.text_of("displayName").map(|words| words.value).unwrap_or_default();
        let comparison = Comparison { op: item.text_of("op"), value: number("value"), words };
        indicator::indicator(spec, &comparison, self.documents, report)
    }

    /// What a contract promises, with a warning where nothing protects it.
    fn agreement(&self, target: Target, report: &mut Report) -> Option<Target> {
        let text = self.document.annotation(AGREEMENT)?;
        let agreement = match text.value.parse::<Target>() {
            Ok(agreement) => agreement,
            Err(error) => {
                report.error("bad-target", text.place, error.to_string(), "such as `99.5%`");
                return None;
            }
        };
        if agreement >= target {
            let message =
                format!("the contract promises {agreement}, and the objective is {target}");
            let finding = Finding::new(Severity::Warning, "unprotected-agreement", message)
                .at(text.place)
                .hint("make the objective stricter than the contract, so that it warns before that is broken");
            report.push(finding);
        }
        Some(agreement)
    }
}

/// Whether objectives are parts of a whole, and not several thresholds of one number: they have
/// indicators or weights of their own (OpenSLO v1, "Notes (Composite SLO)").
fn composite(items: &[Node], report: &mut Report) -> bool {
    const OWN: [&str; 3] = ["indicator", "indicatorRef", "compositeWeight"];
    if let [one] = items {
        if one.get("compositeWeight").is_some() {
            let message = "a weight of the only objective, which is a part of nothing";
            let hint = "leave `compositeWeight` out, or add the other objectives";
            report.error("bad-weight", one.key_place("compositeWeight"), message, hint);
        }
        return false;
    }
    let is_composite = items.iter().any(|item| OWN.iter().any(|name| item.get(name).is_some()));
    let widths = || items.iter().map(|item| item.get("timeSliceWindow").and_then(Node::text));
    let other = widths().position(|width| Some(width) != widths().next());
    if let (true, Some(other)) = (is_composite, other) {
        let message = "slices of another width than those of the first objective";
        let hint = "write the same `timeSliceWindow`: a slice that is bad for one is bad for all of the composite";
        report.error("two-widths", items[other].key_place("timeSliceWindow"), message, hint);
    }
    is_composite
}

fn target(item: &Node, report: &mut Report) -> Option<Target> {
    let (node, text) = match (item.get("target"), item.get("targetPercent")) {
        (Some(node), None) => (node, node.text()?.to_owned()),
        (None, Some(node)) => (node, format!("{}%", node.text()?)),
        (Some(_), Some(node)) => {
            report.error(
                "two-targets",
                node.place,
                "an objective with two targets",
                "keep `target` or `targetPercent`",
            );
            return None;
        }
        (None, None) => {
            report.error(
                "missing-field",
                item.place,
                "this objective has no target",
                "write `target: 0.999`",
            );
            return None;
        }
    };
    match text.parse() {
        Ok(target) => Some(target),
        Err(error) => {
            report.error("bad-target", node.place, format!("{error}"), "such as `target: 0.999`");
            None
        }
    }
}

fn weight(item: &Node, report: &mut Report) -> f64 {
    let Some(node) = item.get("compositeWeight") else { return 1.0 };
    let weight = node
        .text()
        .and_then(|text| text.parse().ok())
        .filter(|it: &f64| it.is_finite() && *it > 0.0);
    weight.unwrap_or_else(|| {
        report.error("bad-weight", node.place, "`compositeWeight` is not above 0", "such as `1`");
        1.0
    })
}
