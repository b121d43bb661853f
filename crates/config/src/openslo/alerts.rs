//! `AlertPolicy` and `AlertCondition` to alerts on burn.

use std::time::Duration;

use model::slo::{BurnAlert, InvalidAlert, Severity, Target};

use super::{documents::Documents, span};
use crate::{
    report::Report,
    source::Place,
    yaml::{Node, Value},
};

/// The alerts of an SLO: those of its policies, or the workbook's where it names none. Alerts that can
/// never fire are errors where they were written, and left out where they were not.
pub(super) fn alerts(
    spec: &Node,
    documents: &Documents,
    target: Target,
    period: Duration,
    report: &mut Report,
) -> Vec<BurnAlert> {
    let Some(policies) = spec.get("alertPolicies") else {
        let usual = BurnAlert::workbook(period);
        return usual.into_iter().filter(|alert| alert.check(target).is_ok()).collect();
    };
    let mut alerts = Vec::new();
    for policy in policies.items() {
        let (reference, inline) = match &policy.value {
            Value::Scalar { .. } => (policy.text_at(), None),
            _ => (policy.text_of("alertPolicyRef"), policy.get("spec")),
        };
        let found = match (&reference, inline) {
            (Some(name), _) => documents.find("AlertPolicy", name, report).and_then(|it| it.spec()),
            (None, Some(spec)) => Some(spec),
            (None, None) => {
                let hint = "write the name of an AlertPolicy, or one with its `spec`";
                report.error("wrong-type", policy.place, "this is no alert policy", hint);
                None
            }
        };
        if let Some(found) = found {
            conditions(found, documents, target, &mut alerts, report);
        }
    }
    alerts
}

fn conditions(
    policy: &Node,
    documents: &Documents,
    target: Target,
    alerts: &mut Vec<BurnAlert>,
    report: &mut Report,
) {
    if policy.get("alertWhenBreaching").and_then(Node::boolean) == Some(false) {
        return;
    }
    if policy.get("alertWhenNoData").and_then(Node::boolean) == Some(true) {
        let hint = "missing data is shown on the page and in `rearguard slo status`";
        let place = policy.key_place("alertWhenNoData");
        report.warning("not-yet-in-effect", place, "`alertWhenNoData` is not in effect yet", hint);
    }
    for item in policy.items_of("conditions") {
        let reference = item.text_at().or_else(|| item.text_of("conditionRef"));
        let spec = match &reference {
            Some(name) => documents.find("AlertCondition", name, report).and_then(|it| it.spec()),
            None => item.get("spec"),
        };
        if let Some(alert) = spec.and_then(|spec| condition(spec, report)) {
            let place = spec.map_or(item.place, |spec| spec.place);
            match alert.check(target) {
                Ok(()) if !alerts.contains(&alert) => alerts.push(alert),
                Ok(()) => {}
                Err(error) => refuse(&error, target, place, report),
            }
        }
    }
}

fn refuse(error: &InvalidAlert, target: Target, place: Place, report: &mut Report) {
    let code =
        if matches!(error, InvalidAlert::NeverFires { .. }) { "never-fires" } else { "bad-alert" };
    let hint = format!(
        "the objective is {target}, so its budget burns at most at {:.3}",
        target.highest_burn()
    );
    report.error(code, place, error.to_string(), hint);
}

fn condition(spec: &Node, report: &mut Report) -> Option<BurnAlert> {
    let Some(condition) = spec.get("condition") else {
        report.error(
            "missing-field",
            spec.place,
            "this has no `condition`",
            "write `condition:` with `kind: burnrate`",
        );
        return None;
    };
    if let Some(kind) = condition.text_of("kind")
        && !kind.value.eq_ignore_ascii_case("burnrate")
    {
        let message = format!("unknown kind of condition `{}`", kind.value);
        report.error("unknown-kind", kind.place, message, "write `burnrate`");
        return None;
    }
    if let Some(op) = condition.text_of("op")
        && op.value.starts_with('l')
    {
        let message = format!("`op: {}` would alert while the budget does not burn", op.value);
        report.error("op-contradicts", op.place, message, "write `gte`");
        return None;
    }
    let threshold = condition.get("threshold").and_then(Node::text).and_then(|it| it.parse().ok());
    let window = condition.text_of("lookbackWindow");
    let (Some(burn), Some(window)) = (threshold, window) else {
        let hint = "such as `threshold: 14.4` and `lookbackWindow: 1h`";
        report.error(
            "missing-field",
            condition.place,
            "a condition needs `threshold` and `lookbackWindow`",
            hint,
        );
        return None;
    };
    let Some(long) = span::parse(&window.value).filter(|it| *it >= Duration::from_secs(60)) else {
        let message = format!("`{}` is no window to look back", window.value);
        report.error("bad-duration", window.place, message, "a minute or more, such as `1h`");
        return None;
    };
    let severity = spec.text_of("severity").map(|it| it.value.to_ascii_lowercase());
    let severity = match severity.as_deref() {
        Some("ticket" | "low" | "info" | "warning" | "minor") => Severity::Ticket,
        _ => Severity::Page,
    };
    // OpenSLO has one window; that it still burns is seen in a twelfth of it, as the workbook has it.
    Some(BurnAlert { severity, burn, long, short: long / 12 })
}
