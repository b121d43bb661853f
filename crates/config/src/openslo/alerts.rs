//! `AlertPolicy` and `AlertCondition` to alerts on burn.

use std::time::Duration;

use model::slo::{AlertWhen, BurnAlert, InvalidAlert, LONGEST_WINDOW, Severity, Target};

use super::{documents::Documents, span};
use crate::{
    report::Report,
    source::{At, Place},
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
    let says = |name: &str| policy.get(name).and_then(Node::boolean);
    let usual = AlertWhen::default();
    let when = AlertWhen {
        breaching: says("alertWhenBreaching").unwrap_or(usual.breaching),
        resolved: says("alertWhenResolved").unwrap_or(usual.resolved),
        no_data: says("alertWhenNoData").unwrap_or(usual.no_data),
    };
    if when.is_never() {
        let hint = "write `true` for one of `alertWhenBreaching`, `alertWhenResolved` and `alertWhenNoData`, or leave the policy out";
        let place = policy.key_place("alertWhenBreaching");
        report.warning("tells-nobody", place, "this policy tells nobody of anything", hint);
    }
    for item in policy.items_of("conditions") {
        let reference = item.text_at().or_else(|| item.text_of("conditionRef"));
        let spec = match &reference {
            Some(name) => documents.find("AlertCondition", name, report).and_then(|it| it.spec()),
            None => item.get("spec"),
        };
        if let Some(alert) = spec.and_then(|spec| condition(spec, when, report)) {
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

fn condition(spec: &Node, when: AlertWhen, report: &mut Report) -> Option<BurnAlert> {
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
    let can_be_kept = Duration::from_secs(60)..=LONGEST_WINDOW;
    let Some(long) = span::parse(&window.value).filter(|it| can_be_kept.contains(it)) else {
        let message = format!("`{}` is no window to look back", window.value);
        report.error("bad-duration", window.place, message, "from `1m` to `92d`, such as `1h`");
        return None;
    };
    let after = match condition.text_of("alertAfter") {
        Some(text) => after(&text, long, report)?,
        None => Duration::ZERO,
    };
    let severity = spec.text_of("severity").map(|it| it.value.to_ascii_lowercase());
    let severity = match severity.as_deref() {
        Some("ticket" | "low" | "info" | "warning" | "minor") => Severity::Ticket,
        _ => Severity::Page,
    };
    // OpenSLO has one window; that it still burns is seen in a twelfth of it, as the workbook has it.
    Some(BurnAlert { severity, burn, long, short: long / 12, after, when })
}

/// How long it must burn before anybody is told: less than the window, which would have forgotten.
fn after(text: &At<String>, long: Duration, report: &mut Report) -> Option<Duration> {
    let is_none = ["0s", "0m", "0h"].contains(&text.value.as_str());
    let after = if is_none { Some(Duration::ZERO) } else { span::parse(&text.value) };
    let after = after.filter(|after| *after < long);
    if after.is_none() {
        let message = format!("`{}` is no time before an alert", text.value);
        let hint = "write less than `lookbackWindow`, such as `5m`";
        report.error("bad-duration", text.place, message, hint);
    }
    after
}
